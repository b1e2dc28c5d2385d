package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestGlanceAndPeek(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(filepath.Join(dir, "file"), []byte("0123456789"), 0o640))
	must(os.Symlink("/file", filepath.Join(dir, "link")))
	must(os.Symlink("/../../file", filepath.Join(dir, "up")))
	must(os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	must(syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	must(os.WriteFile(filepath.Join(dir, "staged"), []byte("old"), 0o600))
	must(os.WriteFile(filepath.Join(dir, "removed"), []byte("old"), 0o600))
	h, err := Open(dir, nil)
	must(err)
	v := NewView(h)
	must(v.Stage("/staged", NewFile([]byte("newer"), 0o600)))
	must(v.Stage("/removed", Node{Kind: Absent}))

	for path, want := range map[string]Glimpse{
		"/file":   {Kind: File, Size: 10, Mode: 0o640},
		"/link":   {Kind: Symlink, Target: "/file"},
		"/folder": {Kind: Folder, Mode: 0o700},
		"/fifo":   {Kind: Other, Mode: 0o600},
		"/none":   {Kind: Absent}, "/file/none": {Kind: Absent},
		"/staged": {Kind: File, Size: 5, Mode: 0o600}, "/removed": {Kind: Absent},
	} {
		got, err := v.Glance(path)
		if want.Kind == Symlink || want.Kind == Folder {
			want.Size, want.Mode = got.Size, got.Mode
		}
		got.ModTime, got.UID, got.GID = want.ModTime, want.UID, want.GID
		if err != nil || got != want {
			t.Errorf("Glance(%s) = %+v, %v, want %+v", path, got, err, want)
		}
	}

	for _, c := range []struct {
		path string
		from int64
		n    int
		want string
	}{
		{"/file", 0, 3, "012"}, {"/file", 7, 100, "789"}, {"/file", 20, 3, ""}, {"/link", 2, 2, "23"}, {"/up", 0, 1, "0"},
		{"/staged", 1, 2, "ew"}, {"/staged", 4, 9, "r"}, {"/staged", 9, 9, ""},
	} {
		if got, err := v.Peek(c.path, c.from, c.n); err != nil || string(got) != c.want {
			t.Errorf("Peek(%s, %d, %d) = %q, %v, want %q", c.path, c.from, c.n, got, err, c.want)
		}
	}
	for _, path := range []string{"/fifo", "/folder"} { // nobody writes into the fifo: who waits for it waits for ever
		if got, err := v.Peek(path, 0, 1); err == nil {
			t.Errorf("Peek(%s) = %q", path, got)
		}
	}
	// A device that never ends: only root can make one, and only here and there.
	if err := syscall.Mknod(filepath.Join(dir, "zero"), syscall.S_IFCHR|0o600, 1<<8|5); err == nil {
		if got, err := v.Peek("/zero", 0, 1); err == nil {
			t.Errorf("Peek of a device = %q", got)
		}
	}
	for _, path := range []string{"/removed", "/none"} {
		if _, err := v.Peek(path, 0, 1); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Peek(%s): %v", path, err)
		}
	}
	if found, err := h.Glob("/f*"); err != nil || len(found) != 3 || h.Root() != dir {
		t.Errorf("Glob: %v, %v; Root: %s", found, err, h.Root())
	}
}
