package host

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// asideMark begins the name of what a run has set aside until it is final. It
// lies in the folder that it comes from, the one place that is certain to be on
// its file system: a log of a gigabyte is renamed, never copied. Unlike a
// temporary file it may be all that is left of something, so Sweep passes it by.
const asideMark = ".fs-harden-aside-"

// AsideName is a name that nothing has, beside path.
func AsideName(path string) string {
	return filepath.Join(filepath.Dir(path), asideMark+rand.Text()[:10])
}

// IsAside tells whether path is, or lies in, something that was set aside.
func IsAside(path string) bool { return strings.Contains(path, "/"+asideMark) }

// Outline is Lookup without a file's content.
func (h *Host) Outline(path string) (Node, error) {
	p, err := h.beside(path)
	if err != nil {
		return Node{}, err
	}
	return outline(p)
}

// Outline is Host.Outline with what is staged.
func (v *View) Outline(path string) (Node, error) {
	key, err := v.key(path)
	if err != nil {
		return Node{}, err
	}
	if n, ok := v.staged[key]; ok {
		n.Data = nil
		return n, nil
	}
	return v.Host.Outline(path)
}

// Move is a rename within one folder.
type Move struct{ From, To string }

// MoveAll makes one move after the other, each of them whole or not at all;
// that all of them are durable is certain when it returns. What is not there to
// be moved is passed over: a run that was killed may not have come to it.
func (h *Host) MoveAll(moves ...Move) error {
	var folders []string
	for _, m := range moves {
		from, err := h.beside(m.From)
		if err != nil {
			return err
		}
		to, err := h.beside(m.To)
		if err != nil {
			return err
		}
		clear(h.folders)
		switch err := os.Rename(from, to); {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			continue
		case err != nil:
			return errors.Join(fmt.Errorf("renaming %s to %s: %w%s", m.From, m.To, err, hint(err)), h.syncFolders(folders))
		}
		if dir := filepath.Dir(to); !slices.Contains(folders, dir) {
			folders = append(folders, dir)
		}
	}
	return h.syncFolders(folders)
}

// RemoveAll removes paths with all that is in them, durably.
func (h *Host) RemoveAll(paths ...string) error {
	var folders []string
	for _, path := range paths {
		p, err := h.beside(path)
		if err != nil {
			return err
		}
		clear(h.folders)
		if err := os.RemoveAll(p); err != nil {
			return errors.Join(fmt.Errorf("removing %s: %w%s", path, err, hint(err)), h.syncFolders(folders))
		}
		if dir := filepath.Dir(p); !slices.Contains(folders, dir) {
			folders = append(folders, dir)
		}
	}
	return h.syncFolders(folders)
}

// syncFolders makes durable what changed in folders of the machine that runs us.
func (h *Host) syncFolders(folders []string) error {
	var errs []error
	for _, dir := range folders {
		if err := syncFolder(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("syncing the folder %s: %w", h.inside(dir), err))
		}
	}
	return errors.Join(errs...)
}
