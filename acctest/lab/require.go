//go:build linux

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// TB is the part of testing.TB that Require needs.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Require ends the test where this machine cannot hold a lab, and says what it
// lacks: with a failure where CI=true, else by skipping.
func Require(t TB) {
	t.Helper()
	missing := Missing()
	if len(missing) == 0 {
		return
	}
	why := "this machine cannot hold the lab: " + strings.Join(missing, "; ")
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s (CI=true, so this is a failure and not a skip)", why)
	}
	t.Skipf("%s", why)
}

// Missing says, a sentence each, what this machine lacks to hold a lab and what
// to do about it. Packages are not among them: InstallTools brings those.
func Missing() []string {
	var missing []string
	if runtime.GOARCH != "amd64" {
		missing = append(missing, "the lab's machines are amd64 and this processor is "+runtime.GOARCH)
	}
	if os.Geteuid() != 0 {
		return append(missing, "not root (run the tests with sudo, or in a machine of their own as root)")
	}
	if err := tryNamespaces(); err != nil {
		return append(missing, err.Error())
	}
	if err := tryOverlay(); err != nil {
		missing = append(missing, err.Error())
	}
	if _, err := cgroupMount(); err != nil {
		missing = append(missing, err.Error())
	}
	return missing
}

func tryNamespaces() error {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("no new mount, network and process namespaces (CAP_SYS_ADMIN; in a container, run it privileged): %w", err)
	}
	return nil
}

// tryOverlay mounts an overlay in a mount namespace of its own, on the
// filesystem where machines will lie.
func tryOverlay() error {
	cache, err := OpenCache()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(cache.Dir(), "try-overlay-")
	if err != nil {
		return fmt.Errorf("writing to the cache folder: %w", err)
	}
	defer os.RemoveAll(dir)
	lower := filepath.Join(dir, "lower")
	if err := os.Mkdir(lower, 0o755); err != nil {
		return err
	}
	lay, err := newLayer(dir, []string{lower})
	if err != nil {
		return err
	}
	cmd := exec.Command("mount", "-t", "overlay", "overlay", "-o", lay.options(), lay.root)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if _, err := runCmd(cmd); err != nil {
		return fmt.Errorf("no overlayfs on the filesystem of %s (set %s to a folder on ext4, xfs or tmpfs): %w", cache.Dir(), CacheEnv, err)
	}
	return nil
}
