package fsxml

import "github.com/beevik/etree"

// Elements returns every element that matches a place, with all below it, in
// the order of the document. Other than Params it does not stop at the first
// match of a step: asked for users, it gives those of all groups and domains.
// The elements are copies; nothing done to them changes the configuration.
func (c *Config) Elements(place Place) []*etree.Element {
	var found []*etree.Element
	for _, i := range c.all(place.steps()) {
		found = append(found, c.element(i))
	}
	return found
}

// element builds one element from its own bytes.
func (c *Config) element(i int32) *etree.Element {
	n := &c.nodes[i]
	var cur *etree.Element
	s := scanner{doc: c.doc[:n.end], pos: int(n.start)}
	for {
		t, err := s.next()
		if err != nil || t.kind == noToken {
			return cur // the document was read once without an error
		}
		switch t.kind {
		case openTag, emptyTag:
			e := etree.NewElement(string(t.name))
			for a := (attrScanner{doc: c.doc[:t.end], pos: t.start + 1 + len(t.name)}); ; {
				at, ok, err := a.next()
				if !ok || err != nil {
					break
				}
				if name := string(at.name); e.SelectAttr(name) == nil {
					e.CreateAttr(name, decodeValue(c.doc[at.lo:at.hi]))
				}
			}
			if cur != nil {
				cur.AddChild(e)
			}
			if t.kind == openTag || cur == nil {
				cur = e
			}
		case closeTag:
			if cur.Parent() != nil {
				cur = cur.Parent()
			}
		case textToken:
			cur.CreateText(decodeText(c.doc[t.start:t.end]))
		case cdataToken:
			cur.CreateCData(decodeCData(c.doc[t.start:t.end]))
		}
	}
}
