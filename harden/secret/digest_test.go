package secret_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

func TestDigestMatchesItsSecretAlone(t *testing.T) {
	v := secret.Of(hidden)
	d := secret.NewDigest(v)
	if !d.Matches(v) {
		t.Error("a digest does not match its own secret")
	}
	for _, other := range []string{"", hidden[1:], hidden + "0", strings.ToLower(hidden), "ClueCon"} {
		if d.Matches(secret.Of(other)) {
			t.Errorf("the digest matches %q too", other)
		}
	}
}

// The form is what records on machines hold: changing it makes every instance
// look as if a person had changed its passwords.
func TestDigestOnRecordStillMatches(t *testing.T) {
	// Made with sha256sum over the bytes 0 to 15 and the secret.
	const recorded = secret.Digest("AAECAwQFBgcICQoLDA0OD7YbeasXbp3Jvv6IsfNgkxPdhbe9aR7wwT8fB/D8sD3o")
	if !recorded.Matches(secret.Of(hidden)) {
		t.Error("the digest on record does not match")
	}
}

// Two machines with one secret, and one machine before and after, must not be
// told by comparing records.
func TestDigestIsSalted(t *testing.T) {
	v := secret.Of(hidden)
	a, b := secret.NewDigest(v), secret.NewDigest(v)
	if a == b {
		t.Error("the same digest twice: no salt")
	}
	bare := sha256.Sum256([]byte(hidden))
	raw, err := base64.StdEncoding.DecodeString(string(a))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), string(bare[:])) || strings.Contains(string(raw), hidden) {
		t.Error("the digest holds the secret, or its bare hash")
	}
}

func TestBrokenDigestsMatchNothing(t *testing.T) {
	v := secret.Of(hidden)
	good := string(secret.NewDigest(v))
	raw, err := base64.StdEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, raw...)
	flipped[len(flipped)-1] ^= 1
	salted := append([]byte{}, raw...)
	salted[0] ^= 1
	encode := base64.StdEncoding.EncodeToString
	for name, d := range map[string]string{
		"empty": "", "cut": good[:len(good)-4], "longer": good + "AAAA", "twice": good + good,
		"not base64": "!" + good[1:], "a newline in it": good[:8] + "\n" + good[8:],
		"hash flipped": encode(flipped), "salt flipped": encode(salted), "salt alone": encode(raw[:16]),
		"zeros": encode(make([]byte, 48)), "the secret itself": hidden,
	} {
		if secret.Digest(d).Matches(v) {
			t.Errorf("%s: %q matches", name, d)
		}
	}
	// Of nothing there is no digest: an unset password must never count as proven.
	for _, none := range []secret.Value{{}, secret.Of("")} {
		if secret.NewDigest(none).Matches(none) || secret.Digest("").Matches(none) {
			t.Error("an empty secret matches")
		}
	}
}
