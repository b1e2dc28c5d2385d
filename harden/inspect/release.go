package inspect

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// release is a version of FreeSWITCH, as its makers number it.
type release struct {
	number [3]int
	before bool // made on the way to it, as 1.11.3-dev: what it lacks nobody knows
}

// parseRelease reads a version of FreeSWITCH's own, as 1.10.12-release, or of a
// package, as 1.10.12~release~10-a88d069d6f~bookworm-1. What is not of FreeSWITCH
// 1 is another product's, and no release.
func parseRelease(version string) (release, bool) {
	if epoch, rest, ok := strings.Cut(version, ":"); ok && strings.Trim(epoch, "0123456789") == "" { // deb-version(7)
		version = rest
	}
	number, rest := version, ""
	if end := strings.IndexFunc(version, func(c rune) bool { return c != '.' && (c < '0' || c > '9') }); end >= 0 {
		number, rest = version[:end], version[end:]
	}
	parts := strings.Split(number, ".")
	if len(parts) < 2 {
		return release{}, false
	}
	var r release
	for i, part := range parts[:min(len(parts), len(r.number))] {
		n, err := strconv.Atoi(part)
		if err != nil {
			return release{}, false
		}
		r.number[i] = n
	}
	words := strings.FieldsFunc(rest, func(c rune) bool { return !unicode.IsLetter(c) })
	r.before = slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"alpha", "beta", "rc", "dev", "pre"}, strings.ToLower(w))
	})
	return r, r.number[0] == 1
}

// compare orders releases; what was made on the way to one is older than it.
func (r release) compare(o release) int {
	if order := slices.Compare(r.number[:], o.number[:]); order != 0 || r.before == o.before {
		return order
	}
	if r.before {
		return -1
	}
	return 1
}
