//go:build linux

package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cgroupMount is where the host has the unified control group hierarchy.
func cgroupMount() (string, error) {
	mounts, err := cgroupMounts()
	if err != nil {
		return "", err
	}
	for _, mount := range mounts {
		if exists(filepath.Join(mount, "cgroup.procs")) && exists(filepath.Join(mount, "cgroup.controllers")) {
			return mount, nil
		}
	}
	return "", errors.New("no cgroup2 is mounted (mount -t cgroup2 none /sys/fs/cgroup)")
}

// cgroupMounts lists the mount points of all control group hierarchies.
func cgroupMounts() ([]string, error) {
	info, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, fmt.Errorf("reading the mounts: %w", err)
	}
	var mounts []string
	for line := range strings.Lines(string(info)) {
		if fields := strings.Fields(line); len(fields) > 2 && (fields[2] == "cgroup2" || fields[2] == "cgroup") {
			mounts = append(mounts, fields[1])
		}
	}
	return mounts, nil
}

// makeControlGroup makes a control group and opens it. Two containers in one
// group would take each other's services for their own and kill them.
func makeControlGroup(name string) (*os.File, error) {
	mount, err := cgroupMount()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(mount, name)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making a container's control group: %w", err)
	}
	return os.Open(dir)
}

// removeControlGroups removes the groups whose names match pattern, in every
// hierarchy: nspawn copies its group to the one of systemd where that is apart.
func removeControlGroups(pattern string) error {
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	var errs []error
	for _, mount := range mounts {
		tops, err := filepath.Glob(filepath.Join(mount, pattern))
		errs = append(errs, err)
		for _, top := range tops {
			errs = append(errs, removeControlGroup(top))
		}
	}
	return errors.Join(errs...)
}

// removeControlGroup removes a group and those below it. Killed processes stay
// in their group until the kernel has reaped them, so a busy group is tried
// again for five seconds.
func removeControlGroup(top string) error {
	for deadline := time.Now().Add(5 * time.Second); ; {
		err := removeEmptyTree(top)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// removeEmptyTree removes folders, innermost first. The files of a control group
// are not to be removed, and go with it.
func removeEmptyTree(top string) error {
	var dirs []string
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for control groups: %w", err)
	}
	for _, dir := range slices.Backward(dirs) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a control group: %w", err)
		}
	}
	return nil
}
