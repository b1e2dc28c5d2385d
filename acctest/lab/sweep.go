//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// sweep undoes what runs left that ended without Close: those whose lock nobody
// holds. Their machines died with them. The folder of a run goes last, for it is
// what the rest is found by.
func sweep(ctx context.Context, runs string, log func(format string, args ...any)) error {
	dirs, err := filepath.Glob(filepath.Join(runs, "fslab-*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		lock, err := tryLock(filepath.Join(dir, "lock"))
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return err
		}
		log("sweeping away %s, left by a run that was killed", dir)
		err = errors.Join(sweepRun(ctx, dir), lock.Close())
		if err != nil {
			return fmt.Errorf("sweeping away %s: %w", dir, err)
		}
	}
	return nil
}

func sweepRun(ctx context.Context, dir string) error {
	name := filepath.Base(dir)
	if err := removeControlGroups(name + "-*"); err != nil {
		return err
	}
	if err := removeNetworkNamespaces(ctx, name); err != nil {
		return err
	}
	return removeRun(dir)
}

// removeRun deletes the folder of a run, and refuses to reach through a mount
// that is still there.
func removeRun(dir string) error {
	mounts, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", mount, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing the folder of the run: %w", err)
	}
	return nil
}

// mountsBelow lists the mount points below dir, innermost first.
func mountsBelow(dir string) ([]string, error) {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	var mounts []string
	for line := range strings.Lines(string(info)) {
		// Field 5 of proc_pid_mountinfo(5) is the mount point.
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			mounts = append([]string{fields[4]}, mounts...)
		}
	}
	return mounts, nil
}
