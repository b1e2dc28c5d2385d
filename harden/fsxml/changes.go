package fsxml

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
)

// A Change is the new content of one file. Nobody must write to Before.
type Change struct {
	Path   string
	Before []byte
	After  []byte

	// Old are the values that were replaced, as FreeSWITCH read them and as
	// they stood in the file, sorted, without the empty one. They may be secrets.
	Old []string
}

// A patch is one replacement in a file, and where it ends up.
type patch struct {
	start, end int32 // in the file as it was
	text       string
	at         int32 // in the file as it will be
	edit       *edit // one of these two
	insertion  *insertion
}

// Changes returns the files that differ, in the order of Files; nil when none
// does. Before it does so it proves them: every file is read again and may
// differ in what was asked only, then the whole configuration is, and must have
// the values that were asked. If anything else would change there is an error
// and no change; likewise after an edit that failed half way.
func (e *Editor) Changes() ([]Change, error) {
	if e.err != nil {
		return nil, e.err
	}
	patches := e.patches()
	var changes []Change
	for f := range e.c.files {
		list := patches[int32(f)]
		if len(list) == 0 {
			continue
		}
		ch := Change{Path: e.c.files[f].name, Before: e.c.files[f].data}
		ch.After = apply(ch.Before, list)
		for _, p := range list {
			if p.edit != nil {
				ch.Old = append(ch.Old, p.edit.old...)
			}
		}
		slices.Sort(ch.Old)
		ch.Old = slices.Compact(ch.Old)
		if len(ch.Old) > 0 && ch.Old[0] == "" {
			ch.Old = ch.Old[1:]
		}
		if bytes.Equal(ch.Before, ch.After) {
			continue
		}
		if err := verifyFile(ch, list); err != nil {
			return nil, fmt.Errorf("edit %s: nothing was changed: %w", ch.Path, err)
		}
		changes = append(changes, ch)
	}
	if err := e.verify(changes, patches); err != nil {
		return nil, fmt.Errorf("edit the configuration in %s: nothing was changed: %w", e.c.confDir, err)
	}
	return changes, nil
}

// patches sorts what is to be done by file and offset.
func (e *Editor) patches() map[int32][]patch {
	patches := map[int32][]patch{}
	for where, ed := range e.edits {
		patches[where.file] = append(patches[where.file], patch{start: where.start, end: where.end, text: ed.text, edit: &ed})
	}
	for where, in := range e.inserts {
		patches[where.file] = append(patches[where.file], patch{start: where.start, end: where.end, text: in.text(), insertion: in})
	}
	for _, list := range patches {
		sort.Slice(list, func(i, j int) bool { return list[i].start < list[j].start })
		shift := 0
		for k := range list {
			p := &list[k]
			p.at = p.start + int32(shift)
			shift += len(p.text) - int(p.end-p.start)
		}
	}
	return patches
}

// apply replaces the patched bytes; all others are copied.
func apply(before []byte, list []patch) []byte {
	var after []byte
	from := int32(0)
	for _, p := range list {
		after = append(after, before[from:p.start]...)
		after = append(after, p.text...)
		from = p.end
	}
	return append(after, before[from:]...)
}

// inserted tells whether an offset of the new file lies in an insertion.
func inserted(list []patch, off int32) bool {
	k := sort.Search(len(list), func(i int) bool { return list[i].at > off }) - 1
	return k >= 0 && list[k].insertion != nil && off < list[k].at+int32(len(list[k].text))
}
