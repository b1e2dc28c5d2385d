// Package host is the only door to a machine: files below a root, written so
// that a power cut leaves the old or the new and nothing between; commands;
// and the facts that decide what can be done here. Nothing else in the helper
// opens a file of the machine or starts a process.
//
// It holds the rule of docs/security-model.md: nothing that a user other than
// root has written, named, linked or configured decides which file root writes,
// replaces, removes, changes the mode of, reads whole, or runs. A path is walked
// folder by folder, each of them opened and its owner looked at (walk.go); all
// that is done then is done on open folders and files. A link is followed where
// root made it; in a folder that a user may write to it leads no further than
// what is his anyway.
package host

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Host is one machine: the running one (root "/"), or an unpacked tree.
// Paths given to its methods are absolute and as seen on that machine;
// symbolic links are followed inside the tree and never out of it.
type Host struct {
	root string
	run  Runner
	as   *User
	// running is a test's machine, nil for a real one and for a tree.
	running Running
	*door
}

// Open gives the machine whose files lie below root. Commands go through run,
// which is only ever called on the running machine.
func Open(root string, run Runner) (*Host, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("--root %s: %w", root, err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, fmt.Errorf("--root %s: %w", root, err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("--root %s is not a folder: mount or unpack the image first", root)
	}
	top, err := openTop(abs)
	if err != nil {
		return nil, fmt.Errorf("--root %s: %w", root, err)
	}
	d := &door{top: top, fds: &descriptors{top: top.fd}}
	// A process has one machine for as long as it lives; tests have hundreds.
	runtime.AddCleanup(d, (*descriptors).closeAll, d.fds)
	return &Host{root: abs, run: run, door: d}, nil
}

// openTop opens the root of a machine: whoever asked for it named it himself.
func openTop(abs string) (*dir, error) {
	fd, err := openat(unix.AT_FDCWD, abs, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	d := &dir{fd: fd, path: "/", own: writer(&st), sticky: st.Mode&unix.S_ISVTX != 0}
	d.up = d
	if d.own != root {
		d.realm, d.top = d.own, d
	}
	return d, nil
}

// Rooted tells whether this is a tree with nothing running in it.
func (h *Host) Rooted() bool { return h.root != "/" && h.running == nil }

// Root is where the machine's files lie on the one that runs us; "/", if it is
// that one.
func (h *Host) Root() string { return h.root }

// Canonical is path with every symbolic link followed, as seen on the machine.
// Two names of one file have one canonical path.
func (h *Host) Canonical(path string) (string, error) {
	defer h.use()()
	at, err := h.real(path)
	return at.path, err
}
