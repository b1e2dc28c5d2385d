package fsxml

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// verify reads the whole configuration with the changes laid over it, and
// proves that it differs from the old one in what was asked only.
func (e *Editor) verify(changes []Change, patches map[int32][]patch) error {
	after := e.c
	if len(changes) > 0 {
		var err error
		if after, err = e.c.with(changes); err != nil {
			return fmt.Errorf("FreeSWITCH would no longer read it: %w", err)
		}
	}
	if !slices.Equal(e.c.Files(), after.Files()) {
		return errors.New("FreeSWITCH would read other files than before, as a changed variable stands in the path of an include")
	}
	if err := e.verifyNodes(after, patches); err != nil {
		return err
	}
	e.after = after
	return e.verifyAsked(after)
}

// After returns the configuration as the changes leave it, which is what Load
// would give once they are written. It is nil before Changes has succeeded.
func (e *Editor) After() *Config { return e.after }

// with reads the configuration again, the changes laid over it.
func (c *Config) with(changes []Change) (*Config, error) {
	memory := make(map[string][]byte, len(c.files))
	for i := range c.files {
		memory[c.files[i].name] = c.files[i].data
	}
	for _, ch := range changes {
		memory[ch.Path] = ch.After
	}
	after := &Config{src: c.src, confDir: c.confDir, alone: c.alone}
	return after, after.read(memory)
}

// verifyAsked proves that a configuration has the values that were asked.
func (e *Editor) verifyAsked(after *Config) error {
	for name, value := range e.vars {
		if got, ok := after.Var(name); !ok || got != value {
			return fmt.Errorf("the variable %s would not have the new value, as something else sets it later", name)
		}
	}
	for key, value := range e.params {
		if after.first(key.place) == 0 {
			continue // FreeSWITCH reads none of the places that were set
		}
		if got, ok := after.Value(key.place, key.name); !ok || got != value {
			return fmt.Errorf("the parameter %s at %s would not have the new value", key.name, key.place)
		}
	}
	return nil
}

// verifyNodes goes through the elements of both configurations side by side.
func (e *Editor) verifyNodes(after *Config, patches map[int32][]patch) error {
	c := e.c
	old := make([]int32, len(after.nodes)) // of a new node the old one
	due := 0
	for _, values := range e.added {
		due += len(values)
	}
	for _, wholes := range e.wholes {
		due += len(wholes)
	}
	i := int32(1)
	for j := int32(1); j < int32(len(after.nodes)); j++ {
		m := &after.nodes[j]
		if f, off, literal := after.segs.origin(int(m.start)); literal && inserted(patches[f], off) {
			if n := e.insertedElement(after, j, old[m.parent]); n > 0 {
				j += n - 1
				due--
				continue
			}
			value, asked := e.added[old[m.parent]][m.value(after.doc, "name")]
			if !asked || m.value(after.doc, "value") != value {
				return e.unasked(after, j, "would appear here too, as the same file is included twice")
			}
			due--
			continue
		}
		if i == int32(len(c.nodes)) {
			return e.unasked(after, j, "would appear")
		}
		n := &c.nodes[i]
		if old[m.parent] != n.parent || !bytes.Equal(n.tag(c.doc), m.tag(after.doc)) {
			return e.unasked(after, j, "would stand elsewhere")
		}
		if err := e.verifyAttrs(i, after, j); err != nil {
			return err
		}
		old[j] = i
		i++
	}
	if i != int32(len(c.nodes)) || due != 0 {
		return errors.New("an element would be lost")
	}
	return nil
}

// verifyAttrs compares the attributes of one element before and after.
func (e *Editor) verifyAttrs(i int32, after *Config, j int32) error {
	c := e.c
	n, m := &c.nodes[i], &after.nodes[j]
	want, edited := e.values[i]
	if edited && m.value(after.doc, "value") != want {
		return e.unasked(after, j, "would have another value than asked, as the same file is included twice")
	}
	if bytes.Equal(c.doc[n.start:n.open], after.doc[m.start:m.open]) {
		return nil
	}
	old, now := c.attributes(i), after.attributes(j)
	if edited {
		delete(old, "value")
		delete(now, "value")
	}
	for name, a := range old {
		b, ok := now[name]
		if !ok {
			return e.unasked(after, j, "would lose an attribute")
		}
		raw := c.doc[a.lo:a.hi]
		fixed := len(e.vars) == 0 || (c.segs.literal(a.lo, a.hi) && !bytes.Contains(raw, reference))
		if fixed && !bytes.Equal(raw, after.doc[b.lo:b.hi]) {
			return e.unasked(after, j, "would change too, as the same file is included twice")
		}
	}
	if len(now) != len(old) {
		return e.unasked(after, j, "would gain an attribute")
	}
	return nil
}

// attributes returns the attributes that count, by name.
func (c *Config) attributes(i int32) map[string]attr {
	all := map[string]attr{}
	for s := c.nodes[i].attrs(c.doc); ; {
		a, ok, err := s.next()
		if !ok || err != nil {
			return all
		}
		if _, twice := all[string(a.name)]; !twice {
			all[string(a.name)] = a
		}
	}
}

func (e *Editor) unasked(after *Config, j int32, what string) error {
	n := &after.nodes[j]
	name, line := after.position(int(n.start))
	return fmt.Errorf("%s:%d: <%s name=%q> %s", name, line, n.tag(after.doc), n.value(after.doc, "name"), what)
}
