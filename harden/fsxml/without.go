package fsxml

import (
	"bytes"
	"errors"
	"fmt"
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
		if !slices.Contains(cuts[where.file], where) {
			cuts[where.file] = append(cuts[where.file], where)
		}
	}
	var changes []Change
	for f := range c.files {
		list := cuts[int32(f)]
		if len(list) == 0 {
			continue
		}
		sort.Slice(list, func(i, j int) bool { return list[i].start < list[j].start })
		var after []byte
		from := int32(0)
		for _, s := range list {
			after = append(after, c.files[f].data[from:max(from, s.start)]...)
			from = max(from, s.end)
		}
		after = append(after, c.files[f].data[from:]...)
		changes = append(changes, Change{Path: c.files[f].name, Before: c.files[f].data, After: after})
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
	indent, own := indentation(data, int(where.start))
	if own && eol(data[where.end:]) == 0 {
		at := int(where.start) - len(indent)
		for _, end := range []string{"\r\n", "\n", "\r"} {
			if bytes.HasSuffix(data[:at], []byte(end)) {
				at -= len(end)
				break
			}
		}
		where.start = int32(at)
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
