package fsxml

import (
	"errors"
	"fmt"
)

// RemoveParam takes out every parameter of that name which has that value, in
// every element the place matches: with its line, where nothing else stands on
// it. So it is SetParam's way back for a parameter that was put in. One that has
// another value stays.
//
// It fails when such a tag is not on its own: it comes out of a $${variable}, is
// pieced together from several files, or has a closing tag.
func (e *Editor) RemoveParam(place Place, name, value string) error {
	if err := e.removeParam(place, name, value); err != nil {
		return e.fail(fmt.Errorf("remove the parameter %s at %s: %w", name, place, err))
	}
	return nil
}

func (e *Editor) removeParam(place Place, name, value string) error {
	c := e.c
	for _, settings := range c.all(place.steps()) {
		for _, i := range c.children(settings, step{tag: "param"}) {
			n := &c.nodes[i]
			if lower(n.value(c.doc, "name")) != lower(name) || n.value(c.doc, "value") != value {
				continue
			}
			if n.open != n.end {
				file, line := c.position(int(n.start))
				return fmt.Errorf("%s:%d: %w", file, line, errors.New("the tag <param> is not closed by />; remove it by hand"))
			}
			inner, ok := c.segs.between(int(n.start)+1, int(n.end)-1)
			if !ok {
				return e.notLiteral(n)
			}
			e.removed[i] = true
			e.edits[wholeLine(c.files[inner.file].data, inner)] = edit{gone: true}
		}
	}
	return nil
}

// wholeLine is a tag, whose inner bytes are at, with the line that it stands on
// alone: the end of the line before it and its indentation, and the blanks behind
// it. A tag that is not alone goes by itself.
func wholeLine(data []byte, at span) span {
	start, end := int(at.start)-1, int(at.end)+1
	tag := span{at.file, int32(start), int32(end)}
	indent, own := indentation(data, start)
	rest := eol(data[end:])
	if !own || len(trimBlanks(data[end:end+rest])) > 0 {
		return tag
	}
	start -= len(indent)
	switch {
	case start >= 2 && data[start-2] == '\r' && data[start-1] == '\n':
		start -= 2
	case start >= 1:
		start--
	default:
		return tag // the file begins with it
	}
	return span{at.file, int32(start), int32(end + rest)}
}

func trimBlanks(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}
