package harden

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
)

// Drifted is a file that is not as fs-harden wrote it last.
type Drifted struct {
	Path string `json:"path"`
	// What became of it, in words.
	What string `json:"what"`
	// At is its time of modification, zero where it is gone.
	At time.Time `json:"at,omitzero"`
}

// drift compares every file with its sum of when it was written. Owners and
// modes are the checks' business: FreeSWITCH's unit chowns its folders at every
// start.
func drift(h *host.Host) ([]Drifted, error) {
	originals, err := journal.Originals(h)
	if err != nil {
		return nil, err
	}
	nothing := journal.Sum(host.NewFile(nil, 0))
	var out []Drifted
	for _, en := range originals {
		// A folder or a link has no sum; an empty file was made for others to
		// write to: a log, a mark.
		if en.Sum == "" || en.Sum == nothing {
			continue
		}
		n, err := h.Lookup(en.Path)
		switch {
		case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
			return nil, err // status says who may look
		case err != nil:
			out = append(out, Drifted{Path: en.Path, What: "cannot be read: " + err.Error()})
		case n.Kind == host.Absent:
			if !mayGo(en.Path) {
				out = append(out, Drifted{Path: en.Path, What: "is gone"})
			}
		case n.Kind != host.File:
			out = append(out, Drifted{Path: en.Path, What: "is a " + string(n.Kind) + " now", At: n.ModTime.UTC().Truncate(time.Second)})
		case journal.Sum(n) != en.Sum:
			out = append(out, Drifted{Path: en.Path, What: "was changed", At: n.ModTime.UTC().Truncate(time.Second)})
		}
	}
	return out, nil
}

// mayGo tells of files that a person keeps elsewhere, as they should.
func mayGo(p string) bool {
	return p == credentialsPath || strings.HasSuffix(p, ".bak") || strings.HasPrefix(p, backupPrefix)
}
