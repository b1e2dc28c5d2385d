// Package host is the only door to a machine: files below a root, written so
// that a power cut leaves the old or the new and nothing between; commands;
// and the facts that decide what can be done here. Nothing else in the helper
// opens a file of the machine or starts a process.
package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
)

// Host is one machine: the running one (root "/"), or an unpacked tree.
// Paths given to its methods are absolute and as seen on that machine;
// symbolic links are followed inside the tree and never out of it.
type Host struct {
	root string
	run  Runner
	// folders remembers where a folder lies, its links followed: a configuration
	// has ten thousand files in one. It is emptied whenever we make or remove a
	// link or a folder.
	folders map[string]string
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
	return &Host{root: abs, run: run, folders: map[string]string{}}, nil
}

// Rooted tells whether this is a tree with nothing running in it.
func (h *Host) Rooted() bool { return h.root != "/" }

// real gives where path lies on the machine that runs us, every link followed
// inside the root. Parts that do not exist yet are kept as they are.
func (h *Host) real(path string) (string, error) {
	if path != "/" && path == filepath.Clean(path) {
		dir, err := h.folder(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		p := filepath.Join(dir, filepath.Base(path))
		if info, err := os.Lstat(p); err != nil || info.Mode()&os.ModeSymlink == 0 {
			return p, nil // what is wrong with it is told by whoever opens it
		}
	}
	return h.follow(path)
}

// folder is real for a folder, remembered.
func (h *Host) folder(path string) (string, error) {
	if p, ok := h.folders[path]; ok {
		return p, nil
	}
	p, err := h.follow(path)
	if err == nil {
		h.folders[path] = p
	}
	return p, err
}

func (h *Host) follow(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("%s is not an absolute path", path)
	}
	p, err := securejoin.SecureJoin(h.root, path)
	if err != nil {
		return "", fmt.Errorf("following %s: %w", path, err)
	}
	return p, nil
}

// beside gives where path itself lies, its folder's links followed but not its
// own: what a rename would replace.
func (h *Host) beside(path string) (string, error) {
	folder, name := filepath.Split(strings.TrimRight(path, "/"))
	if folder == "" || name == "." || name == ".." {
		return h.real(path) // it names a folder by way of another, and so no link
	}
	dir, err := h.folder(folder)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}

// Canonical is path with every symbolic link followed, as seen on the machine.
// Two names of one file have one canonical path.
func (h *Host) Canonical(path string) (string, error) {
	p, err := h.real(path)
	if err != nil {
		return "", err
	}
	return h.inside(p), nil
}

// inside turns a path of the machine that runs us into one of this machine.
func (h *Host) inside(p string) string {
	if h.root == "/" {
		return p
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(p, h.root), "/")
}

// ReadFile reads a file, following links.
func (h *Host) ReadFile(path string) ([]byte, error) {
	p, err := h.readable(path)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(p) //nolint:gosec // the machine's own files are what this program is for
}

// Stat tells of a file, following links.
func (h *Host) Stat(path string) (os.FileInfo, error) {
	p, err := h.readable(path)
	if err != nil {
		return nil, err
	}
	return os.Stat(p)
}

// Exists tells whether something stands at path, links followed.
func (h *Host) Exists(path string) bool {
	_, err := h.Stat(path)
	return err == nil
}

// ReadDir lists a folder's names, sorted.
func (h *Host) ReadDir(path string) ([]string, error) {
	p, err := h.readable(path)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(p)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// readable leaves the kernel to follow links on the running machine, where
// that means the same as real and costs no system call a path component.
func (h *Host) readable(path string) (string, error) {
	if h.root == "/" && filepath.IsAbs(path) {
		return path, nil
	}
	return h.real(path)
}
