package inspect

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestParseRelease(t *testing.T) {
	of := func(major, minor, patch int) release { return release{number: [3]int{major, minor, patch}} }
	before := func(r release) release { r.before = true; return r }
	for version, want := range map[string]release{
		"1.10.12~release~10-a88d069d6f~bookworm-1":           of(1, 10, 12),
		"1.10.7~release~19~883d2cb662~bullseye-1~bullseye+1": of(1, 10, 7),
		"1.6.15~32~bec4538-1~jessie+1":                       of(1, 6, 15),
		"1.6.20-1~stretch+1":                                 of(1, 6, 20),
		"1.10.7+git~20211024T163933Z~883d2cb662~64bit":       of(1, 10, 7),
		"1.10.12-release":                                    of(1, 10, 12),
		"1:1.11.0-1+deb12u1":                                 of(1, 11, 0),
		"1.11.3":                                             of(1, 11, 3),
		"1.11-1":                                             of(1, 11, 0),
		"1.10.10.2-1":                                        of(1, 10, 10),
		"1.11.3-dev":                                         before(of(1, 11, 3)),
		"1.11.3~dev~77-cc93a683ca~bookworm-1":                before(of(1, 11, 3)),
		"1.11.3-dev+git~20260821T171014Z~cc93a683ca~64bit":   before(of(1, 11, 3)),
		"1.2.0~rc2-1":                                        before(of(1, 2, 0)),
		"1.2~alpha1-1":                                       before(of(1, 2, 0)),
		"1.10.11~beta2":                                      before(of(1, 10, 11)),
		"1.10.12~release~10-dead0beef0~bookworm-1~bookworm+developed": of(1, 10, 12),
	} {
		if got, ok := parseRelease(version); !ok || got != want {
			t.Errorf("%s: got %v, %t", version, got, ok)
		}
	}
	for _, version := range []string{
		"", "1", "1.", "-1", "freeswitch", "release-1.10.12", "v1.10.12", "1..2", ".1.2", "20.26.2-1", "0.9.1", "2:1", "1.10.x:1", "1.2.rc2",
		"1.99999999999999999999.1", "1.-2.3", "١.١٠.١٢",
	} {
		if got, ok := parseRelease(version); ok {
			t.Errorf("%q is read as %v", version, got)
		}
	}
}

// Whatever stands behind, releases are ordered as their numbers are, and one that
// was made on the way stands right before its own.
func TestReleasesAreOrderedByNumber(t *testing.T) {
	behind := []string{"", "-1", "-release", "~release~10-a88d069d6f~bookworm-1", "~release~9~883d2cb662~bullseye-1~bullseye+1", "+git~20211024T163933Z~883d2cb662~64bit", "-dev", "~rc1-1", "~beta"}
	early := behind[6:]
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var numbers [2][]int
		var versions [2]string
		var parsed [2]release
		for i := range 2 {
			end := behind[r.IntN(len(behind))]
			on := 1
			if slices.Contains(early, end) {
				on = 0
			}
			numbers[i] = []int{1, r.IntN(13), r.IntN(13), on}
			versions[i] = fmt.Sprintf("1.%d.%d%s", numbers[i][1], numbers[i][2], end)
			var ok bool
			if parsed[i], ok = parseRelease(versions[i]); !ok {
				t.Fatalf("%s is not read", versions[i])
			}
		}
		if got, want := cmp.Compare(parsed[0].compare(parsed[1]), 0), slices.Compare(numbers[0], numbers[1]); got != want {
			t.Fatalf("%s and %s: got %d, want %d", versions[0], versions[1], got, want)
		}
	}
}

// No version, however strange, is more than not understood.
func FuzzParseRelease(f *testing.F) {
	f.Add("1.10.12~release~10-a88d069d6f~bookworm-1")
	f.Add("9:1.2.rc2")
	f.Fuzz(func(t *testing.T, version string) {
		r, ok := parseRelease(version)
		if ok && (r.number[0] != 1 || r.number[1] < 0 || r.number[2] < 0 || r.compare(r) != 0) {
			t.Errorf("%q is read as %v", version, r)
		}
	})
}
