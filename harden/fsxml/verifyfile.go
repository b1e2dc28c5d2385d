package fsxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
)

// verifyFile reads one file before and after its patches, and proves that they
// differ in nothing else. It takes a second opinion: the edit was made with
// this package's own parser, the proof is led with encoding/xml.
func verifyFile(ch Change, patches []patch) error {
	before, after, err := readBoth(ch)
	if err != nil {
		return err
	}
	if err := verifyDirectives(before.directives, after.directives, patches); err != nil {
		return err
	}
	return verifyTokens(before, after, patches)
}

// readBoth reads a file alone, as it was and as it will be.
func readBoth(ch Change) (before, after *preprocessor, err error) {
	if before, err = readAlone(ch.Path, ch.Before); err != nil {
		return nil, nil, err
	}
	after, err = readAlone(ch.Path, ch.After)
	return before, after, err
}

// readAlone preprocesses one file without includes and variables: what comes
// out is the text of the file that FreeSWITCH's XML parser may see.
func readAlone(name string, data []byte) (*preprocessor, error) {
	p := &preprocessor{src: nowhere{}, alone: true, byName: map[string]int32{}, vars: map[string]string{}, refs: map[string]bool{}}
	return p, p.run(p.add(name, data), "", 0)
}

// verifyDirectives compares the directives of a file.
func verifyDirectives(before, after []Directive, patches []patch) error {
	due := 0
	for _, p := range patches {
		if p.insertion != nil {
			for _, it := range p.insertion.items {
				if it.directive() {
					due++
				}
			}
		}
	}
	for _, now := range after {
		if inserted(patches, now.start.start) {
			due--
			continue
		}
		if len(before) == 0 {
			return fmt.Errorf("line %d: a directive would appear", now.Line)
		}
		old := before[0]
		before = before[1:]
		want := old.Value
		if p := patchAt(patches, old.value); p != nil && old.editable {
			want = p.edit.value
		}
		if now.Cmd != old.Cmd || now.Name != old.Name || now.Value != want || (now.Name == "" && now.Arg != old.Arg) {
			return fmt.Errorf("line %d: the directive would read otherwise than asked", now.Line)
		}
	}
	if len(before) != 0 || due != 0 {
		return errors.New("a directive would be lost")
	}
	return nil
}

// patchAt returns the edit of exactly that value.
func patchAt(patches []patch, value span) *patch {
	for k := range patches {
		if p := &patches[k]; p.edit != nil && p.start == value.start && p.end == value.end {
			return p
		}
	}
	return nil
}

// verifyTokens compares the XML of a file, token by token. Where encoding/xml
// cannot read the file as it was, it has no opinion from there on: FreeSWITCH
// reads much that is no XML.
func verifyTokens(before, after *preprocessor, patches []patch) error {
	old, now := newTokens(before), newTokens(after)
	for {
		o := old.next()
		var wanted []xml.Token
		if o.err == nil || errors.Is(o.err, io.EOF) {
			wanted, patches = take(patches, o)
		}
		if o.err != nil && !errors.Is(o.err, io.EOF) {
			return nil
		}
		if o.err == nil {
			wanted = append(wanted, o.token)
		}
		for _, w := range wanted {
			n := now.next()
			if n.err != nil || !sameToken(w, n.token) {
				return fmt.Errorf("line %d: the XML would read otherwise than asked", after.files[0].line(n.start))
			}
		}
		if errors.Is(o.err, io.EOF) {
			if n := now.next(); !errors.Is(n.err, io.EOF) {
				return fmt.Errorf("line %d: the XML would go on otherwise than asked", after.files[0].line(n.start))
			}
			return nil
		}
	}
}

// take applies the patches that belong before or into an old token: it returns
// the tokens that are to stand before it, and changes the token itself.
func take(patches []patch, o *fileToken) ([]xml.Token, []patch) {
	var wanted []xml.Token
	for len(patches) > 0 {
		p := patches[0]
		switch {
		case p.insertion != nil && (errors.Is(o.err, io.EOF) || p.start <= o.start):
			for _, it := range p.insertion.items {
				switch {
				case it.whole != nil:
					wanted = append(wanted, tokensOf(it.whole)...)
				case !it.directive():
					start := xml.StartElement{Name: xml.Name{Local: "param"}, Attr: []xml.Attr{
						{Name: xml.Name{Local: "name"}, Value: it.name},
						{Name: xml.Name{Local: "value"}, Value: it.value},
					}}
					wanted = append(wanted, start, start.End())
				}
			}
		case p.edit != nil && p.start < o.start:
			// In a line that the XML parser never sees.
		case p.edit != nil && p.start < o.end:
			if start, ok := o.token.(xml.StartElement); ok {
				o.token = withValue(start, p.edit)
			}
		default:
			return wanted, patches
		}
		patches = patches[1:]
	}
	return wanted, patches
}

func withValue(t xml.StartElement, ed *edit) xml.StartElement {
	value := xml.Attr{Name: xml.Name{Local: "value"}, Value: ed.value}
	find := "value"
	if ed.attr {
		find = "name"
	}
	k := slices.IndexFunc(t.Attr, func(a xml.Attr) bool { return a.Name.Local == find && a.Name.Space == "" })
	switch {
	case k < 0:
	case ed.attr:
		t.Attr = slices.Insert(t.Attr, k+1, value)
	default:
		t.Attr[k] = value
	}
	return t
}

func sameToken(a, b xml.Token) bool {
	switch a := a.(type) {
	case xml.StartElement:
		b, ok := b.(xml.StartElement)
		return ok && a.Name == b.Name && slices.Equal(a.Attr, b.Attr)
	case xml.EndElement:
		return a == b
	case xml.CharData:
		b, ok := b.(xml.CharData)
		return ok && bytes.Equal(bytes.TrimSpace(a), bytes.TrimSpace(b))
	case xml.Comment:
		b, ok := b.(xml.Comment)
		return ok && bytes.Equal(a, b)
	}
	return true
}

// A fileToken is a token and where it stands in the file.
type fileToken struct {
	token      xml.Token
	start, end int32
	err        error
}

// tokens reads the text of one file, white space between tags left out.
type tokens struct {
	p *preprocessor
	d *xml.Decoder
}

func newTokens(p *preprocessor) *tokens {
	d := xml.NewDecoder(bytes.NewReader(p.out))
	d.Strict = false
	return &tokens{p, d}
}

func (t *tokens) next() *fileToken {
	for {
		lo := int(t.d.InputOffset())
		token, err := t.d.RawToken()
		hi := int(t.d.InputOffset())
		if text, ok := token.(xml.CharData); ok {
			if len(bytes.TrimSpace(text)) == 0 {
				continue
			}
			raw := t.p.out[lo:hi]
			lo += len(raw) - len(bytes.TrimLeft(raw, " \t\r\n"))
		}
		if _, ok := token.(xml.EndElement); ok && lo == hi {
			lo-- // made up for <name/>; it ends where that does
		}
		f := &fileToken{token: xml.CopyToken(token), err: err}
		_, f.start, _ = t.p.segs.origin(lo)
		_, f.end, _ = t.p.segs.origin(max(lo, hi-1))
		f.end++
		return f
	}
}

// tokensOf reads an element that was put in whole.
func tokensOf(whole *Config) []xml.Token {
	var all []xml.Token
	p := &preprocessor{out: whole.doc, segs: whole.segs}
	for t := newTokens(p); ; {
		f := t.next()
		if f.err != nil {
			return all // at its end: it was read once without an error
		}
		all = append(all, f.token)
	}
}
