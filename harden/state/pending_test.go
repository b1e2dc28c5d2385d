package state_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// holds tells whether b gives s away: as it is, or in an encoding of it.
func holds(b []byte, s string) bool {
	for _, form := range []string{s, hex.EncodeToString([]byte(s)), base64.StdEncoding.EncodeToString([]byte(s))} {
		if bytes.Contains(bytes.ToLower(b), bytes.ToLower([]byte(strings.TrimRight(form, "=")))) {
			return true
		}
	}
	return false
}

func pending(t *testing.T, h *host.Host, id identity.Instance) (sip, esl string) {
	t.Helper()
	p, err := state.Pending(h, id)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.SIP.Reveal()) != secret.Length || len(p.ESL.Reveal()) != secret.Length || p.SIP.Reveal() == p.ESL.Reveal() {
		t.Fatalf("not two secrets: %q, %q", p.SIP.Reveal(), p.ESL.Reveal())
	}
	return p.SIP.Reveal(), p.ESL.Reveal()
}

// What a run chose, every rerun on the same instance ends with.
func TestPendingIsTakenUpAgain(t *testing.T) {
	for _, id := range []identity.Instance{ours, {}} {
		h, root := machine(t)
		sip, esl := pending(t, h, id)
		content, err := os.ReadFile(filepath.Join(root, state.PendingPath))
		if err != nil {
			t.Fatalf("the secrets were not on disk before they were given out: %v", err)
		}
		for range 3 {
			if s, e := pending(t, h, id); s != sip || e != esl {
				t.Errorf("%v: a rerun has other secrets", id)
			}
		}
		if now, err := os.ReadFile(filepath.Join(root, state.PendingPath)); err != nil || !bytes.Equal(now, content) {
			t.Errorf("%v: taking it up wrote it anew (%v)", id, err)
		}
	}
}

func TestPendingInOtherCaseIsTheSameInstance(t *testing.T) {
	h, _ := machine(t)
	id := identity.Instance{UUID: "4c4c4544-0042-4d10-8053-c3c04f4a4e32"}
	sip, _ := pending(t, h, id)
	for what, now := range map[string]identity.Instance{
		"a kernel that writes the uuid in capitals": {UUID: strings.ToUpper(id.UUID)},
		"cloud-init, which was silent":              {UUID: id.UUID, Cloud: identity.Cloud{ID: "i-1", Datasource: "Ec2"}},
		"silence":                                   {},
	} {
		if again, _ := pending(t, h, now); again != sip {
			t.Errorf("%s made another instance", what)
		}
	}
}

// A machine that lost power in its first boot, and was then copied.
func TestPendingOfAnotherInstanceIsReplaced(t *testing.T) {
	template := identity.Cloud{ID: "iid-local01", Datasource: "NoCloud"}
	const uuid, otherUUID = "4c4c4544-0042-4d10-8053-c3c04f4a4e32", "4c4c4544-0042-4d10-8053-c3c04f4a4e33"
	for _, pair := range []struct{ ours, other identity.Instance }{
		{ours, identity.Instance{AssetTag: "i-00000000"}},
		{identity.Instance{UUID: uuid}, identity.Instance{UUID: otherUUID}},
		{identity.Instance{Cloud: template, UUID: uuid}, identity.Instance{Cloud: template, UUID: otherUUID}},
		{identity.Instance{}, ours},
	} {
		ours, other := pair.ours, pair.other
		h, root := machine(t)
		sip, esl := pending(t, h, ours)
		newSIP, newESL := pending(t, h, other)
		if newSIP == sip || newESL == esl || newSIP == esl || newESL == sip {
			t.Errorf("%v was given secrets of %v", other, ours)
		}
		b, err := os.ReadFile(filepath.Join(root, state.PendingPath))
		if err != nil {
			t.Fatal(err)
		}
		if holds(b, sip) || holds(b, esl) {
			t.Error("the other instance's secrets are still on disk")
		}
		if again, _ := pending(t, h, other); again != newSIP {
			t.Errorf("%v's own are not taken up again", other)
		}
	}
}

func TestPendingThatIsNotWholeIsReplaced(t *testing.T) {
	const sip, esl = "SipSipSipSipSipSipSipSipSip1", "EslEslEslEslEslEslEslEslEsl2"
	record := func(version, sip, esl string) string {
		return `{"version":` + version + `,"instance":{"source":"ec2-asset-tag","value":"` + ours.AssetTag + `"},"sip":"` + sip + `","esl":"` + esl + `"}`
	}
	whole := record("1", sip, esl)
	h, root := machine(t)
	at := filepath.Join(root, state.PendingPath)
	write := func(content string) {
		if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(whole)
	if s, e := pending(t, h, ours); s != sip || e != esl {
		t.Fatalf("a whole record was not taken up: the test below would prove nothing")
	}
	broken := map[string]string{
		"zeros": strings.Repeat("\x00", len(whole)), "another version": record("2", sip, esl),
		"short sip": record("1", sip[1:], esl), "short esl": record("1", sip, "ClueCon"),
		"no sip": record("1", "", esl), "no esl": record("1", sip, ""), "long": record("1", sip+"0", esl),
		"trailing": whole + "}", "a list": "[]", "null": "null",
	}
	for n := range len(whole) {
		broken["cut after "+whole[:n]] = whole[:n]
	}
	for name, content := range broken {
		write(content)
		s, e := pending(t, h, ours)
		if s == sip || e == esl {
			t.Errorf("%s: it was taken up", name)
		}
		if again, _ := pending(t, h, ours); again != s {
			t.Errorf("%s: it was not replaced on disk", name)
		}
		if info, err := os.Stat(at); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: secrets in a file of mode %v (%v)", name, info.Mode(), err)
		}
	}
}

// No secret may be given out that a rerun could not find again.
func TestPendingThatCannotBeWrittenGivesNothing(t *testing.T) {
	h, root := machine(t)
	if err := os.RemoveAll(filepath.Join(root, state.Dir)); err != nil {
		t.Fatal(err)
	}
	p, err := state.Pending(h, ours)
	if err == nil || !strings.Contains(err.Error(), state.PendingPath) {
		t.Errorf("got %v, want an error that names %s", err, state.PendingPath)
	}
	if !p.SIP.Empty() || !p.ESL.Empty() {
		t.Error("secrets were given out that nothing remembers")
	}
}

func TestDropPending(t *testing.T) {
	h, root := machine(t)
	pending(t, h, ours)
	for range 2 { // the second finds none
		if err := state.DropPending(h); err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadDir(filepath.Join(root, state.Dir))
		if err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}
