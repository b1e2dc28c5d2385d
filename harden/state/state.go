// Package state is what fs-harden remembers of a machine between runs, below
// /var/lib/fs-harden (0700). Records hold digests; the one file with secrets in
// clear is the pending record, which lives only until its secrets are committed.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

// Where things are on every machine.
const (
	Dir           = "/var/lib/fs-harden"
	BakedPath     = Dir + "/baked.json"
	PendingPath   = Dir + "/pending.json"
	CommittedPath = Dir + "/committed.json"
	PlanPath      = "/etc/fs-harden/plan.json"
	HelperPath    = "/usr/local/sbin/fs-harden"
	// BakingPath marks a machine whose image is being made. It lies in /run, so
	// that no image can hold it.
	BakingPath = "/run/fs-harden/baking"
)

// recordVersion rises when a record changes its meaning: one that an earlier
// fs-harden would misread. What is only added to it, it passes over.
const recordVersion = 1

// Digests stand for the secrets in force.
type Digests struct {
	SIP secret.Digest `json:"sip"`
	ESL secret.Digest `json:"esl"`
}

// NewDigests makes the digests of both secrets.
func NewDigests(p secret.Pair) Digests {
	return Digests{SIP: secret.NewDigest(p.SIP), ESL: secret.NewDigest(p.ESL)}
}

// Baked says that apply ran here.
type Baked struct {
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	ConfDir string    `json:"conf_dir"`
	Backup  string    `json:"backup"`
	// Digests are of the image's random values, which nobody keeps: they only
	// tell a second apply that the values in place are its own.
	Digests Digests `json:"digests"`
	// Builder is the machine that the image was made on, zero where it was made of a
	// tree, and where the machine stays in service.
	Builder identity.Instance `json:"builder,omitzero"`
}

// Committed says that this instance has its secrets.
type Committed struct {
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	// First is when the instance got its first secrets: those of At are a
	// rotation's where it is earlier.
	First    time.Time         `json:"first,omitzero"`
	Instance identity.Instance `json:"instance"`
	Digests  Digests           `json:"digests"`
	// Warning is what a person should know of these secrets' instance.
	Warning string `json:"warning,omitempty"`
}

// pendingRecord is the only form in which secrets are encoded.
type pendingRecord struct {
	Version  int               `json:"version"`
	Instance identity.Instance `json:"instance"`
	SIP      string            `json:"sip"`
	ESL      string            `json:"esl"`
}

// Reader is what records are read through.
type Reader interface {
	ReadFile(path string) ([]byte, error)
}

// ReadBaked gives the record of apply, nil if there is none.
func ReadBaked(r Reader) (*Baked, error) { return read[Baked](r, BakedPath) }

// ReadCommitted gives the record of the instance, nil if there is none.
func ReadCommitted(r Reader) (*Committed, error) {
	rec, err := read[Committed](r, CommittedPath)
	if err == nil && rec != nil && (rec.Digests.SIP == "" || rec.Digests.ESL == "") {
		return nil, fmt.Errorf("the record %s is damaged: it names no secrets; restore it from a backup, or remove it to have new ones made", CommittedPath)
	}
	return rec, err
}

// Node is the record as a file: owned by root, 0600.
func (b Baked) Node() host.Node { b.Version = recordVersion; return node(b) }

// Node is the record as a file: owned by root, 0600.
func (c Committed) Node() host.Node { c.Version = recordVersion; return node(c) }

// Pending gives the secrets that a broken-off run had chosen for this instance. With
// none there, or another instance's (a clone of a machine that lost power in its
// first boot), it draws new ones and writes them down before it returns: from
// here on every rerun ends with the same secrets.
func Pending(h *host.Host, now identity.Instance) (secret.Pair, error) {
	rec, err := read[pendingRecord](h, PendingPath)
	if err == nil && rec != nil && len(rec.SIP) == secret.Length && len(rec.ESL) == secret.Length &&
		identity.Decide(rec.Instance, now).Verdict != identity.Another {
		return secret.Pair{SIP: secret.Of(rec.SIP), ESL: secret.Of(rec.ESL)}, nil
	}
	// One that cannot be read was never acted upon: it is written whole or not at all.
	p := secret.NewPair()
	n := node(pendingRecord{recordVersion, now, p.SIP.Reveal(), p.ESL.Reveal()})
	if err := h.Put(PendingPath, n); err != nil {
		return secret.Pair{}, err
	}
	return p, nil
}

// DropPending removes the secrets in clear.
func DropPending(h *host.Host) error {
	return h.Put(PendingPath, host.Node{Kind: host.Absent})
}

func read[T any](r Reader, path string) (*T, error) {
	b, err := r.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the record %s: %w", path, err)
	}
	var rec struct {
		Version int `json:"version"`
	}
	out := new(T)
	err = json.Unmarshal(b, &rec)
	if err == nil && rec.Version != recordVersion {
		return nil, fmt.Errorf("the record %s has version %d and this fs-harden knows %d: use the fs-harden that wrote it", path, rec.Version, recordVersion)
	}
	if err == nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		remedy := "remove it to have new secrets made"
		if path == BakedPath {
			remedy = "remove it and run fs-harden apply"
		}
		return nil, fmt.Errorf("the record %s is damaged: %w; restore it from a backup, or %s", path, err, remedy)
	}
	return out, nil
}

func node(v any) host.Node {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // records hold strings, numbers and times
	}
	return host.NewFile(append(b, '\n'), 0o600)
}
