package host

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestGrow(t *testing.T) {
	root := t.TempDir()
	h, err := Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(root, "var/log/x"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "var/log/x/a.log")
	g, err := h.Grow("/var/log/x/a.log", 8)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"one\n", "two\n", "three\n"} {
		if _, err := g.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	for file, want := range map[string]string{path: "three\n", path + ".1": "one\ntwo\n"} {
		if b, err := os.ReadFile(file); err != nil || string(b) != want {
			t.Errorf("%s has %q, %v", file, b, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	// Opened again it goes on, and knows its size.
	if g, err = h.Grow("/var/log/x/a.log", 8); err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, line := range []string{"more\n", "new\n"} {
		if _, err := g.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if b, _ := os.ReadFile(path + ".1"); string(b) != "three\nmore\n" {
		t.Errorf("the older one has %q", b)
	}
}

func TestGrowTakesALogOnly(t *testing.T) {
	root := t.TempDir()
	h, err := Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(root, name) }
	if err := os.WriteFile(at("passwd"), []byte("root"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.Symlink("passwd", at("link")), os.Link(at("passwd"), at("second")), os.Mkdir(at("folder"), 0o700), syscall.Mkfifo(at("fifo"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, says := range map[string]string{
		"second": "is no log", "folder": "", "fifo": "", "no/such/folder": "",
	} {
		g, err := h.Grow("/"+name, 1)
		if err == nil {
			_ = g.Close()
			t.Errorf("%s was taken for a log", name)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
