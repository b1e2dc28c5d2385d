package fsxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
)

// Without returns the configuration without some of its elements, and the files that
// differ. It is the way back from InsertElement: an element on lines of its own goes
// with them, so that a file which had nothing else done to it is what it was, byte for
// byte. Nothing is written, and nothing is returned that was not read again: all other
// elements, and every directive, are as they were.
//
// It fails where the bytes of an element are not together in one file, and where a
// file is included twice and an element is to stay at one of the places.
func (c *Config) Without(elements []Spot) (*Config, []Change, error) {
	gone := map[int32]bool{}
	cuts := map[int32][]span{}
	for _, s := range elements {
		if s.c != c || s.i == 0 || gone[s.i] {
			continue
		}
		gone[s.i] = true
		where, err := c.cut(s.i)
		if err != nil {
			return nil, nil, fmt.Errorf("take an element away: %w", err)
		}
		cuts[where.file] = append(cuts[where.file], where)
	}
	var changes []Change
	for f := range c.files {
		list := cuts[int32(f)]
		if len(list) == 0 {
			continue
		}
		sort.Slice(list, func(i, j int) bool { return list[i].start < list[j].start })
		list = slices.Compact(list) // a file that is included twice
		ch := Change{Path: c.files[f].name, Before: c.files[f].data, After: cutOut(c.files[f].data, list)}
		if err := verifyCuts(ch, list); err != nil {
			return nil, nil, fmt.Errorf("take elements out of %s: nothing was changed: %w", ch.Path, err)
		}
		changes = append(changes, ch)
	}
	if len(changes) == 0 {
		return c, nil, nil
	}
	after, err := c.with(changes)
	if err == nil {
		err = c.verifyWithout(after, gone)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("take elements away from the configuration in %s: nothing was changed: %w", c.confDir, err)
	}
	return after, changes, nil
}

// cutOut is the data without what lies at the cuts, which are sorted.
func cutOut(data []byte, cuts []span) []byte {
	var after []byte
	from := int32(0)
	for _, s := range cuts {
		after = append(after, data[from:max(from, s.start)]...)
		from = max(from, s.end)
	}
	return append(after, data[from:]...)
}

// cut is an element's bytes in its file, with the line end and the indentation before
// it where nothing else stands on its line.
func (c *Config) cut(i int32) (span, error) {
	n := &c.nodes[i]
	where, ok := c.segs.between(int(n.start)+1, int(n.end)-1)
	if !ok {
		name, line := c.position(int(n.start))
		return span{}, fmt.Errorf("%s:%d: <%s> comes out of a $${variable} or of several files; remove it there", name, line, n.tag(c.doc))
	}
	where.start, where.end = where.start-1, where.end+1
	data := c.files[where.file].data
	// Whole lines are not gone through: there may be many elements on one.
	line := bytes.TrimRight(data[:where.start], " \t")
	if rest := data[where.end:]; len(rest) > 0 && rest[0] != '\r' && rest[0] != '\n' {
		return where, nil
	}
	if len(line) == 0 {
		where.start = 0
		return where, nil
	}
	for _, end := range []string{"\r\n", "\n", "\r"} {
		if bytes.HasSuffix(line, []byte(end)) {
			where.start = int32(len(line) - len(end))
			break
		}
	}
	return where, nil
}

// verifyWithout proves that a configuration lacks these elements of c and differs in
// nothing else.
func (c *Config) verifyWithout(after *Config, gone map[int32]bool) error {
	if !slices.Equal(c.Files(), after.Files()) {
		return errors.New("FreeSWITCH would read other files than before")
	}
	same := slices.EqualFunc(c.directives, after.directives, func(a, b Directive) bool {
		return a.Cmd == b.Cmd && a.Name == b.Name && a.Value == b.Value && a.Arg == b.Arg && a.File == b.File
	})
	if !same {
		return errors.New("a directive would read otherwise")
	}
	now := make([]int32, len(c.nodes)) // of an old node the new one
	j := int32(1)
	for i := int32(1); i < int32(len(c.nodes)); i++ {
		n := &c.nodes[i]
		if gone[n.parent] {
			gone[i] = true
		}
		if gone[i] {
			continue
		}
		if j == int32(len(after.nodes)) || after.nodes[j].parent != now[n.parent] ||
			!bytes.Equal(c.doc[n.start:n.open], after.doc[after.nodes[j].start:after.nodes[j].open]) {
			name, line := c.position(int(n.start))
			return fmt.Errorf("%s:%d: <%s> would be lost or read otherwise, as the same file is included twice", name, line, n.tag(c.doc))
		}
		now[i] = j
		j++
	}
	if j != int32(len(after.nodes)) {
		return errors.New("an element would appear")
	}
	return nil
}

// verifyCuts proves that a file lacks what lies at the cuts, and nothing else. As
// verifyFile does, it takes a second opinion: encoding/xml's, so far as that can read
// the file as it was.
func verifyCuts(ch Change, cuts []span) error {
	before, after, err := readBoth(ch)
	if err != nil {
		return err
	}
	old, whole := tokensBut(before, cuts)
	now, _ := tokensBut(after, nil)
	if !whole && len(now) > len(old) {
		now = now[:len(old)]
	}
	if !slices.EqualFunc(old, now, sameToken) {
		return errors.New("the XML would read otherwise than asked")
	}
	return nil
}

// tokensBut are the tokens of a file but for those at the cuts; texts that come to
// stand beside each other are one. It tells whether all of the file could be read.
func tokensBut(p *preprocessor, cuts []span) (all []xml.Token, whole bool) {
	for t := newTokens(p); ; {
		f := t.next()
		if f.err != nil {
			return all, errors.Is(f.err, io.EOF)
		}
		for len(cuts) > 0 && cuts[0].end <= f.start {
			cuts = cuts[1:]
		}
		if len(cuts) > 0 && cuts[0].start <= f.start {
			continue
		}
		if text, ok := f.token.(xml.CharData); ok {
			text = bytes.Join(bytes.Fields(text), nil)
			if len(all) > 0 {
				if last, ok := all[len(all)-1].(xml.CharData); ok {
					all[len(all)-1] = append(last, text...)
					continue
				}
			}
			f.token = text
		}
		all = append(all, f.token)
	}
}
