package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// finishedDir is a journal that is no longer wanted. Renaming to it is the one
// instant at which a run becomes final: half a journal must never be undone.
const finishedDir = state.Dir + "/journal.finished"

func (j *Journal) remove() (left []error, err error) {
	if !j.opened && !j.host.Exists(Dir) {
		return nil, nil
	}
	if err := j.host.Rename(Dir, finishedDir); err != nil {
		return nil, err
	}
	return sweepFinished(j.host), nil
}

// sweepFinished removes what a run that is final has set aside, and then its
// journal. left is what could not be removed: the run is final all the same.
func sweepFinished(h *host.Host) (left []error) {
	names, err := h.ReadDir(finishedDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []error{err}
	}
	// While its journal is there, what was set aside can be found: it goes first.
	entries, err := readJournal(h, finishedDir, names)
	if err != nil {
		left = append(left, err)
	}
	for _, en := range entries {
		if en.Aside == "" {
			continue
		}
		if err := h.Put(en.Aside, host.Node{Kind: host.Absent}); err != nil {
			left = append(left, fmt.Errorf("%s, which was to be removed, is still there as %s: %w", en.Path, en.Aside, err))
		}
	}
	var gone []host.Placed
	for _, name := range append(names, "") {
		gone = append(gone, host.Placed{Path: filepath.Join(finishedDir, name), Node: host.Node{Kind: host.Absent}})
	}
	if err := h.PutAll(gone...); err != nil {
		left = append(left, err)
	}
	return left
}

// Recover puts back what a killed run had changed, and removes what it
// left half written. kept is as Undo has it.
func Recover(h *host.Host) (recovered bool, kept string, err error) {
	_ = sweepFinished(h) // its own run has told of what is left
	if err := h.Sweep(state.Dir); err != nil {
		return false, "", err
	}
	names, err := h.ReadDir(Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, "", nil
	}
	if err != nil {
		return false, "", fmt.Errorf("reading the journal of a run that was killed: %w", err)
	}
	j := New(h, nil, 0)
	if j.entries, err = readJournal(h, Dir, names); err != nil {
		return false, "", err
	}
	for _, en := range j.entries {
		_ = h.Sweep(filepath.Dir(en.Path)) // in a user's folder he can make it fail; inspect tells what is left
	}
	kept, err = j.Undo()
	return true, kept, err
}

// readJournal gives the entries of a journal's files, in the order of writing.
func readJournal(h *host.Host, dir string, names []string) ([]Entry, error) {
	var all []Entry
	for _, name := range names {
		if filepath.Ext(name) != ".json" || name[0] == '.' {
			continue
		}
		entries, err := readEntries(h, filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	return all, nil
}
