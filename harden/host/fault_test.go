package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestHints(t *testing.T) {
	for err, want := range map[error]string{
		syscall.ENOSPC: "make room", syscall.EDQUOT: "make room", syscall.EROFS: "mounted read-only",
		syscall.EACCES: "run as root", syscall.EPERM: "lsattr", syscall.EIO: "", syscall.ENOENT: "",
	} {
		got := hint(fmt.Errorf("over: %w", &fs.PathError{Op: "open", Path: "/x", Err: err}))
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%v: the hint is %q, want %q", err, got, want)
		}
	}
}

// unchanged fails unless dir holds the file old alone, as it was.
func unchanged(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "old"))
	if err != nil || string(b) != "old" {
		return fmt.Errorf("the old file holds %.20q now: %w", b, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		return fmt.Errorf("left behind: %v: %w", entries, err)
	}
	return nil
}

// fails puts n in place of the file old, which must fail with errno and words.
func fails(n Node, errno syscall.Errno, words string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	h, err := Open(dir, nil)
	if err != nil {
		return err
	}
	for _, name := range []string{"/old", "/new"} {
		err := h.Put(name, n)
		if !errors.Is(err, errno) || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "writing "+name) {
			return fmt.Errorf("put %s gave %w, want %w and %q", name, err, errno, words)
		}
	}
	return unchanged(dir)
}

var big = NewFile(bytes.Repeat([]byte("x"), 1<<20), 0o600)

// starveChild runs in namespaces of its own: what it mounts nobody else sees.
func starveChild() error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		return fmt.Errorf("%w: %w", errNoMount, err)
	}
	if err := os.Chdir(dir); err != nil { // into what was mounted over it
		return err
	}
	if err := os.WriteFile("old", []byte("old"), 0o600); err != nil {
		return err
	}
	if err := fails(big, syscall.ENOSPC, "make room on that file system"); err != nil {
		return err
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	for _, n := range []Node{NewFile([]byte("x"), 0o600), NewSymlink("x")} {
		if err := fails(n, syscall.EROFS, "mounted read-only"); err != nil {
			return err
		}
	}
	return nil
}

var errNoMount = errors.New("no mounting here")

func TestAFullAndAReadOnlyFileSystem(t *testing.T) {
	cmd := child("starve", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	lacks := t.Skipf
	if os.Getenv("CI") == "true" {
		lacks = t.Fatalf
	}
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		lacks("this machine allows no user namespace: %v", err)
	case strings.Contains(string(out), errNoMount.Error()):
		lacks("this machine allows no mount in a user namespace: %s", out)
	case err != nil:
		t.Errorf("%v: %s", err, out)
	}
}

// refuseChild may write to no folder but the one it is in, and there no file
// beyond 4 KiB.
func refuseChild() error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 4096, Max: 4096}); err != nil {
		return err
	}
	if err := os.WriteFile("old", []byte("old"), 0o600); err != nil {
		return err
	}
	if err := fails(big, syscall.EFBIG, ""); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		return err
	}
	for _, n := range []Node{NewFile([]byte("x"), 0o600), NewSymlink("x")} {
		if err := fails(n, syscall.EACCES, "run as root"); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o700)
}

const nobody = 65534

func TestAFileTooBigAndAFolderOfOthers(t *testing.T) {
	dir := t.TempDir()
	cmd := child("refuse", dir)
	if os.Geteuid() == 0 { // whom no permission stops
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		if err := errors.Join(os.Chown(dir, nobody, nobody), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"old"}) {
		t.Errorf("left: %q; the child did nothing", got)
	}
}
