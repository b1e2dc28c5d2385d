package host

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
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
	defer h.use()()
	defer h.forget()
	var changed folders
	for _, m := range moves {
		if err := h.move(m, &changed); err != nil && !absent(err) {
			return errors.Join(err, changed.sync())
		}
	}
	return changed.sync()
}

// Rename moves a file or folder within one file system, durably.
func (h *Host) Rename(from, to string) error {
	defer h.use()()
	defer h.forget()
	var changed folders
	if err := h.move(Move{from, to}, &changed); err != nil {
		return err
	}
	return changed.sync()
}

// move renames one, and adds the folders that this has changed.
func (h *Host) move(m Move, changed *folders) error {
	from, err := h.beside(m.From)
	if err != nil {
		return err
	}
	to, err := h.beside(m.To)
	if err != nil {
		return err
	}
	for _, at := range []place{from, to} {
		switch {
		case err != nil:
		case at.dir == nil:
			err = at.gone
		case at.dir.realm != root && at.dir.own == root:
			err = fmt.Errorf("%s is root's and lies in a folder of %s, who may have put it in the place of another: look at it yourself", at.dir.path, inWhose(at.dir.realm))
		}
	}
	if err == nil {
		from.dir.drop(from.name)
		to.dir.drop(to.name)
		err = to.rename(from)
	}
	if err != nil {
		return fmt.Errorf("renaming %s to %s: %w%s", m.From, m.To, err, hint(err))
	}
	changed.add(from.dir)
	changed.add(to.dir)
	return nil
}
