// Package secret makes and recognises the secrets of an instance.
package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
)

// alphabet is safe unquoted in XML, in an X-PRE-PROCESS value, in fs_cli.conf
// and in a SIP digest alike: none of them escapes the same characters.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// Length of a secret in characters: 28 of 62 are 166 bits.
const Length = 28

// Value is a secret. It prints as asterisks, so that no format verb, log line
// or JSON report gives it away; Reveal is the one way to its characters.
//
// The characters lie behind a pointer: fmt goes past String for verbs such as
// %d, and for a Value in an unexported field, and would print them.
type Value struct {
	_ [0]func() // two Values are never compared with ==
	s *string
}

// New draws a secret from the kernel's generator. It waits while the kernel's
// pool is not ready, and cannot fail otherwise (crypto/rand.Read).
func New() Value {
	out := make([]byte, 0, Length)
	buf := make([]byte, 2*Length)
	for len(out) < Length {
		_, _ = rand.Read(buf) // documented never to fail: it ends the program instead
		for _, b := range buf {
			// 248 is the largest multiple of 62 in a byte: above it, some
			// characters would come up more often than others.
			if b < 248 && len(out) < Length {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return Of(string(out))
}

// Of takes characters that are a secret already.
func Of(s string) Value { return Value{s: &s} }

// Reveal gives the characters.
func (v Value) Reveal() string {
	if v.s == nil {
		return ""
	}
	return *v.s
}

// Empty tells whether there is none.
func (v Value) Empty() bool { return v.Reveal() == "" }

func (Value) String() string { return "********" }

// GoString is String for %#v.
func (Value) GoString() string { return "********" }

// MarshalJSON refuses: a secret goes to disk only where state says so, in full
// view of the reader.
func (Value) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a secret is never encoded by accident")
}

var _ json.Marshaler = Value{}

// Pair is the two secrets of an instance.
type Pair struct {
	SIP Value // default_password of the demo users and whoever refers to it
	ESL Value // the event socket's password
}

// NewPair draws both.
func NewPair() Pair { return Pair{SIP: New(), ESL: New()} }

// Digest stands for a secret in a record: SHA-256 over 16 random bytes and the
// secret, with the bytes in front. At 166 bits there is nothing to guess.
type Digest string

const saltSize = 16

// NewDigest makes v's digest with a new salt.
func NewDigest(v Value) Digest {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // see New
	return digest(salt, v)
}

// Matches tells whether the digest is v's. An empty or broken digest matches nothing.
func (d Digest) Matches(v Value) bool {
	raw, err := base64.StdEncoding.DecodeString(string(d))
	if err != nil || len(raw) != saltSize+sha256.Size || v.Empty() {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(digest(raw[:saltSize], v)), []byte(d)) == 1
}

func digest(salt []byte, v Value) Digest {
	sum := sha256.Sum256(append(append([]byte{}, salt...), v.Reveal()...))
	return Digest(base64.StdEncoding.EncodeToString(append(append([]byte{}, salt...), sum[:]...)))
}
