package secret_test

import (
	"crypto/rand"
	"regexp"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

var form = regexp.MustCompile(`^[A-Za-z0-9]{28}$`)

func TestNewIsOfTheFormAndNeverTheSame(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		pair := secret.NewPair()
		for _, v := range []secret.Value{pair.SIP, pair.ESL} {
			s := v.Reveal()
			if !form.MatchString(s) || len(s) != secret.Length {
				t.Fatalf("%q is not 28 of [A-Za-z0-9]", s)
			}
			if seen[s] {
				t.Fatalf("%q was drawn twice", s)
			}
			seen[s] = true
		}
	}
}

// constant is a generator that gives one byte for its first reads and another
// after that.
type constant struct {
	bytes []byte // one a read, the last for ever
	reads int
}

func (c *constant) Read(p []byte) (int, error) {
	b := c.bytes[min(c.reads, len(c.bytes)-1)]
	c.reads++
	for i := range p {
		p[i] = b
	}
	return len(p), nil
}

func generator(t *testing.T, bytes ...byte) *constant {
	t.Helper()
	old, c := rand.Reader, &constant{bytes: bytes}
	rand.Reader = c
	t.Cleanup(func() { rand.Reader = old })
	return c
}

// Each of the 256 bytes is put in: the 62 characters must come out equally
// often, which is what "uniform" means, without a statistic that could flake.
func TestEveryCharacterIsEquallyLikely(t *testing.T) {
	count := map[rune]int{}
	for b := range 256 {
		gen := generator(t, byte(b), 0)
		s := secret.New().Reveal()
		if gen.reads > 1 { // refused: the draw went on to the next bytes
			if s != strings.Repeat("A", secret.Length) {
				t.Errorf("byte %d was refused, yet left a mark: %q", b, s)
			}
			continue
		}
		if s != strings.Repeat(s[:1], secret.Length) {
			t.Errorf("byte %d gave different characters: %q", b, s)
		}
		count[rune(s[0])]++
	}
	if len(count) != len(alphabet) {
		t.Errorf("%d characters come up, want %d", len(count), len(alphabet))
	}
	for _, c := range alphabet {
		if count[c] != 256/62 {
			t.Errorf("%q stands for %d bytes, want %d", c, count[c], 256/62)
		}
	}
}

func TestOfAndEmpty(t *testing.T) {
	var none secret.Value
	if !none.Empty() || none.Reveal() != "" || !secret.Of("").Empty() {
		t.Error("no characters must be an empty secret")
	}
	if v := secret.Of("a b"); v.Empty() || v.Reveal() != "a b" {
		t.Errorf("Of does not give back its characters: %q", v.Reveal())
	}
}
