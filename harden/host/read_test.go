package host

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What never ends, or fills the memory, is an error at once that names the path.
func TestWhatIsNotReadWhole(t *testing.T) {
	h, root := tree(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600))
	must(os.Truncate(write(t, root, "/sparse", ""), 40<<30))
	link(t, root, "/to-fifo", "fifo")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	must(err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	t.Chdir(root) // a socket's path is short
	must(syscall.Bind(fd, &syscall.SockaddrUnix{Name: "socket"}))
	want := map[string]string{"/fifo": "FIFO", "/to-fifo": "FIFO", "/sparse": "no file that is read here is that large", "/socket": "socket"}
	if syscall.Mknod(filepath.Join(root, "zero"), syscall.S_IFCHR|0o600, 1<<8|5) == nil {
		want["/zero"] = "a device"
	}
	for path, why := range want {
		name := strings.Replace(path, "to-", "", 1)
		if _, err := h.ReadFile(path); err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), name) {
			t.Errorf("ReadFile(%s): %v", path, err)
		}
		if path == "/to-fifo" {
			continue // Lookup tells a link as a link
		}
		if _, err := h.Lookup(path); err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), name) {
			t.Errorf("Lookup(%s): %v", path, err)
		}
	}
	// They are in nobody's way: what is written there replaces them.
	for path := range want {
		if err := h.Put(path, NewFile([]byte("new"), 0o600)); err != nil || content(t, filepath.Join(root, path)) != "new" {
			t.Errorf("Put(%s): %v", path, err)
		}
	}
}

func TestTail(t *testing.T) {
	h, root := tree(t)
	write(t, root, "/log", "0123456789")
	for n, want := range map[int]string{3: "789", 10: "0123456789", 99: "0123456789"} {
		if got, err := h.Tail("/log", n); err != nil || string(got) != want {
			t.Errorf("the last %d are %q, %v", n, got, err)
		}
	}
}

// Below /proc a file says that it has no bytes.
func TestAFileWithoutASizeIsRead(t *testing.T) {
	h := open(t, "/")
	if b, err := h.ReadFile("/proc/self/status"); err != nil || !strings.HasPrefix(string(b), "Name:") {
		t.Errorf("got %.20q, %v", b, err)
	}
}

// A hard link to another user's file is not his to have read.
func TestAHardLink(t *testing.T) {
	h, root := tree(t)
	secret := write(t, root, "/secret", "x")
	givenAway(t, root, "/fs")
	if err := os.Link(secret, filepath.Join(root, "fs/mine.xml")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ReadFile("/fs/mine.xml"); err == nil || !strings.Contains(err.Error(), "hard link") {
		t.Errorf("got %v", err)
	}
	if b, err := h.ReadFile("/secret"); err != nil || string(b) != "x" {
		t.Errorf("in root's folder it is read: %q, %v", b, err)
	}
}

// Our own records hold what was replaced, and are read however large that was.
func TestRootsOwnFilesHaveAnotherBound(t *testing.T) {
	h, root := tree(t)
	for _, p := range []string{"/var/lib/fs-harden/originals.json", "/fs/vars.xml", "/var/log/open.log"} {
		if err := os.Truncate(write(t, root, p, ""), MaxFile+1); err != nil {
			t.Fatal(err)
		}
	}
	givenAway(t, root, "/fs")
	if err := os.Chmod(filepath.Join(root, "/var/log/open.log"), 0o666); err != nil {
		t.Fatal(err)
	}
	if b, err := h.ReadFile("/var/lib/fs-harden/originals.json"); err != nil || len(b) != MaxFile+1 {
		t.Errorf("root's: %d bytes, %v", len(b), err)
	}
	for _, p := range []string{"/fs/vars.xml", "/var/log/open.log"} {
		if _, err := h.ReadFile(p); err == nil {
			t.Errorf("%s, which others write, was read whole", p)
		}
	}
}
