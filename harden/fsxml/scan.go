package fsxml

import (
	"bytes"
	"fmt"
)

// A tokenKind tells what a token is.
type tokenKind int

const (
	noToken  tokenKind = iota // the document ends
	openTag                   // <name ...>
	emptyTag                  // <name .../>
	closeTag                  // </name>
	textToken
	cdataToken
)

// A token is a piece of the document; start and end are its offsets in it. For
// text and CDATA they enclose the characters alone.
type token struct {
	kind       tokenKind
	start, end int
	name       []byte
}

// A scanner splits the document as switch_xml_parse_str does
// (switch_xml.c:1053), which is no XML parser: an attribute may hold `<`, come
// without a value or twice, a closing tag may carry words. What that function
// refuses is refused.
type scanner struct {
	doc []byte
	pos int
}

// A scanError is a place in the document that FreeSWITCH refuses.
type scanError struct {
	pos    int
	msg    string
	opened int // where the tag begins that should have been closed; 0: none
}

func (e *scanError) Error() string { return e.msg }

// next returns the next token. Comments, processing instructions and document
// types are passed over.
func (s *scanner) next() (token, error) {
	for {
		start := s.pos
		i := bytes.IndexByte(s.doc[start:], '<')
		switch {
		case i < 0:
			s.pos = len(s.doc)
			return token{}, nil
		case i > 0:
			s.pos += i
			return token{kind: textToken, start: start, end: s.pos}, nil
		}
		rest := s.doc[start:]
		var err error
		switch {
		case len(rest) > 1 && (isLetter(rest[1]) || rest[1] >= 0x80):
			return s.tag()
		case bytes.HasPrefix(rest, []byte("</")):
			return s.closing()
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			return s.cdata()
		case bytes.HasPrefix(rest, []byte("<!--")):
			err = s.comment()
		case bytes.HasPrefix(rest, []byte("<!DOCTYPE")):
			err = s.doctype()
		case bytes.HasPrefix(rest, []byte("<?")):
			err = s.instruction()
		default:
			err = &scanError{pos: start, msg: "a < that begins nothing; write &lt;"}
		}
		if err != nil {
			return token{}, err
		}
	}
}

func (s *scanner) tag() (token, error) {
	start := s.pos
	end := start + 1 + indexAny(s.doc[start+1:], isNameEnd)
	t := token{kind: openTag, start: start, name: s.doc[start+1 : end]}
	a := attrScanner{doc: s.doc, pos: end}
	for {
		_, ok, err := a.next()
		if err != nil {
			return token{}, err
		}
		if !ok {
			break
		}
	}
	i := a.pos
	if i < len(s.doc) && s.doc[i] == '/' {
		t.kind = emptyTag
		i++
	}
	if i >= len(s.doc) || s.doc[i] != '>' {
		return token{}, &scanError{pos: start, msg: fmt.Sprintf("the tag <%s> is not closed by >", t.name)}
	}
	s.pos = i + 1
	t.end = s.pos
	return t, nil
}

func (s *scanner) closing() (token, error) {
	start := s.pos
	i := start + 2
	end := i + indexAny(s.doc[i:], func(b byte) bool { return isXMLSpace(b) || b == '>' })
	t := token{kind: closeTag, start: start, name: s.doc[i:end]}
	if end == len(s.doc) {
		return token{}, &scanError{pos: start, msg: fmt.Sprintf("the tag </%s> is not closed by >", t.name)}
	}
	// Whatever stands after the name and its space is taken for the >.
	end += indexAny(s.doc[end:], func(b byte) bool { return !isXMLSpace(b) })
	s.pos = min(end+1, len(s.doc))
	t.end = s.pos
	return t, nil
}

func (s *scanner) cdata() (token, error) {
	lo := s.pos + len("<![CDATA[")
	i := bytes.Index(s.doc[lo:], []byte("]]>"))
	if i < 0 {
		return token{}, &scanError{pos: s.pos, msg: "<![CDATA[ is not closed by ]]>"}
	}
	s.pos = lo + i + len("]]>")
	return token{kind: cdataToken, start: lo, end: lo + i}, nil
}

func (s *scanner) comment() error {
	lo := s.pos + len("<!--")
	i := bytes.Index(s.doc[lo:], []byte("--"))
	if i < 0 {
		return &scanError{pos: s.pos, msg: "the comment is not closed by -->"}
	}
	if s.pos = lo + i + len("--"); s.pos == len(s.doc) || s.doc[s.pos] != '>' {
		return &scanError{pos: lo + i, msg: "a comment holds --, which FreeSWITCH's parser refuses"}
	}
	s.pos++
	return nil
}

// doctype passes over <!DOCTYPE ...>. Definitions inside it could change what
// every later value means, and no configuration has them.
func (s *scanner) doctype() error {
	i := bytes.IndexAny(s.doc[s.pos:], "[>")
	if i < 0 || s.doc[s.pos+i] == '[' {
		return &scanError{pos: s.pos, msg: "a DOCTYPE with definitions is not supported; remove it"}
	}
	s.pos += i + 1
	return nil
}

// instruction passes over <? ... ?>. They are rare: the preprocessor drops the
// lines that hold one. FreeSWITCH loses its way at <?>.
func (s *scanner) instruction() error {
	i := bytes.Index(s.doc[s.pos:], []byte("?>"))
	if i < len("<?") {
		return &scanError{pos: s.pos, msg: "<? is not closed by ?>"}
	}
	s.pos += i + len("?>")
	return nil
}

// An attr is one attribute of a tag.
type attr struct {
	name    []byte
	nameEnd int  // just after the name
	lo, hi  int  // the value as it is written, without its quotes
	quote   byte // 0: there is no value
}

// An attrScanner goes through the attributes of one tag
// (switch_xml.c:1088). It stops at the `/` or `>` that ends the tag.
type attrScanner struct {
	doc []byte
	pos int
}

func (a *attrScanner) next() (attr, bool, error) {
	doc := a.doc
	a.pos += indexAny(doc[a.pos:], func(b byte) bool { return !isCSpace(b) })
	if a.pos == len(doc) || doc[a.pos] == '/' || doc[a.pos] == '>' {
		return attr{}, false, nil
	}
	start := a.pos
	a.pos += indexAny(doc[a.pos:], func(b byte) bool { return isNameEnd(b) || b == '=' })
	t := attr{name: doc[start:a.pos], nameEnd: a.pos}
	if a.pos == len(doc) || (doc[a.pos] != '=' && !isCSpace(doc[a.pos])) {
		return t, true, nil
	}
	a.pos++
	a.pos += indexAny(doc[a.pos:], func(b byte) bool { return !isXMLSpace(b) && b != '=' })
	if a.pos == len(doc) || (doc[a.pos] != '"' && doc[a.pos] != '\'') {
		return t, true, nil
	}
	t.quote = doc[a.pos]
	t.lo = a.pos + 1
	i := bytes.IndexByte(doc[t.lo:], t.quote)
	if i < 0 {
		return attr{}, false, &scanError{pos: start, msg: fmt.Sprintf("the value of %s is not closed by %c", t.name, t.quote)}
	}
	t.hi = t.lo + i
	a.pos = t.hi + 1
	return t, true, nil
}

// indexAny returns where the first byte that stop accepts stands, or len(s).
func indexAny(s []byte, stop func(byte) bool) int {
	for i, b := range s {
		if stop(b) {
			return i
		}
	}
	return len(s)
}

func isLetter(b byte) bool {
	return 'a' <= b|0x20 && b|0x20 <= 'z' || b == '_' || b == ':'
}

func isNameEnd(b byte) bool { return isXMLSpace(b) || b == '/' || b == '>' }

// isXMLSpace is SWITCH_XML_WS (switch_xml.c:103), isCSpace the C library's
// isspace.
func isXMLSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }
func isCSpace(b byte) bool   { return isXMLSpace(b) || b == '\v' || b == '\f' }
