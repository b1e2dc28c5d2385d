package fsxml

import (
	"bytes"
	"fmt"
	"strings"
)

// A textLine is one line on its way through the preprocessor.
type textLine struct {
	file int32
	off  int32 // where it begins in the file

	// text is the line with its variables expanded, and parts where each run
	// of text comes from (out counts from the beginning of the line). Without
	// parts the text is the line itself.
	text  []byte
	parts segments

	// mutated is what FreeSWITCH's own buffer holds once the variables are
	// expanded: expand_vars ends each name in place with a zero byte, so
	// whoever looks at the buffer later sees only what lies before the first
	// closing brace (switch_xml.c:1269).
	mutated []byte
}

// source returns the file offset of a byte of the text, and whether it was
// copied from there.
func (l *textLine) source(i int) (int32, bool) {
	if l.parts == nil {
		return l.off + int32(i), true
	}
	_, off, literal := l.parts.origin(i)
	return off, literal
}

// between returns the source of text[lo:hi], see segments.between.
func (l *textLine) between(lo, hi int) (span, bool) {
	if lo < 1 || hi >= len(l.text) {
		return span{}, false
	}
	if l.parts == nil {
		return span{l.file, l.off + int32(lo), l.off + int32(hi)}, true
	}
	return l.parts.between(lo, hi)
}

var reference = []byte("$${")

// expand replaces each $${name} of the line (switch_xml.c:1269 expand_vars).
//
// FreeSWITCH puts nothing for a name it does not know. Here such a reference
// stays as it is written: most are known to a running FreeSWITCH only
// (local_ip_v4, sounds_dir, what exec-set and stun-set find), and leaving a
// hole would read as an empty value. What is no plain name does vanish.
func (p *preprocessor) expand(l *textLine) {
	raw := l.text
	if !bytes.Contains(raw, reference) {
		return
	}
	p.scratch, p.parts = p.scratch[:0], p.parts[:0]
	literal := 0
	flush := func(to int) {
		if to > literal {
			p.parts = p.parts.add(segment{int32(len(p.scratch)), l.file, l.off + int32(literal), int32(to - literal), true})
			p.scratch = append(p.scratch, raw[literal:to]...)
		}
		literal = to
	}
	first := true
	for i := 0; i < len(raw); {
		if !bytes.HasPrefix(raw[i:], reference) {
			i++
			continue
		}
		end := closingBrace(raw[i+2:])
		if end < 0 {
			i++
			continue
		}
		end += i + 2
		if first {
			l.mutated, first = raw[:end], false
		}
		name := lower(string(raw[i+len(reference) : end]))
		p.refs[name] = true
		if val, known := p.vars[name]; (known || !plain(name)) && !p.alone {
			flush(i)
			p.parts = append(p.parts, segment{int32(len(p.scratch)), l.file, l.off + int32(i), int32(end + 1 - i), false})
			p.scratch = append(p.scratch, val...)
			literal = end + 1
		}
		i = end + 1
	}
	flush(len(raw))
	l.text, l.parts = p.scratch, p.parts
}

// plain tells whether a running FreeSWITCH may know a variable of that name.
func plain(name string) bool {
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.') {
			return false
		}
	}
	return name != ""
}

// closingBrace returns where the brace that s begins with is closed, or -1.
func closingBrace(s []byte) int {
	depth := 0
	for i, b := range s {
		switch b {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// set keeps a variable as switch_core_set_variable does (switch_core.c:441):
// the case of the name does not count, and the `$` of a run-time ${name}
// becomes a `%`. What makes a list of a variable leaves it unknown.
func (p *preprocessor) set(name, value string) {
	name = lower(name)
	if i := strings.IndexByte(name, '['); i >= 0 {
		delete(p.vars, name[:i])
		return
	}
	if strings.HasPrefix(value, "ARRAY::") {
		delete(p.vars, name)
		return
	}
	p.vars[name] = disarm(value)
}

// disarm does what switch_string_var_check does to a value
// (switch_utils.h:759), but leaves a $${name} that nobody could expand.
func disarm(value string) string {
	if !strings.Contains(value, "{") || !strings.Contains(value, "$") {
		return value
	}
	out := []byte(value)
	dollar := -1
	for i := 0; i < len(out); i++ {
		switch {
		case bytes.HasPrefix(out[i:], reference) && closingBrace(out[i+2:]) > 0:
			i += 2 + closingBrace(out[i+2:])
			dollar = -1
		case out[i] == '$':
			dollar = i
		case dollar < 0:
		case out[i] == '{':
			out[dollar] = '%'
			dollar = -1
		case out[i] != '\\':
			dollar = -1
		}
	}
	return string(out)
}

// lineBuffer is the size of the buffer switch_fp_read_dline keeps for a file
// (switch_utils.c:890): whole blocks, more than the longest line read so far
// and its end.
func lineBuffer(size, line int) int {
	const block = 1024
	return max(size, block*((line+1)/block+1))
}

// checkLength refuses lines that FreeSWITCH cuts: the ones longer than its
// largest buffer, and those that grow past twice the buffer by expansion, where
// expand_vars drops the rest or writes a byte too far.
func checkLength(l *textLine, raw, buffer int) error {
	const longest = 1 << 20
	if raw > longest-2 {
		return fmt.Errorf("the line is longer than the %d bytes FreeSWITCH reads; break it in two", longest-2)
	}
	if l.parts != nil && len(l.text) > 2*buffer-2 {
		return fmt.Errorf("the line grows to %d bytes once its variables are expanded, and FreeSWITCH cuts it at %d; break it in two", len(l.text), 2*buffer-2)
	}
	return nil
}

// lower folds the case of ASCII letters only, as the C locale does.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; 'A' <= c && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
