package fsxml

import (
	"bytes"
	"math/bits"
	"strconv"
	"strings"
)

var entities = []struct{ name, char string }{
	{"lt;", "<"}, {"gt;", ">"}, {"quot;", `"`}, {"apos;", "'"}, {"amp;", "&"},
}

// decodeValue returns what FreeSWITCH makes of an attribute value: entities
// decoded, any white space written as such turned into a blank
// (switch_xml.c:601 switch_xml_decode). An entity it does not know stays.
func decodeValue(raw []byte) string {
	if bytes.IndexByte(raw, '&') < 0 && indexAny(raw, isCSpace) == len(raw) {
		return string(raw)
	}
	return decode(raw, true, true)
}

// decodeText is the same for the text of an element, whose white space stays,
// and decodeCData for a CDATA section, where only line ends change.
func decodeText(raw []byte) string  { return decode(raw, true, false) }
func decodeCData(raw []byte) string { return decode(raw, false, false) }

func decode(raw []byte, references, blanks bool) string {
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c == '&' && references:
			if s, n := entity(raw[i:]); n > 0 {
				b.WriteString(s)
				i += n
				continue
			}
		case c == '\r':
			if i+1 < len(raw) && raw[i+1] == '\n' {
				i++
			}
			c = '\n'
		}
		if blanks && isCSpace(c) {
			c = ' '
		}
		b.WriteByte(c)
		i++
	}
	return b.String()
}

// entity decodes the reference that s begins with, and returns its length; 0
// when it is none.
func entity(s []byte) (string, int) {
	if !bytes.HasPrefix(s, []byte("&#")) {
		for _, e := range entities {
			if bytes.HasPrefix(s[1:], []byte(e.name)) {
				return e.char, 1 + len(e.name)
			}
		}
		return "", 0
	}
	end := bytes.IndexByte(s, ';')
	if end < 0 {
		return "", 0
	}
	digits, base := string(s[2:end]), 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	if digits == "" || digits[0] == '+' || digits[0] == '-' {
		return "", 0
	}
	n, err := strconv.ParseUint(digits, base, 31)
	if err != nil || n == 0 {
		return "", 0
	}
	return string(appendRune(nil, uint32(n))), end + 1
}

// appendRune writes a character as UTF-8. FreeSWITCH writes any number so,
// also those that are no character.
func appendRune(b []byte, c uint32) []byte {
	if c < 0x80 {
		return append(b, byte(c))
	}
	n := (bits.Len32(c) - 2) / 5 // bytes after the first
	b = append(b, byte(0xFF<<(7-n))|byte(c>>(6*n)))
	for n--; n >= 0; n-- {
		b = append(b, 0x80|byte(c>>(6*n))&0x3F)
	}
	return b
}
