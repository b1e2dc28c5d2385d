package host

import (
	"bytes"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// created tells every name that came up in a folder while work was done. The
// kernel keeps the events: none is missed.
func created(t *testing.T, dir string, work func()) []string {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		t.Fatal(err)
	}
	work()
	buf := make([]byte, 64<<10)
	n, err := unix.Read(fd, buf)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
		size := int(b[12]) | int(b[13])<<8 // the name's length, little endian on every Linux here
		name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+size], []byte{0})
		out = append(out, string(name))
		b = b[unix.SizeofInotifyEvent+size:]
	}
	return out
}

// A half-written file must never be read by who includes whole folders.
func TestTemporaryNamesAreIncludedByNobody(t *testing.T) {
	h, root := tree(t)
	dir := folder(t, root, "/etc/d")
	for _, name := range []string{"vars.xml", "fs-harden.conf", "jail.local", "50-fs-harden.conf", ".fs_cli_conf", "a.service"} {
		for _, n := range []Node{NewFile([]byte("x"), 0o600), NewSymlink("/x")} {
			seen := created(t, dir, func() {
				if err := h.Put("/etc/d/"+name, n); err != nil {
					t.Fatal(err)
				}
			})
			if len(seen) != 2 || seen[1] != name {
				t.Fatalf("%s: %q came up; want one temporary name, then its own", name, seen)
			}
			for _, pattern := range []string{"[^.]*", "*.xml", "*.conf", "*.local", "*.service"} {
				if ok, _ := path.Match(pattern, seen[0]); ok {
					t.Errorf("%q would be included by %s", seen[0], pattern)
				}
			}
			// One that a killed run leaves is known again.
			left := write(t, root, filepath.Join("/etc/d", seen[0]), "half")
			if err := h.Sweep("/etc/d"); err != nil {
				t.Fatal(err)
			}
			if slices.Contains(names(t, dir), filepath.Base(left)) {
				t.Errorf("%q was not swept", seen[0])
			}
		}
	}
}

func TestSweepTakesNothingElse(t *testing.T) {
	h, root := tree(t)
	keep := []string{"vars.xml", "vars.xml.bak", ".hidden", ".vars.xml.swp", "x" + tempMark + "y", ".fs-harden"}
	for _, name := range keep {
		write(t, root, "/d/"+name, "theirs")
	}
	write(t, root, "/d/.vars.xml"+tempMark+"ABCDEFGHIJ", "half")
	link(t, root, "/via", "d")
	if err := h.Sweep("/via"); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keep)
	if got := names(t, filepath.Join(root, "d")); !slices.Equal(got, keep) {
		t.Errorf("left: %q, want %q", got, keep)
	}
	if err := h.Sweep("/none"); err != nil {
		t.Errorf("a folder that is not there needs no sweeping: %v", err)
	}
}

func TestTwoWritersNeverShareATemporaryName(t *testing.T) {
	h, root := tree(t)
	dir := folder(t, root, "/d")
	seen := created(t, dir, func() {
		for range 50 {
			if err := h.Put("/d/x", NewFile(nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	})
	temps := slices.DeleteFunc(seen, func(s string) bool { return !strings.Contains(s, tempMark) })
	slices.Sort(temps)
	if n := len(temps); n != 50 || len(slices.Compact(temps)) != n {
		t.Errorf("%d temporary names, some twice: %q", n, temps)
	}
}
