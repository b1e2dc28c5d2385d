package fsxml

import "fmt"

// A node is one element of the document; node 0 stands for the document
// itself. The fields are indices and offsets, so that a tree of a large
// configuration stays small.
type node struct {
	parent, first, next int32 // nodes; 0: there is none

	start int32 // the `<`
	name  int32 // length of the name after it
	open  int32 // just after the `>` of the opening tag
	close int32 // the `<` of the closing tag; open, when the element has none
	end   int32 // just after the element
}

// buildTree finds the elements of the document. A fragment may have any number
// of outermost elements, a document has one.
func buildTree(doc []byte, fragment bool) ([]node, error) {
	nodes := make([]node, 1, 1+len(doc)/64)
	last := []int32{0} // the last child so far of each open element
	cur := int32(0)
	s := scanner{doc: doc}
	if len(doc) > 0 && doc[0] >= 0xFE && !fragment {
		return nil, &scanError{pos: 0, msg: "the configuration begins like UTF-16; save the file as UTF-8"}
	}
	if k := len(doc) - 1; !fragment && k >= 0 && doc[k] != '>' {
		s.doc = doc[:k] // FreeSWITCH puts its zero byte there
	}
	for {
		t, err := s.next()
		if err != nil {
			return nil, err
		}
		switch t.kind {
		case noToken:
			if cur != 0 {
				n := nodes[cur]
				return nil, &scanError{pos: int(n.start), msg: fmt.Sprintf("the tag <%s> is never closed", n.tag(doc))}
			}
			if !fragment && nodes[0].first == 0 {
				return nil, &scanError{pos: 0, msg: "there is no element"}
			}
			nodes[0].end = int32(len(doc))
			return nodes, nil
		case openTag, emptyTag:
			if !fragment && cur == 0 && nodes[0].first != 0 {
				return nil, &scanError{pos: t.start, msg: fmt.Sprintf("the tag <%s> stands outside the outermost element", t.name)}
			}
			i := int32(len(nodes))
			nodes = append(nodes, node{
				parent: cur,
				start:  int32(t.start),
				name:   int32(len(t.name)),
				open:   int32(t.end),
				close:  int32(t.end),
				end:    int32(t.end),
			})
			if prev := last[len(last)-1]; prev == 0 {
				nodes[cur].first = i
			} else {
				nodes[prev].next = i
			}
			last[len(last)-1] = i
			if t.kind == openTag {
				cur = i
				last = append(last, 0)
			}
		case closeTag:
			if cur == 0 {
				return nil, &scanError{pos: t.start, msg: fmt.Sprintf("the tag </%s> closes nothing", t.name)}
			}
			n := &nodes[cur]
			if open := n.tag(doc); string(open) != string(t.name) {
				return nil, &scanError{pos: t.start, msg: fmt.Sprintf("the tag </%s> stands where </%s> is due", t.name, open), opened: int(n.start)}
			}
			n.close, n.end = int32(t.start), int32(t.end)
			cur = n.parent
			last = last[:len(last)-1]
		}
	}
}

// tag returns the name of the element.
func (n *node) tag(doc []byte) []byte { return doc[n.start+1 : n.start+1+n.name] }

// attrs goes through the attributes of the element.
func (n *node) attrs(doc []byte) attrScanner {
	return attrScanner{doc: doc[:n.open], pos: int(n.start + 1 + n.name)}
}

// attr returns the first attribute of that name, the one FreeSWITCH takes.
func (n *node) attr(doc []byte, name string) (attr, bool) {
	for s := n.attrs(doc); ; {
		a, ok, err := s.next()
		if !ok || err != nil {
			return attr{}, false
		}
		if string(a.name) == name {
			return a, true
		}
	}
}

// value returns the decoded attribute, empty where there is none.
func (n *node) value(doc []byte, name string) string {
	a, _ := n.attr(doc, name)
	return decodeValue(doc[a.lo:a.hi])
}
