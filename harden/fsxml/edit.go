package fsxml

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Errors of an Editor that a caller may want to tell apart.
var (
	// ErrNotFound: no element stands at the place.
	ErrNotFound = errors.New("no such place in the configuration")
	// ErrNotSet: no directive sets the variable.
	ErrNotSet = errors.New("the variable is not set anywhere")
)

// An Editor gathers edits of one configuration. Nothing is written: Changes
// gives the new contents once they are proven.
type Editor struct {
	c       *Config
	edits   map[span]edit
	inserts map[span]*insertion

	err   error   // of an edit that failed half way
	after *Config // what was proven, see After

	// What was asked, to prove it afterwards.
	params map[paramKey]string
	vars   map[string]string
	values map[int32]string            // of each parameter that is there
	added  map[int32]map[string]string // to each element, by name
	wholes map[int32][]*Config         // elements put into each element
}

type paramKey struct {
	place Place
	name  string
}

// An edit replaces the bytes of one value.
type edit struct {
	text  string // as it is written
	value string // as it is read
	attr  bool   // the whole attribute is new
	old   []string
}

// Edit begins a batch of edits. Asking twice for the same value is fine, the
// last one counts.
func (c *Config) Edit() *Editor {
	return &Editor{
		c:       c,
		edits:   map[span]edit{},
		inserts: map[span]*insertion{},
		params:  map[paramKey]string{},
		vars:    map[string]string{},
		values:  map[int32]string{},
		added:   map[int32]map[string]string{},
		wholes:  map[int32][]*Config{},
	}
}

// SetParam gives a parameter a value in every element the place matches, so
// that no old secret stays where FreeSWITCH happens not to look; in the first
// such element of each parent, the one FreeSWITCH reads, it is put in where it
// lacks. Every occurrence is set, however its name is capitalised.
//
// It fails with ErrNotFound when nothing matches the place, and when a value
// cannot be told apart in a file: its tag comes out of a $${variable}, or is
// pieced together from several files.
func (e *Editor) SetParam(place Place, name, value string) error {
	if err := e.setParam(place, name, value); err != nil {
		return e.fail(fmt.Errorf("set the parameter %s at %s: %w", name, place, err))
	}
	e.params[paramKey{place, name}] = value
	return nil
}

func (e *Editor) setParam(place Place, name, value string) error {
	if err := checkValue(value); err != nil {
		return err
	}
	if err := checkValue(name); err != nil || name == "" {
		return fmt.Errorf("%q is no name for a parameter", name)
	}
	steps := place.steps()
	if len(steps) == 0 {
		return ErrNotFound
	}
	last := len(steps) - 1
	found := false
	for _, parent := range e.c.all(steps[:last]) {
		for k, settings := range e.c.children(parent, steps[last]) {
			found = true
			has, err := e.setAll(place, settings, name, value)
			if err != nil {
				return err
			}
			if k == 0 && !has {
				if err := e.insertParam(settings, name, value); err != nil {
					return err
				}
			}
		}
	}
	if !found {
		return ErrNotFound
	}
	return nil
}

// setAll sets the parameters of that name in one element, and tells whether
// one of them is read by the module.
func (e *Editor) setAll(place Place, settings int32, name, value string) (bool, error) {
	c, has := e.c, false
	for _, i := range c.children(settings, step{tag: "param"}) {
		written := c.nodes[i].value(c.doc, "name")
		if lower(written) != lower(name) {
			continue
		}
		has = has || place.reads(written, name)
		if err := e.setNode(i, value); err != nil {
			return false, err
		}
	}
	return has, nil
}

// setNode sets the value of one parameter.
func (e *Editor) setNode(i int32, value string) error {
	c, n := e.c, &e.c.nodes[i]
	a, ok := n.attr(c.doc, "value")
	if !ok {
		return e.addAttr(i, value)
	}
	if a.quote == 0 {
		name, line := c.position(int(n.start))
		return fmt.Errorf("%s:%d: the value stands without quotes, and FreeSWITCH reads it as empty; put it in quotes", name, line)
	}
	where, ok := c.segs.between(a.lo, a.hi)
	old := decodeValue(c.doc[a.lo:a.hi])
	if !ok && old != value {
		return e.notLiteral(n)
	}
	e.values[i] = value
	if ok {
		e.replace(where, edit{text: escape(value, a.quote), value: value}, old)
	}
	return nil
}

// addAttr gives a parameter the value attribute that it lacks.
func (e *Editor) addAttr(i int32, value string) error {
	c, n := e.c, &e.c.nodes[i]
	a, _ := n.attr(c.doc, "name")
	f, off, literal := c.segs.origin(a.hi)
	if !literal {
		return e.notLiteral(n)
	}
	e.values[i] = value
	text := fmt.Sprintf(" value=%c%s%c", a.quote, escape(value, a.quote), a.quote)
	e.edits[span{f, off + 1, off + 1}] = edit{text: text, value: value, attr: true}
	return nil
}

// notLiteral says that a tag has no bytes of its own to edit.
func (e *Editor) notLiteral(n *node) error {
	name, line := e.c.position(int(n.start))
	return fmt.Errorf("%s:%d: the tag <%s> is made by a $${variable} or of several files; write it out in this file", name, line, n.tag(e.c.doc))
}

// replace notes an edit, unless the value is the wanted one already. Where a
// file is included several times, an edit that another of its occurrences
// needs stays.
func (e *Editor) replace(where span, ed edit, old string) {
	if old == ed.value {
		if e.edits[where].value != ed.value {
			delete(e.edits, where)
		}
		return
	}
	ed.old = []string{old, string(e.c.files[where.file].data[where.start:where.end])}
	e.edits[where] = ed
}

// SetVar gives a variable a value, in every directive that sets it. It fails
// with ErrNotSet when there is none, and when something else than a plain set
// gives the value: a command, a STUN server or the environment.
func (e *Editor) SetVar(name, value string) error {
	if err := e.setVar(name, value); err != nil {
		return e.fail(fmt.Errorf("set the variable %s: %w", name, err))
	}
	e.vars[name] = value
	return nil
}

func (e *Editor) setVar(name, value string) error {
	if err := checkVar(value); err != nil {
		return err
	}
	found := false
	for _, d := range e.c.directives {
		if lower(d.Name) != lower(name) {
			continue
		}
		found = true
		switch {
		case d.Cmd != "set":
			return fmt.Errorf("%s:%d: %s gives the value; make it cmd=\"set\" first", d.File, d.Line, d.Cmd)
		case d.editable:
			e.replace(d.value, edit{text: value, value: value}, d.Value)
		case d.Value != value:
			return fmt.Errorf("%s:%d: the value is made by a $${variable} or has no closing quote; write it out as data=\"%s=...\"", d.File, d.Line, name)
		}
	}
	if !found {
		return ErrNotSet
	}
	return nil
}

// fail keeps an error for Changes. Where nothing was found nothing was done,
// and the caller may try something else.
func (e *Editor) fail(err error) error {
	if e.err == nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNotSet) {
		e.err = err
	}
	return err
}

// checkValue refuses what would not be read back as it is written.
func checkValue(value string) error {
	for _, r := range value {
		if r < ' ' || r == 0x7f {
			return errors.New("the value holds a control character")
		}
	}
	if !utf8.ValidString(value) {
		return errors.New("the value is not valid UTF-8")
	}
	for _, mark := range []string{"$${", "x-pre-process", "<!--#", "<include>", "</include>", "<?"} {
		if strings.Contains(lower(value), mark) {
			return fmt.Errorf("the value holds %s, which FreeSWITCH's preprocessor would act on", mark)
		}
	}
	return nil
}

// checkVar is checkValue for variables, whose value is taken as it stands.
func checkVar(value string) error {
	if err := checkValue(value); err != nil {
		return err
	}
	for _, mark := range []string{`"`, "/>", "-->"} {
		if strings.Contains(value, mark) {
			return fmt.Errorf("the value holds %s, which would end it", mark)
		}
	}
	if strings.HasPrefix(value, " ") || strings.HasPrefix(value, "ARRAY::") || disarm(value) != value {
		return errors.New("the value begins with a blank or ARRAY::, or holds ${, and FreeSWITCH would change it")
	}
	return nil
}

// escape writes a value for an attribute in the given quotes.
func escape(value string, quote byte) string {
	pairs := []string{"&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;"}
	if quote == '\'' {
		pairs = append(pairs[:6], "'", "&#39;")
	}
	return strings.NewReplacer(pairs...).Replace(value)
}
