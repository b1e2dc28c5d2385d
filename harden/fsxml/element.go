package fsxml

import (
	"errors"
	"fmt"
	"strings"
)

// InsertElement puts a whole element, given as its XML text, into the element
// FreeSWITCH reads at a place: on lines of its own behind the last element
// there, indented as that is. The text begins with `<`, and its lines are
// indented as seen from there. It fails with ErrNotFound when nothing matches
// the place.
//
// Whether an element like it is there already is for the caller to see.
func (e *Editor) InsertElement(place Place, text string) error {
	if err := e.insertElement(place, text); err != nil {
		return e.fail(fmt.Errorf("put an element into %s: %w", place, err))
	}
	return nil
}

func (e *Editor) insertElement(place Place, text string) error {
	whole, err := parseElement(text)
	if err != nil {
		return err
	}
	c := e.c
	parent := c.first(place)
	if parent == 0 {
		return ErrNotFound
	}
	n := &c.nodes[parent]
	tag, ok := c.segs.between(int(n.start)+1, int(n.open)-1)
	if !ok {
		return e.notLiteral(n)
	}
	data := c.files[tag.file].data
	where, form := emptyElement(data, string(n.tag(c.doc)), tag, n.open == n.end)
	for i := n.first; i != 0; i = c.nodes[i].next {
		if at, ok := c.lastTag(i); ok && at.file == tag.file {
			where, form = afterSibling(data, at)
		}
	}
	lines := strings.Split(text, "\n")
	e.put(where, form, item{name: text, text: strings.Join(lines, lineStart(form)), whole: whole})
	e.wholes[parent] = append(e.wholes[parent], whole)
	return nil
}

// lineStart is what a further line of an insertion begins with.
func lineStart(form insertion) string {
	if form.sep == "" {
		return "\n"
	}
	return form.sep
}

// lastTag is what stands between the `<` and the `>` that end an element.
func (c *Config) lastTag(i int32) (span, bool) {
	n := &c.nodes[i]
	if n.open == n.end {
		return c.segs.between(int(n.start)+1, int(n.end)-1)
	}
	return c.segs.between(int(n.close)+1, int(n.end)-1)
}

// parseElement reads the text of one element that FreeSWITCH's preprocessor
// passes through as it stands.
func parseElement(text string) (*Config, error) {
	for line := range strings.Lines(text) {
		if err := checkValue(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, err
		}
	}
	whole, err := Parse("element.xml", []byte(text))
	if err != nil {
		return nil, err
	}
	if len(whole.nodes) < 2 || whole.nodes[1].next != 0 || whole.nodes[1].start != 0 || int(whole.nodes[1].end) != len(text) {
		return nil, errors.New("the text is not one element and nothing else")
	}
	return whole, nil
}

// insertedElement tells how many nodes, from j on, are an element that was
// asked for below the old node parent. 0: none is.
func (e *Editor) insertedElement(after *Config, j, parent int32) int32 {
	for _, whole := range e.wholes[parent] {
		if whole.standsAt(after, j) {
			return int32(len(whole.nodes)) - 1
		}
	}
	return 0
}

// standsAt compares every tag of one element with what stands at node j.
func (c *Config) standsAt(after *Config, j int32) bool {
	last := int32(len(c.nodes)) - 1
	if int(j+last) > len(after.nodes) {
		return false
	}
	for k := int32(1); k <= last; k++ {
		want, got := &c.nodes[k], &after.nodes[j+k-1]
		if k > 1 && got.parent != j+want.parent-1 {
			return false
		}
		if string(c.doc[want.start:want.open]) != string(after.doc[got.start:got.open]) {
			return false
		}
	}
	return true
}
