package state_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// machine is an empty tree with a state folder.
func machine(t *testing.T) (h *host.Host, root string) {
	t.Helper()
	root = t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, state.Dir), 0o700); err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h, root
}

var (
	pair = secret.Pair{SIP: secret.Of("SipSipSipSipSipSipSipSipSip1"), ESL: secret.Of("EslEslEslEslEslEslEslEslEsl2")}
	ours = identity.Instance{AssetTag: "i-0123456789abcdef0"}
)

// times are what a clock may say: with a zone, with nanoseconds, long ago.
var times = []time.Time{
	time.Now(),
	time.Date(2026, 11, 22, 21, 56, 7, 211706001, time.FixedZone("", -5*3600)),
	time.Unix(0, 0),
}

func TestRecordsComeBack(t *testing.T) {
	h, _ := machine(t)
	for _, at := range times {
		committed := state.Committed{At: at, Instance: ours, Warning: "a copy", Digests: state.NewDigests(pair)}
		baked := state.Baked{At: at, ConfDir: "/etc/freeswitch", Backup: "/root/b.tgz", Digests: state.NewDigests(pair)}
		put(t, h, state.CommittedPath, committed.Node())
		put(t, h, state.BakedPath, baked.Node())

		c, err := state.ReadCommitted(h)
		if err != nil {
			t.Fatal(err)
		}
		if !c.At.Equal(at) || c.Instance != ours || c.Warning != "a copy" || c.Digests != committed.Digests || c.Version != 1 {
			t.Errorf("got %+v, want %+v", c, committed)
		}
		b, err := state.ReadBaked(h)
		if err != nil {
			t.Fatal(err)
		}
		if !b.At.Equal(at) || b.ConfDir != baked.ConfDir || b.Backup != baked.Backup || b.Digests != baked.Digests || b.Version != 1 {
			t.Errorf("got %+v, want %+v", b, baked)
		}
		if !c.Digests.SIP.Matches(pair.SIP) || !c.Digests.ESL.Matches(pair.ESL) || c.Digests.SIP.Matches(pair.ESL) {
			t.Error("the digests on record are not those of their secrets")
		}
	}
}

func put(t *testing.T, h *host.Host, path string, n host.Node) {
	t.Helper()
	if err := h.Put(path, n); err != nil {
		t.Fatal(err)
	}
}

func TestRecordsAreRootsAlone(t *testing.T) {
	for name, n := range map[string]host.Node{"committed": state.Committed{}.Node(), "baked": state.Baked{}.Node()} {
		if n.Kind != host.File || n.Mode != 0o600 || n.UID != 0 || n.GID != 0 {
			t.Errorf("%s is a %s, %v, of %d:%d", name, n.Kind, n.Mode, n.UID, n.GID)
		}
		if !strings.HasSuffix(string(n.Data), "}\n") || !json.Valid(n.Data) {
			t.Errorf("%s is not a line-ended JSON object: %q", name, n.Data)
		}
	}
}

func TestRecordsHoldNoSecret(t *testing.T) {
	d := state.NewDigests(pair)
	for name, n := range map[string]host.Node{
		"committed": state.Committed{Instance: ours, Digests: d}.Node(),
		"baked":     state.Baked{Digests: d}.Node(),
	} {
		for _, v := range []secret.Value{pair.SIP, pair.ESL} {
			if holds(n.Data, v.Reveal()) {
				t.Errorf("%s holds a secret:\n%s", name, n.Data)
			}
		}
	}
}

func TestNoRecordIsNoError(t *testing.T) {
	h, root := machine(t)
	for range 2 {
		c, err := state.ReadCommitted(h)
		b, errB := state.ReadBaked(h)
		if c != nil || b != nil || err != nil || errB != nil {
			t.Errorf("got %v, %v, %v, %v", c, b, err, errB)
		}
		if err := os.RemoveAll(filepath.Join(root, "var")); err != nil { // and without any folder
			t.Fatal(err)
		}
	}
}

// A record that cannot be understood must stop the run: "no record" would make
// new secrets on a working telephone system.
func TestDamagedRecordsAreErrors(t *testing.T) {
	whole := string(state.Committed{At: times[1], Instance: ours, Digests: state.NewDigests(pair)}.Node().Data)
	h, root := machine(t)
	for name, tt := range map[string]struct{ content, want string }{
		"empty":           {"", "is damaged"},
		"zeros":           {"\x00\x00\x00\x00", "is damaged"},
		"trailing":        {whole + "x", "is damaged"},
		"another's":       {`{"version":1,"instance":"i-1"}`, "is damaged"},
		"a list":          {`[]`, "is damaged"},
		"of the next":     {`{"version":2,"instance":{"source":"x"}}`, "version 2 and this fs-harden knows 1"},
		"of a new form":   {`{"version":3,"instance":["a"],"digests":7}`, "version 3"},
		"without version": {`{}`, "version 0"},
		"null":            {`null`, "version 0"},
	} {
		for _, p := range []string{state.CommittedPath, state.BakedPath} {
			if p == state.BakedPath && name == "another's" {
				continue // it has no instance
			}
			if err := os.WriteFile(filepath.Join(root, p), []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			err := errors.Join(second(state.ReadBaked(h)), second(state.ReadCommitted(h)))
			if err == nil || !strings.Contains(err.Error(), p) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s, %s: got %v, want %q", p, name, err, tt.want)
				continue
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, %s: told twice: %v", p, name, err)
			}
			if err := os.Remove(filepath.Join(root, p)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := range len(whole) - 1 { // without the newline it is whole
		if err := os.WriteFile(filepath.Join(root, state.CommittedPath), []byte(whole[:n]), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := state.ReadCommitted(h); err == nil {
			t.Fatalf("cut after %d bytes it is taken for %+v", n, c)
		}
	}
}

// Records that say one answer of the instance alone are still on machines.
func TestRecordOfBefore(t *testing.T) {
	h, root := machine(t)
	old := string(state.Committed{At: times[1], Instance: ours, Digests: state.NewDigests(pair)}.Node().Data)
	a := strings.Index(old, `"answers"`)
	b := strings.Index(old, `"digests"`)
	old = strings.TrimRight(old[:a], ", \n") + "\n  },\n  " + old[b:]
	if err := os.WriteFile(filepath.Join(root, state.CommittedPath), []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := state.ReadCommitted(h)
	if err != nil {
		t.Fatalf("%v\n%s", err, old)
	}
	if d := identity.Decide(c.Instance, ours); d.Verdict != identity.SameRecordAnew {
		t.Errorf("%s\nis %q: %s", old, d.Verdict, d.Why)
	}
	if again := string(c.Node().Data); again != old {
		t.Errorf("written again it is\n%s\nand was\n%s", again, old)
	}
}

func second[T any](_ *T, err error) error { return err }

// refusing fails in a way that is not "no such file".
type refusing struct{}

func (refusing) ReadFile(p string) ([]byte, error) {
	return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrPermission}
}

func TestAnUnreadableRecordIsAnError(t *testing.T) {
	for _, err := range []error{second(state.ReadCommitted(refusing{})), second(state.ReadBaked(refusing{}))} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("got %v", err)
		}
	}
}

// A record that names one secret of two names none: the gate would compare the
// other with nothing.
func TestARecordOfHalfTheSecrets(t *testing.T) {
	whole := state.NewDigests(pair)
	for name, d := range map[string]state.Digests{"no sip": {ESL: whole.ESL}, "no esl": {SIP: whole.SIP}, "neither": {}} {
		h, _ := machine(t)
		put(t, h, state.CommittedPath, state.Committed{Instance: ours, Digests: d}.Node())
		if rec, err := state.ReadCommitted(h); err == nil || rec != nil || !strings.Contains(err.Error(), "it names no secrets") {
			t.Errorf("%s: %+v, %v", name, rec, err)
		}
	}
}
