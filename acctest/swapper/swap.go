//go:build linux

package main

import (
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// swap is a name, and what it is exchanged for.
type swap struct {
	name, kind, target string
	other              string // where the one waits while the other is at the name
	own                belongings
}

// folder is the one in which the helper would be seen at work.
func (s swap) folder() string {
	if s.own.isFolder {
		return s.name
	}
	return filepath.Dir(s.name)
}

// prepare makes what the name is exchanged for, where it is missing: the helper
// may have written over it or removed it.
func (s swap) prepare() error {
	info, err := os.Lstat(s.other)
	if err == nil && info.Mode().Type() == s.mode() {
		return nil
	}
	if err := os.RemoveAll(s.other); err != nil {
		return err
	}
	switch s.kind {
	case "link":
		return os.Symlink(s.target, s.other)
	case "fifo":
		return unix.Mkfifo(s.other, 0o644)
	default:
		return os.Mkdir(s.other, 0o755)
	}
}

func (s swap) mode() fs.FileMode {
	return map[string]fs.FileMode{"link": fs.ModeSymlink, "fifo": fs.ModeNamedPipe, "folder": fs.ModeDir}[s.kind]
}

// belongings are a user's file, or his files in a folder, by name. Folders in it
// are left to swaps of their own.
type belongings struct {
	isFolder bool
	files    map[string][]byte // of a single file by ""
}

func remember(name string) (belongings, error) {
	b := belongings{files: map[string][]byte{}}
	text, err := os.ReadFile(name)
	if err == nil {
		b.files[""] = text
		return b, nil
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return b, err
	}
	b.isFolder = true
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if b.files[e.Name()], err = os.ReadFile(filepath.Join(name, e.Name())); err != nil {
			return b, err
		}
	}
	return b, nil
}

// complete brings back what is missing, and what is of another kind.
func (b belongings) complete(name string) {
	info, err := os.Lstat(name)
	if err == nil && info.IsDir() != b.isFolder || err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		_ = os.RemoveAll(name)
	}
	if b.isFolder {
		_ = os.Mkdir(name, 0o755)
	}
	for file, text := range b.files {
		at := filepath.Join(name, file)
		if _, err := os.Lstat(at); err != nil {
			_ = os.WriteFile(at, text, 0o644)
		}
	}
}

// restore writes all of it again.
func (b belongings) restore(name string) {
	b.complete(name)
	for file, text := range b.files {
		_ = os.WriteFile(filepath.Join(name, file), text, 0o644)
	}
}
