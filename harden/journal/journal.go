// Package journal keeps what a run replaces, so that it can be put back: by the
// run itself when it fails, by the next one when it was killed, and by a person
// years later.
package journal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// Dir exists while a run is under way, or was killed.
const Dir = state.Dir + "/journal"

// Journal is that of one run. What it holds is durable before it is replaced.
type Journal struct {
	host    *host.Host
	made    []Entry
	reserve int
	entries []Entry // in the order of writing
	files   int
	opened  bool
	scrub   func([]Entry) ([]Entry, error)
}

// New begins one. made are the folders that were made for the records:
// rollback is to know of them. largest is the size in bytes of the largest file
// that may have to be put back.
func New(h *host.Host, made []string, largest int) *Journal {
	j := &Journal{host: h, reserve: largest + reserveSlack}
	for _, dir := range made {
		j.made = append(j.made, Entry{Path: dir, Before: host.Node{Kind: host.Absent}, After: host.Node{Kind: host.Folder}})
	}
	return j
}

// Scrub has the originals, those of earlier runs too, go through a function before
// they are kept, which may change what they hold.
func (j *Journal) Scrub(scrub func([]Entry) ([]Entry, error)) { j.scrub = scrub }

// Spared is what could not be written into a user's home.
type Spared struct {
	Path string
	Err  error
}

// Write writes down what the entries of a step replace, and then replaces it, but
// for what is spared.
func (j *Journal) Write(step string, entries []Entry) (spared []Spared, err error) {
	if err := j.record(step, entries); err != nil {
		return nil, err
	}
	if err := setAside(j.host, entries); err != nil {
		return nil, err
	}
	homes := slices.DeleteFunc(slices.Clone(entries), func(en Entry) bool { return en.As == nil })
	others := slices.DeleteFunc(slices.Clone(entries), func(en Entry) bool { return en.As != nil })
	if err := j.host.PutAll(after(others)...); err != nil {
		return nil, err
	}
	for _, en := range homes {
		if err := j.host.PutAll(after([]Entry{en})...); err != nil {
			spared = append(spared, Spared{en.Path, err})
			j.entries = slices.DeleteFunc(j.entries, func(x Entry) bool { return x.Path == en.Path })
		}
	}
	return spared, nil
}

func (j *Journal) record(step string, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	for i := range entries {
		entries[i].Sum = Sum(entries[i].After)
	}
	if j.files == 0 {
		if err := j.open(); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("%s/%03d-%s.json", Dir, j.files, step)
	if err := j.host.Put(name, encoded(entries)); err != nil {
		return err
	}
	j.files++
	j.entries = append(j.entries, entries...)
	return nil
}

// reservePath holds room on the disk: putting a file back writes it beside its
// place first, and a disk that is full is a reason to put things back.
const reservePath = Dir + "/reserve"

// reserveSlack is room for the folders' entries and for small files, in bytes.
const reserveSlack = 64 << 10

func (j *Journal) open() error {
	if err := j.host.Put(Dir, host.Node{Kind: host.Folder, Mode: 0o700}); err != nil {
		return err
	}
	j.opened = true
	return j.host.Put(reservePath, host.NewFile(make([]byte, j.reserve), 0o600))
}

// Undo puts back everything recorded, last change first, and forgets it. kept is
// where it left what somebody else had written there meanwhile; empty, if nobody
// had.
func (j *Journal) Undo() (kept string, err error) {
	if err := j.host.Put(reservePath, host.Node{Kind: host.Absent}); err != nil {
		return "", err
	}
	if kept, err = j.keepEdits(); err != nil {
		return "", err
	}
	if err := j.putBack(); err != nil {
		return kept, err
	}
	_, err = j.remove() // what was set aside is back
	return kept, err
}

// putBack goes through the entries, last one first. What was set aside is
// renamed back over whatever stands there now. One that cannot be put back, in a
// folder where a user has put a link, keeps no other from it.
func (j *Journal) putBack() error {
	var errs []error
	touched := map[string]bool{} // a path of several entries has the first one's state in the end
	for _, en := range slices.Backward(j.entries) {
		var err error
		switch aside := en.Aside != ""; {
		case aside && !j.isAside(en):
		case aside:
			err = j.host.MoveAll(host.Move{From: en.Aside, To: en.Path})
		case touched[en.Path] || !j.untouched(en):
			err = j.host.PutAll(host.Placed{Path: en.Path, Node: en.Before, As: en.As})
		}
		touched[en.Path] = true
		if err != nil && en.As == nil { // see Entry.As
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// isAside tells whether what an entry has set aside may be what stands there now. Who
// owns the folder may have put something else in its place.
func (j *Journal) isAside(en Entry) bool {
	g, err := j.host.Glance(en.Aside)
	return err != nil || g.Kind == en.Before.Kind // what is wrong is told by the rename
}

// untouched tells whether a path is still as it was: the run did not come to it,
// or could not write there, and then putting it back could not either.
func (j *Journal) untouched(en Entry) bool {
	now, err := en.lookup(j.host)
	return err == nil && host.Same(now, en.Before) && now.ModTime.Equal(en.Before.ModTime)
}

// Close makes the run final: its originals are added to those of earlier runs,
// what it discarded is removed, and so is the journal. left is what could not be
// removed then; nothing is to be undone for that.
func (j *Journal) Close() (left []error, err error) {
	if len(j.entries) == 0 && j.scrub == nil {
		return nil, nil
	}
	originals, err := Originals(j.host)
	if err != nil {
		return nil, err
	}
	before := encoded(originals)
	if len(j.entries) > 0 {
		kept := slices.DeleteFunc(slices.Clone(j.entries), func(en Entry) bool { return en.Discard })
		originals = merge(merge(originals, j.made), kept)
	}
	if j.scrub != nil {
		if originals, err = j.scrub(originals); err != nil {
			return nil, err
		}
	}
	if now := encoded(originals); !bytes.Equal(before.Data, now.Data) {
		if err := j.host.Put(OriginalsPath, now); err != nil {
			return nil, err
		}
	}
	return j.remove()
}

func after(entries []Entry) []host.Placed {
	var out []host.Placed
	for _, en := range entries {
		if en.Aside != "" && en.After.Kind == host.Absent {
			continue // was renamed
		}
		out = append(out, host.Placed{Path: en.Path, Node: en.After, As: en.As})
	}
	return out
}

// setAside renames what the entries discard.
func setAside(h *host.Host, entries []Entry) error {
	var moves []host.Move
	for _, en := range entries {
		if en.Aside != "" {
			moves = append(moves, host.Move{From: en.Path, To: en.Aside})
		}
	}
	return h.MoveAll(moves...)
}
