package journal

import (
	"fmt"
	"path"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// KeptPrefix begins the name of the folder for what somebody wrote over a run's
// files before they were put back.
const KeptPrefix = "/root/fs-harden-recovered-"

// keepEdits keeps what stands at the paths of this run and is neither what the run
// wrote there nor what it had found: a person has mended something since. It
// gives the folder, empty where nothing had to be kept. What is in a user's home
// is not kept: root reads no more of it than needed.
func (j *Journal) keepEdits() (folder string, err error) {
	known := map[string]map[string]bool{}
	for _, en := range j.entries {
		if known[en.Path] == nil {
			known[en.Path] = map[string]bool{}
		}
		known[en.Path][Sum(en.Before)] = true
		known[en.Path][en.Sum] = true
	}
	for _, en := range j.entries {
		if en.Discard || en.As != nil || known[en.Path] == nil {
			continue
		}
		sums := known[en.Path]
		delete(known, en.Path) // looked at once
		now, err := j.host.Lookup(en.Path)
		if err != nil {
			continue // a FIFO, a giant, a link out of the folder: no edit of a person's
		}
		if now.Kind != host.File || sums[Sum(now)] {
			continue
		}
		if folder == "" {
			folder = KeptPrefix + time.Now().UTC().Format("20060102-150405")
		}
		if err := keep(j.host, path.Join(folder, en.Path), now); err != nil {
			return folder, fmt.Errorf("keeping what was changed in %s: %w", en.Path, err)
		}
	}
	return folder, nil
}

// keep writes a copy for root alone, and the folders above it.
func keep(h *host.Host, at string, n host.Node) error {
	parents, err := h.Parents(at)
	if err != nil {
		return err
	}
	for _, dir := range parents {
		if err := h.Put(dir, host.Node{Kind: host.Folder, Mode: 0o700}); err != nil {
			return err
		}
	}
	return h.Put(at, host.NewFile(n.Data, 0o600))
}

// lookup reads what stands at the entry's path, with the rights it is written with.
func (en Entry) lookup(h *host.Host) (host.Node, error) {
	if en.As != nil {
		h = h.As(*en.As)
	}
	return h.Lookup(en.Path)
}
