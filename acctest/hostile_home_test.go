//go:build linux && acceptance

package acctest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What is written into a home is written with the rights of its user, and where
// those do not suffice FreeSWITCH starts all the same.
func TestAHomeIsWrittenWithItsUsersRights(t *testing.T) {
	helper, err := filepath.Abs("../.build/fs-harden-linux-amd64")
	if err != nil {
		t.Fatal(err)
	}
	const uid, gid, other = 1001, 1002, 1003
	base := newTree(t, helper)
	passwd := "root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1002::/home/alice:/bin/sh\n"
	home := filepath.Join(base.dir, "home/alice")
	if err := errors.Join(
		os.WriteFile(filepath.Join(base.dir, "etc/passwd"), []byte(passwd), 0o644),
		os.MkdirAll(home, 0o700), os.Chown(home, uid, gid),
		os.WriteFile(filepath.Join(base.dir, "plan.json"), []byte(`{"admin_users":["alice"]}`), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(helper, "apply", "--root", base.dir, "--plan", filepath.Join(base.dir, "plan.json")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, c := range map[string]struct {
		spoil   func(t *testing.T, home string)
		written bool
	}{
		"as it should be": {func(*testing.T, string) {}, true},
		"of another user": {func(t *testing.T, home string) { chown(t, home, other) }, false},
		"not his to write": {func(t *testing.T, home string) {
			if err := os.Chmod(home, 0o500); err != nil {
				t.Fatal(err)
			}
		}, false},
		"immutable": {immutable, false},
		"full":      {fullDisk, false},
		"a FIFO of his": {func(t *testing.T, home string) {
			if err := syscall.Mkfifo(filepath.Join(home, ".fs_cli_conf"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
		"a file of his, for all to read": {func(t *testing.T, home string) {
			p := filepath.Join(home, ".fs_cli_conf")
			if err := os.WriteFile(p, []byte("password => old\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			chown(t, p, uid)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			tr := base.copy()
			tr.t = t
			t.Cleanup(tr.remove)
			home := filepath.Join(tr.dir, "home/alice")
			c.spoil(t, home)
			out, err := exec.Command(helper, "firstboot", "--root", tr.dir).CombinedOutput()
			if err != nil {
				t.Fatalf("the first boot failed: %v: %s", err, out)
			}
			tr.must("gate")
			info, err := os.Lstat(filepath.Join(home, ".fs_cli_conf"))
			written := err == nil && info.Mode().IsRegular() && info.Size() > 0
			if written != c.written {
				t.Errorf("written: %v, %v\n%s", written, info, out)
			}
			if created := strings.Contains(string(out), "create /home/alice") || strings.Contains(string(out), "edit /home/alice"); created != c.written {
				t.Errorf("told as written: %v\n%s", created, out)
			}
			if warned := strings.Contains(string(out), "run fs-harden rotate"); warned == c.written {
				t.Errorf("warned: %v\n%s", warned, out)
			}
			if st, ok := infoOf(info); written && (!ok || st.Uid != uid || st.Gid != gid || info.Mode().Perm() != 0o600) {
				t.Errorf("it belongs to %+v, mode %v", st, info.Mode())
			}
			tr.must("rotate")
			if c.written {
				tr.must("rollback")
			}
		})
	}
}

func infoOf(info os.FileInfo) (*syscall.Stat_t, bool) {
	if info == nil {
		return nil, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return st, ok
}

func chown(t *testing.T, path string, uid int) {
	t.Helper()
	if err := os.Chown(path, uid, uid); err != nil {
		t.Fatal(err)
	}
}

// immutable sets the attribute that no user can take away (chattr(1)).
func immutable(t *testing.T, home string) {
	t.Helper()
	set := func(flags int) error {
		f, err := os.Open(home)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
	}
	if err := set(unix.STATX_ATTR_IMMUTABLE); err != nil { // the same bit as FS_IMMUTABLE_FL
		t.Fatalf("this file system knows no immutable folder: %v", err)
	}
	t.Cleanup(func() {
		if err := set(0); err != nil {
			t.Error(err)
		}
	})
}

// fullDisk is a file system of his own without room.
func fullDisk(t *testing.T, home string) {
	t.Helper()
	if err := unix.Mount("tmpfs", home, "tmpfs", 0, "size=4k,mode=0700,uid=1001,gid=1002"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(home, 0); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(home, "all"), make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
}
