package host

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A time that no file system rounds by chance: it has nanoseconds of its own.
var long = time.Date(2019, 3, 4, 5, 6, 7, 123456789, time.UTC)

func TestPutGivesBackWhatLookupSaw(t *testing.T) {
	h, root := tree(t)
	p := write(t, root, "/etc/a.conf", "one")
	if err := os.Chmod(p, 0o640|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(p, 12345, 54321); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, 0o640|fs.ModeSetgid); err != nil { // chown took it away
			t.Fatal(err)
		}
	}
	if err := unix.Setxattr(p, "user.origin", []byte("a\x00b"), 0); err != nil && !errors.Is(err, unix.ENOTSUP) {
		t.Fatal(err)
	}
	if err := os.Chtimes(p, long, long); err != nil {
		t.Fatal(err)
	}
	link(t, root, "/etc/link", "../no/where")
	folder(t, root, "/etc/dir")
	if err := os.Chmod(filepath.Join(root, "/etc/dir"), 0o750|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/etc/a.conf", "/etc/link", "/etc/dir", "/etc/none"} {
		before, err := h.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, between := range []func() error{
			func() error { return nil },
			func() error { return h.Put(name, Node{Kind: Absent}) },
		} {
			if err := between(); err != nil {
				t.Fatal(err)
			}
			if err := h.Put(name, before); err != nil {
				t.Fatal(err)
			}
			after, err := h.Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			if before.Kind == Folder { // its time is its entries'
				after.ModTime = before.ModTime
			}
			if !reflect.DeepEqual(after, before) {
				t.Errorf("%s is\n%+v, was\n%+v", name, after, before)
			}
		}
	}
}

// What Lookup does not see, it would not miss: the bits of a mode, as the kernel has them.
func TestEveryBitOfAMode(t *testing.T) {
	for _, mode := range []fs.FileMode{0o640, 0o4750, 0o2640, 0o2750, 0o1777, 0o7777} {
		h, root := tree(t)
		p := write(t, root, "/f", "x")
		if err := unix.Chmod(p, uint32(mode)); err != nil {
			t.Fatal(err)
		}
		n, err := h.Lookup("/f")
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Put("/f", n); err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Stat(p, &st); err != nil || fs.FileMode(st.Mode&0o7777) != mode {
			t.Errorf("%04o came back as %04o, %v", uint32(mode), st.Mode&0o7777, err)
		}
	}
}

func TestWithDataKeepsAllButTheTime(t *testing.T) {
	n := Node{Kind: File, Data: []byte("a"), Mode: 0o640, UID: 7, GID: 8, Xattrs: map[string][]byte{"user.x": {1}}, ModTime: long}
	got := n.WithData([]byte("b"))
	want := n
	want.Data, want.ModTime = []byte("b"), time.Time{}
	if !reflect.DeepEqual(got, want) || string(n.Data) != "a" {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPutOverOtherKinds(t *testing.T) {
	tests := map[string]struct {
		there func(t *testing.T, root string)
		put   Node
		fails string
	}{
		"file over nothing":        {func(*testing.T, string) {}, NewFile([]byte("x"), 0o600), ""},
		"file over a file":         {func(t *testing.T, r string) { write(t, r, "p", "old") }, NewFile([]byte("x"), 0o600), ""},
		"file over a link":         {func(t *testing.T, r string) { link(t, r, "p", "/other") }, NewFile(nil, 0o644), ""},
		"link over a file":         {func(t *testing.T, r string) { write(t, r, "p", "old") }, NewSymlink("/x"), ""},
		"link over a link":         {func(t *testing.T, r string) { link(t, r, "p", "/other") }, NewSymlink("x"), ""},
		"folder over a folder":     {func(t *testing.T, r string) { write(t, r, "p/kept", "k") }, Node{Kind: Folder, Mode: 0o711}, ""},
		"nothing over a folder":    {func(t *testing.T, r string) { folder(t, r, "p") }, Node{Kind: Absent}, ""},
		"nothing over a link":      {func(t *testing.T, r string) { link(t, r, "p", "/other") }, Node{Kind: Absent}, ""},
		"file over a folder":       {func(t *testing.T, r string) { write(t, r, "p/kept", "k") }, NewFile([]byte("x"), 0o600), "is a directory"},
		"link over a folder":       {func(t *testing.T, r string) { folder(t, r, "p") }, NewSymlink("/x"), "is a directory"},
		"folder over a file":       {func(t *testing.T, r string) { write(t, r, "p", "old") }, Node{Kind: Folder, Mode: 0o700}, "not a directory"},
		"folder over a link to it": {func(t *testing.T, r string) { link(t, r, "p", "other") }, Node{Kind: Folder, Mode: 0o700}, "not a directory"},
		"a kind nobody knows":      {func(*testing.T, string) {}, Node{}, "unknown kind"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, root := tree(t)
			folder(t, root, "other")
			tt.there(t, root)
			before, err := h.Lookup("/p")
			if err != nil {
				t.Fatal(err)
			}
			err = h.Put("/p", tt.put)
			got, errL := h.Lookup("/p")
			if errL != nil {
				t.Fatal(errL)
			}
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) || !strings.Contains(err.Error(), "writing /p") {
					t.Errorf("got %v, want %q", err, tt.fails)
				}
				if got.Kind != before.Kind || !bytes.Equal(got.Data, before.Data) {
					t.Errorf("what was there changed: %+v", got)
				}
			} else if err != nil || got.Kind != tt.put.Kind || !bytes.Equal(got.Data, tt.put.Data) || got.Target != tt.put.Target || got.Mode != tt.put.Mode {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.put)
			}
			for _, left := range names(t, root) {
				if left != "p" && left != "other" {
					t.Errorf("left behind: %s", left)
				}
			}
		})
	}
}

func TestPutNeedsParents(t *testing.T) {
	h, root := tree(t)
	folder(t, root, "/etc")
	missing, err := h.Parents("/etc/a/b/c.conf")
	if err != nil || !slices.Equal(missing, []string{"/etc/a", "/etc/a/b"}) {
		t.Fatalf("Parents gives %v, %v", missing, err)
	}
	if err := h.Put("/etc/a/b/c.conf", NewFile(nil, 0o600)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without its folder: %v", err)
	}
	for _, dir := range missing {
		if err := h.Put(dir, Node{Kind: Folder, Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Put("/etc/a/b/c.conf", NewFile(nil, 0o600)); err != nil {
		t.Error(err)
	}
	if missing, err := h.Parents("/etc/a/b/c.conf"); err != nil || missing != nil {
		t.Errorf("Parents still gives %v, %v", missing, err)
	}
	if _, err := h.Parents("etc/a"); err == nil {
		t.Error("a relative path has no parents on a machine")
	}
}

func TestRemoving(t *testing.T) {
	h, root := tree(t)
	write(t, root, "/d/theirs", "kept")
	write(t, root, "/file", "")
	for _, p := range []string{"/d", "/none", "/none/deeper", "/file/below"} {
		if err := h.Put(p, Node{Kind: Absent}); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	if content(t, filepath.Join(root, "/d/theirs")) != "kept" {
		t.Error("a folder that others use was emptied")
	}
}

func TestWhatIsNoFileIsNotRead(t *testing.T) {
	h, root := tree(t)
	if err := unix.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Lookup("/pipe"); err == nil || !strings.Contains(err.Error(), "move it out of the way") {
		t.Errorf("a pipe: %v", err)
	}
}

func TestRename(t *testing.T) {
	h, root := tree(t)
	write(t, root, "/a/j/1.json", "one")
	if err := h.Rename("/a/j", "/a/k"); err != nil {
		t.Fatal(err)
	}
	if h.Exists("/a/j") || content(t, filepath.Join(root, "/a/k/1.json")) != "one" {
		t.Error("it did not move")
	}
	if err := h.Rename("/a/j", "/a/l"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "/a/j to /a/l") {
		t.Errorf("renaming nothing: %v", err)
	}
}
