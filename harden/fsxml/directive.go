package fsxml

import (
	"bytes"
	"strings"
)

// A Directive is one X-PRE-PROCESS tag or <!--#command --> that FreeSWITCH
// executes. Tags inside XML comments count: the preprocessor does not know
// comments.
type Directive struct {
	Cmd   string // in lower case: set, exec-set, stun-set, env-set, include, exec, comment, ...
	Name  string // of the variable, for the four that set one
	Value string // what it is set to, or for exec-set and the like the command, server or variable asked
	Arg   string // the whole data, as FreeSWITCH reads it: variables expanded, entities not
	File  string
	Line  int

	value    span // the source of Value
	editable bool // value can be replaced
	start    span // where the directive begins; empty
}

// A rawDirective is where the parts of a directive stand in its line.
type rawDirective struct {
	start      int
	cmd        string
	argLo      int
	argHi      int
	terminated bool // the byte at argHi closes the data
	tag        bool // X-PRE-PROCESS, which knows one command more
}

// parseTag reads an X-PRE-PROCESS tag whose name begins at text[at]
// (switch_xml.c:1487): cmd before data, both in double quotes, nothing decoded.
func parseTag(l *textLine, at int) (rawDirective, bool) {
	t := l.text
	if i := bytes.Index(t[at:], []byte("/>")); i >= 0 {
		t = t[:at+i+len("/>")]
	}
	lo, hi, _, ok := quoted(t, at, "CMD")
	if !ok || hi == len(t) {
		return rawDirective{}, false
	}
	d := rawDirective{start: at - 1, cmd: lower(string(t[lo:hi])), tag: true}
	d.argLo, d.argHi, d.terminated, ok = quoted(t, hi+1, "DATA")
	return d, ok
}

// quoted finds word, then the next `=`, then the next `"`, and returns what
// lies between that and the one after it.
func quoted(t []byte, from int, word string) (lo, hi int, terminated, ok bool) {
	i := indexFold(t[from:], word)
	if i < 0 {
		return 0, 0, false, false
	}
	for _, c := range []byte{'=', '"'} {
		from += i
		if i = bytes.IndexByte(t[from:], c); i < 0 {
			return 0, 0, false, false
		}
	}
	lo = from + i + 1
	if i = bytes.IndexByte(t[lo:], '"'); i < 0 {
		return lo, len(t), false, true
	}
	return lo, lo + i, true, true
}

// parseComment reads <!--#command argument--> from text[at:end]
// (switch_xml.c:1570). The argument may stand in double quotes.
func parseComment(l *textLine, at, end int) rawDirective {
	body := l.text[at:end]
	if i := bytes.IndexAny(body, "\r\n"); i >= 0 {
		body = body[:i]
	}
	i := bytes.IndexByte(body, ' ')
	if i < 0 {
		return rawDirective{start: at, cmd: lower(string(body[len("<!--#"):])), argLo: at + len(body), argHi: at + len(body)}
	}
	d := rawDirective{
		start: at,
		cmd:   lower(string(body[len("<!--#"):i])),
		argLo: at + i + 1,
		argHi: at + len(body),
	}
	d.terminated = d.argHi == end && end < len(l.text)
	if q := bytes.IndexByte(body[i+1:], '"'); q >= 0 {
		q += i + 2
		if qq := bytes.IndexByte(body[q:], '"'); qq >= 0 {
			d.argLo, d.argHi, d.terminated = at+q, at+q+qq, true
		}
	}
	return d
}

// execute does what a directive says, as far as that needs no running
// FreeSWITCH: commands, STUN servers and the environment are never asked.
func (p *preprocessor) execute(r rawDirective, l *textLine, line int, dir string, depth int) error {
	arg := string(l.text[r.argLo:r.argHi])
	at, _ := l.source(r.start)
	d := Directive{
		Cmd:   r.cmd,
		Arg:   arg,
		File:  p.files[l.file].name,
		Line:  line,
		start: span{l.file, at, at},
	}
	known := true
	switch r.cmd {
	case "set", "exec-set", "stun-set":
		d.Name, d.Value, known = assignment(arg)
	case "env-set":
		d.Name, d.Value, known = strings.Cut(arg, "=")
		known = known && r.tag && strings.HasPrefix(d.Value, "$")
	}
	if d.Name != "" && known && r.terminated {
		d.value, d.editable = l.between(r.argHi-len(d.Value), r.argHi)
	}
	p.directives = append(p.directives, d)
	if !known {
		return nil
	}
	switch r.cmd {
	case "set":
		p.set(d.Name, d.Value)
	case "exec-set", "stun-set", "env-set":
		delete(p.vars, lower(d.Name))
	case "include":
		return p.include(dir, arg, depth+1)
	case "exec":
		if arg == "" {
			break
		}
		p.unread = append(p.unread, gap{len(p.directives) - 1, len(p.out)})
	}
	return nil
}

// assignment splits name=value at the first `=`. Spaces around the `=` do not
// count, those at either end do.
func assignment(arg string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(arg, "=")
	return strings.TrimRight(name, " "), strings.TrimLeft(value, " "), ok
}
