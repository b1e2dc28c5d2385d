package fsxml

import (
	"bytes"
	"errors"
	"fmt"
)

// A preprocessor turns files into the one document that FreeSWITCH parses.
// Its methods follow preprocess() (switch_xml.c:1424) line for line.
type preprocessor struct {
	src    Source
	memory map[string][]byte // files that need not be read, by name
	files  []file
	byName map[string]int32
	opened int

	// alone reads one file as it stands: includes are not followed and no
	// variable is expanded.
	alone bool

	vars       map[string]string // by name in lower case
	refs       map[string]bool
	directives []Directive
	unread     []gap

	out  []byte
	segs segments

	scratch []byte   // the expanded line, used again for every line
	parts   segments // and where it comes from
}

// run reads one file. dir is the folder its includes are relative to.
func (p *preprocessor) run(f int32, dir string, depth int) error {
	if depth > maxDepth {
		return nil
	}
	if p.opened++; p.opened > maxIncludes {
		return fmt.Errorf("%s: more than %d includes; does a file include itself?", p.files[f].name, maxIncludes)
	}
	data := p.files[f].data
	comment := false // inside <!--# ... -->
	buffer := 0
	line := 1
	for at := 0; at < len(data); {
		end := at + lineEnd(data[at:])
		raw := data[at:end]
		buffer = lineBuffer(buffer, len(raw))
		l := textLine{file: f, off: int32(at), text: untilZero(raw)}
		l.mutated = l.text
		p.expand(&l)
		err := checkLength(&l, len(raw), buffer)
		if err == nil {
			comment, err = p.line(&l, line, comment, dir, depth)
		}
		if err == nil && len(p.out) > maxDocument {
			err = fmt.Errorf("the configuration grows past %d MiB; does a file include itself?", maxDocument>>20)
		}
		if err != nil {
			var placed *placedError
			if errors.As(err, &placed) {
				return err
			}
			return &placedError{p.files[f].name, line, err}
		}
		if raw[len(raw)-1] == '\n' {
			line++
		}
		at = end
	}
	return nil
}

// A gap is where the document lacks what a directive stands for.
type gap struct {
	directive int
	at        int // in the document
}

// line handles one expanded line, and tells whether the next one begins inside
// a <!--# comment.
func (p *preprocessor) line(l *textLine, number int, comment bool, dir string, depth int) (bool, error) {
	if dropped(l.mutated) {
		return comment, nil
	}
	from := 0
	if comment {
		end := bytes.Index(l.mutated, []byte("-->"))
		if end < 0 {
			return true, nil
		}
		// What follows is taken from the buffer that was not expanded.
		l.text, l.parts = l.mutated, nil
		from = end + len("-->")
	}
	if i := indexFold(l.text[from:], "X-PRE-PROCESS"); i >= 0 {
		i += from
		if i == 0 || l.text[i-1] != '<' {
			return false, nil
		}
		if d, ok := parseTag(l, i); ok {
			return false, p.execute(d, l, number, dir, depth)
		}
		return false, nil
	}
	i := bytes.Index(l.text[from:], []byte("<!--#"))
	if i < 0 {
		p.emit(l, from, len(l.text))
		return false, nil
	}
	i += from
	p.emit(l, from, i)
	end := bytes.Index(l.text[i:], []byte("-->"))
	open := end < 0
	if open {
		end = len(l.text)
	} else {
		end += i
		p.emit(l, end+len("-->"), len(l.text))
	}
	return open, p.execute(parseComment(l, i, end), l, number, dir, depth)
}

// emit copies a run of the line into the document.
func (p *preprocessor) emit(l *textLine, from, to int) {
	if from >= to {
		return
	}
	base := int32(len(p.out) - from)
	p.out = append(p.out, l.text[from:to]...)
	if l.parts == nil {
		p.segs = p.segs.add(segment{base + int32(from), l.file, l.off + int32(from), int32(to - from), true})
		return
	}
	for k, g := range l.parts {
		next := len(l.text)
		if k+1 < len(l.parts) {
			next = int(l.parts[k+1].out)
		}
		lo, hi := max(int(g.out), from), min(next, to)
		if lo > hi || (lo == hi && g.literal) {
			continue
		}
		if g.literal {
			g.src += int32(lo) - g.out
			g.n = int32(hi - lo)
		}
		g.out = base + int32(lo)
		p.segs = p.segs.add(g)
	}
}

// dropped tells whether the whole line is thrown away (switch_xml.c:1473).
func dropped(s []byte) bool {
	for {
		i := bytes.IndexByte(s, '<')
		if i < 0 {
			return false
		}
		s = s[i:]
		if bytes.HasPrefix(s, []byte("<?")) || bytes.HasPrefix(s, []byte("<include>")) || bytes.HasPrefix(s, []byte("</include>")) {
			return true
		}
		s = s[1:]
	}
}

// lineEnd returns the length of the first line of s, its end included. Either
// a carriage return or a newline ends a line (switch_utils.c:890).
func lineEnd(s []byte) int {
	n := len(s)
	if i := bytes.IndexByte(s, '\n'); i >= 0 {
		n = i + 1
	}
	if i := bytes.IndexByte(s[:n], '\r'); i >= 0 {
		return i + 1
	}
	return n
}

// untilZero cuts a line where C's strings end.
func untilZero(s []byte) []byte {
	if i := bytes.IndexByte(s, 0); i >= 0 {
		return s[:i]
	}
	return s
}

// indexFold is bytes.Index without regard to the case of ASCII letters. The
// pattern is in capitals and holds a dash or a letter.
func indexFold(s []byte, pattern string) int {
	for i := 0; i+len(pattern) <= len(s); i++ {
		if capital(s[i]) == pattern[0] && equalFold(s[i:i+len(pattern)], pattern) {
			return i
		}
	}
	return -1
}

func equalFold(s []byte, capitals string) bool {
	if len(s) != len(capitals) {
		return false
	}
	for i, b := range s {
		if capital(b) != capitals[i] {
			return false
		}
	}
	return true
}

func capital(b byte) byte {
	if 'a' <= b && b <= 'z' {
		return b - 'a' + 'A'
	}
	return b
}

// A placedError says at which file and line reading went wrong.
type placedError struct {
	file string
	line int
	err  error
}

func (e *placedError) Error() string { return fmt.Sprintf("%s:%d: %v", e.file, e.line, e.err) }
func (e *placedError) Unwrap() error { return e.err }
