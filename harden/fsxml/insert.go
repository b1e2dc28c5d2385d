package fsxml

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// An insertion puts new lines at one spot of a file.
type insertion struct {
	head  string // before the first line
	sep   string // before each line
	tail  string // after the last one
	items []item
}

// An item is one new line, a parameter or a variable's directive; or the lines
// of a whole element.
type item struct {
	name, value, text string
	whole             *Config // the element, read by itself
}

func (it item) directive() bool { return strings.HasPrefix(it.text, "<X-PRE-PROCESS ") }

func (in *insertion) text() string {
	var b strings.Builder
	b.WriteString(in.head)
	for _, it := range in.items {
		b.WriteString(in.sep + it.text)
	}
	b.WriteString(in.tail)
	return b.String()
}

// put adds an item at a spot, in place of an earlier one of the same name.
func (e *Editor) put(where span, form insertion, it item) {
	in, ok := e.inserts[where]
	if !ok {
		in = &form
		e.inserts[where] = in
	}
	for k := range in.items {
		if in.items[k].name == it.name {
			in.items[k] = it
			return
		}
	}
	in.items = append(in.items, it)
}

// insertParam puts a parameter into an element that lacks it: on a line of its
// own after the last parameter that stands there, or as the first thing in it.
func (e *Editor) insertParam(settings int32, name, value string) error {
	c, n := e.c, &e.c.nodes[settings]
	tag, ok := c.segs.between(int(n.start)+1, int(n.open)-1)
	if !ok {
		return e.notLiteral(n)
	}
	data := c.files[tag.file].data
	where, form := emptyElement(data, string(n.tag(c.doc)), tag, n.open == n.end)
	for _, i := range c.children(settings, step{tag: "param"}) {
		p := &c.nodes[i]
		at, ok := c.segs.between(int(p.start)+1, int(p.end)-1)
		if ok && at.file == tag.file {
			where, form = afterSibling(data, at)
		}
	}
	if e.added[settings] == nil {
		e.added[settings] = map[string]string{}
	}
	e.added[settings][name] = value
	text := fmt.Sprintf(`<param name="%s" value="%s"/>`, escape(name, '"'), escape(value, '"'))
	e.put(where, form, item{name: name, value: value, text: text})
	return nil
}

// afterSibling is the spot after a tag, whose inner bytes are at: the end of
// its line, where nothing but comments follows on it.
func afterSibling(data []byte, at span) (span, insertion) {
	end := int(at.end) + 1
	indent, own := indentation(data, int(at.start)-1)
	if !own {
		return span{at.file, int32(end), int32(end)}, insertion{}
	}
	spot := end + eol(data[end:])
	if !onlyComments(data[end:spot]) {
		spot = end
	}
	return span{at.file, int32(spot), int32(spot)}, insertion{sep: newline(data, spot) + indent}
}

// emptyElement is the spot just after the opening tag, whose inner bytes are
// tag. An element without a closing tag is given one.
func emptyElement(data []byte, name string, tag span, selfClosed bool) (span, insertion) {
	indent, own := indentation(data, int(tag.start)-1)
	var form insertion
	closing := ""
	if own {
		deeper := "  "
		if strings.HasSuffix(indent, "\t") {
			deeper = "\t"
		}
		closing = newline(data, int(tag.end)) + indent
		form.sep = closing + deeper
	}
	if selfClosed {
		start := len(bytes.TrimRight(data[:tag.end-1], " \t\r\n"))
		form.head = ">"
		form.tail = closing + "</" + name + ">"
		return span{tag.file, int32(start), tag.end + 1}, form
	}
	end := tag.end + 1
	if bytes.HasPrefix(data[end:], []byte("</")) {
		form.tail = closing
	}
	return span{tag.file, end, end}, form
}

// InsertVar puts a directive that sets a variable into one of the files read:
// on a line of its own after the last directive there that sets one, or before
// the line with </include>. FreeSWITCH knows the variable from that line on.
func (e *Editor) InsertVar(file, name, value string) error {
	if err := e.insertVar(file, name, value); err != nil {
		return e.fail(fmt.Errorf("put the variable %s into %s: %w", name, file, err))
	}
	e.vars[name] = value
	return nil
}

func (e *Editor) insertVar(file, name, value string) error {
	if !plain(lower(name)) {
		return fmt.Errorf("%q is no name for a variable; use letters, digits, - and _", name)
	}
	if err := checkVar(value); err != nil {
		return err
	}
	f := int32(slices.Index(e.c.Files(), file))
	if f < 0 {
		return fmt.Errorf("the file is not part of the configuration: %w", ErrNotFound)
	}
	it := item{name: name, value: value, text: fmt.Sprintf(`<X-PRE-PROCESS cmd="set" data="%s=%s"/>`, name, value)}
	data := e.c.files[f].data
	last := int32(-1)
	for _, d := range e.c.directives {
		if d.Cmd == "set" && d.start.file == f && !bytes.HasPrefix(data[d.start.start:], []byte("<!--#")) {
			last = max(last, d.start.start)
		}
	}
	if last >= 0 {
		spot := int(last) + eol(data[last:])
		indent, _ := indentation(data, int(last))
		e.put(span{f, int32(spot), int32(spot)}, insertion{sep: newline(data, spot) + indent}, it)
		return nil
	}
	if i := bytes.LastIndex(data, []byte("</include>")); i >= 0 {
		spot := bytes.LastIndexAny(data[:i], "\r\n") + 1
		it.text += newline(data, i)
		e.put(span{f, int32(spot), int32(spot)}, insertion{sep: "  "}, it)
		return nil
	}
	return fmt.Errorf("the file sets no variable and has no </include>, so there is no line to put it at")
}

// indentation returns the white space that the line of an offset begins with,
// and whether nothing else stands before the offset.
func indentation(data []byte, off int) (string, bool) {
	line := data[bytes.LastIndexAny(data[:off], "\r\n")+1 : off]
	rest := bytes.TrimLeft(line, " \t")
	return string(line[:len(line)-len(rest)]), len(rest) == 0
}

// eol returns the length of the rest of the line, without its end.
func eol(s []byte) int {
	return indexAny(s, func(b byte) bool { return b == '\r' || b == '\n' })
}

// newline returns the line end at an offset, or the first one of the file where
// there is none.
func newline(data []byte, off int) string {
	for _, s := range [][]byte{data[off:], data} {
		s = s[eol(s):]
		for _, end := range []string{"\r\n", "\n", "\r"} {
			if bytes.HasPrefix(s, []byte(end)) {
				return end
			}
		}
	}
	return "\n"
}

// onlyComments tells whether nothing but white space and whole comments stands
// in s.
func onlyComments(s []byte) bool {
	for {
		s = bytes.TrimLeft(s, " \t")
		if len(s) == 0 {
			return true
		}
		if !bytes.HasPrefix(s, []byte("<!--")) {
			return false
		}
		end := bytes.Index(s, []byte("-->"))
		if end < 0 {
			return false
		}
		s = s[end+len("-->"):]
	}
}
