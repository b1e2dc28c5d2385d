package harden

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// journalDir exists while a run is under way, or was killed.
const journalDir = state.Dir + "/journal"

// originalsPath holds, of every path that was ever changed, what stood there
// before the first change: what rollback needs, and no secret made here.
const originalsPath = state.Dir + "/originals.json"

// entry is one path, before and after.
type entry struct {
	Path   string    `json:"path"`
	Before host.Node `json:"before"`
	// Sum is the SHA-256 of the content written, so that rollback notices what
	// a person has changed since.
	Sum string `json:"sum"`
	// Discard marks what must not come back once the run is final, Aside is the
	// name under which it waits for that. See planned.discard.
	Discard bool      `json:"discard,omitempty"`
	Aside   string    `json:"aside,omitempty"`
	After   host.Node `json:"-"`
	mask    map[string]string
	size    int64 // of a file that is discarded, in bytes; its content is never read
}

func after(entries []entry) []host.Placed {
	var out []host.Placed
	for _, en := range entries {
		if en.Aside != "" && en.After.Kind == host.Absent {
			continue // was renamed
		}
		out = append(out, host.Placed{Path: en.Path, Node: en.After})
	}
	return out
}

// journal keeps what a run replaces, durable before it is replaced.
type journal struct {
	host    *host.Host
	made    []entry
	reserve int
	entries []entry // in the order of writing
	files   int
	opened  bool
}

// newJournal begins one. made are the folders that were made for the records:
// rollback is to know of them. largest is the size in bytes of the largest file
// that may have to be put back.
func newJournal(h *host.Host, made []string, largest int) *journal {
	j := &journal{host: h, reserve: largest + reserveSlack}
	for _, dir := range made {
		j.made = append(j.made, entry{Path: dir, Before: host.Node{Kind: host.Absent}, After: host.Node{Kind: host.Folder}})
	}
	return j
}

// record writes down what a step is about to replace.
func (j *journal) record(step string, entries []entry) error {
	if len(entries) == 0 {
		return nil
	}
	for i := range entries {
		entries[i].Sum = sum(entries[i].After)
	}
	if j.files == 0 {
		if err := j.open(); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("%s/%03d-%s.json", journalDir, j.files, step)
	if err := j.host.Put(name, encoded(entries)); err != nil {
		return err
	}
	j.files++
	j.entries = append(j.entries, entries...)
	return nil
}

// reservePath holds room on the disk: putting a file back writes it beside its
// place first, and a disk that is full is a reason to put things back.
const reservePath = journalDir + "/reserve"

// reserveSlack is room for the folders' entries and for small files, in bytes.
const reserveSlack = 64 << 10

func (j *journal) open() error {
	if err := j.host.Put(journalDir, host.Node{Kind: host.Folder, Mode: 0o700}); err != nil {
		return err
	}
	j.opened = true
	return j.host.Put(reservePath, host.NewFile(make([]byte, j.reserve), 0o600))
}

// undo puts back everything recorded, last change first, and forgets it.
func (j *journal) undo() error {
	if err := j.host.Put(reservePath, host.Node{Kind: host.Absent}); err != nil {
		return err
	}
	if err := j.putBack(); err != nil {
		return err
	}
	return j.remove()
}

// putBack goes through the entries, last one first. What was set aside is
// renamed back over whatever stands there now.
func (j *journal) putBack() error {
	var puts []host.Placed
	var moves []host.Move
	done := func() error {
		err := errors.Join(j.host.PutAll(puts...), j.host.MoveAll(moves...))
		puts, moves = nil, nil
		return err
	}
	touched := map[string]bool{} // a path of several entries has the first one's state in the end
	for _, en := range slices.Backward(j.entries) {
		aside := en.Aside != ""
		if aside && len(puts) > 0 || !aside && len(moves) > 0 {
			if err := done(); err != nil {
				return err
			}
		}
		if aside {
			moves = append(moves, host.Move{From: en.Aside, To: en.Path})
		} else if touched[en.Path] || !j.untouched(en) {
			puts = append(puts, host.Placed{Path: en.Path, Node: en.Before})
		}
		touched[en.Path] = true
	}
	return done()
}

// untouched tells whether a path is still as it was: the run did not come to it,
// or could not write there, and then putting it back could not either.
func (j *journal) untouched(en entry) bool {
	now, err := j.host.Lookup(en.Path)
	return err == nil && same(now, en.Before) && now.ModTime.Equal(en.Before.ModTime)
}

// close makes the run final: its originals are added to those of earlier runs,
// what it discarded is removed, and so is the journal.
func (j *journal) close() error {
	if len(j.entries) == 0 {
		return nil
	}
	originals, err := readOriginals(j.host)
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(j.entries), func(en entry) bool { return en.Discard })
	if err := j.host.Put(originalsPath, encoded(merge(merge(originals, j.made), kept))); err != nil {
		return err
	}
	return j.remove()
}

// merge keeps the first original of every path and the last sum. The secrets of
// an earlier boot or rotation stand in later originals only, and so are dropped.
func merge(originals, later []entry) []entry {
	at := map[string]int{}
	for i, en := range originals {
		at[en.Path] = i
	}
	for _, en := range later {
		if i, ok := at[en.Path]; ok {
			originals[i].Sum = en.Sum
			continue
		}
		at[en.Path] = len(originals)
		originals = append(originals, en)
	}
	return originals
}

// finishedDir is a journal that is no longer wanted. Renaming to it is the one
// instant at which a run becomes final: half a journal must never be undone.
const finishedDir = state.Dir + "/journal.finished"

func (j *journal) remove() error {
	if !j.opened && !j.host.Exists(journalDir) {
		return nil
	}
	if err := j.host.Rename(journalDir, finishedDir); err != nil {
		return err
	}
	return sweepFinished(j.host)
}

func sweepFinished(h *host.Host) error {
	names, err := h.ReadDir(finishedDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// While its journal is there, what was set aside can be found: it goes first.
	entries, err := readJournal(h, finishedDir, names)
	if err != nil {
		return err
	}
	if err := h.RemoveAll(asides(entries)...); err != nil {
		return err
	}
	var gone []host.Placed
	for _, name := range append(names, "") {
		gone = append(gone, host.Placed{Path: filepath.Join(finishedDir, name), Node: host.Node{Kind: host.Absent}})
	}
	return h.PutAll(gone...)
}

// recoverJournal puts back what a killed run had changed, and removes what it
// left half written.
func recoverJournal(h *host.Host) (recovered bool, err error) {
	if err := errors.Join(h.Sweep(state.Dir), sweepFinished(h)); err != nil {
		return false, err
	}
	names, err := h.ReadDir(journalDir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the journal of a run that was killed: %w", err)
	}
	j := newJournal(h, nil, 0)
	if j.entries, err = readJournal(h, journalDir, names); err != nil {
		return false, err
	}
	for _, en := range j.entries {
		if err := h.Sweep(filepath.Dir(en.Path)); err != nil {
			return false, err
		}
	}
	return true, j.undo()
}

// readJournal gives the entries of a journal's files, in the order of writing.
func readJournal(h *host.Host, dir string, names []string) ([]entry, error) {
	var all []entry
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

func readOriginals(h *host.Host) ([]entry, error) {
	entries, err := readEntries(h, originalsPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

func readEntries(h *host.Host, path string) ([]entry, error) {
	b, err := h.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var entries []entry
	if err := json.Unmarshal(b, &entries); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; put the configuration back from the backup in /root and remove %s", path, err, state.Dir)
	}
	return entries, nil
}

func encoded(entries []entry) host.Node {
	b, err := json.Marshal(entries)
	if err != nil {
		panic(err) // nodes hold bytes, strings, numbers and times
	}
	return host.NewFile(b, 0o600)
}

func sum(n host.Node) string {
	if n.Kind != host.File {
		return ""
	}
	s := sha256.Sum256(n.Data)
	return hex.EncodeToString(s[:])
}
