package watch

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed scanners.txt
var shipped string

// Shipped is the text of the signatures that come with this program.
func Shipped() string { return shipped }

// Signatures are words by which tools for attacks give themselves away, in lower
// case.
type Signatures []string

// maxSignatures bounds a file that somebody has made too large by mistake.
const maxSignatures = 1000

// ParseSignatures reads one signature a line. Lines that begin with # and empty
// ones are skipped. A word too short would ban telephones: it is an error, which
// names the line.
func ParseSignatures(text string) (Signatures, error) {
	var out Signatures
	n := 0
	for line := range strings.Lines(text) {
		n++
		word := strings.ToLower(strings.TrimSpace(line))
		switch {
		case word == "" || word[0] == '#':
			continue
		case len(word) < 4:
			return nil, fmt.Errorf("line %d: %q is too short to tell a scanner from a telephone: use four characters or more", n, word)
		case !plain(word):
			return nil, fmt.Errorf("line %d: %q: a signature has up to 64 letters, digits and . _ -", n, word)
		case len(out) == maxSignatures:
			return nil, fmt.Errorf("line %d: more than %d signatures", n, maxSignatures)
		}
		out = append(out, word)
	}
	return out, nil
}

// Match is the first signature that stands in one of the texts as a word of its
// own, whatever its case, or "": "sipcli/v1.8" has one, "MySIPClient" has none.
func (s Signatures) Match(texts ...string) string {
	for _, text := range texts {
		text = strings.ToLower(text)
		for _, word := range s {
			for rest := text; ; {
				i := strings.Index(rest, word)
				if i < 0 {
					break
				}
				before, after := rest[:i], rest[i+len(word):]
				if (before == "" || !alphanumeric(before[len(before)-1])) && (after == "" || !alphanumeric(after[0])) {
					return word
				}
				rest = after
			}
		}
	}
	return ""
}

func alphanumeric(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }
