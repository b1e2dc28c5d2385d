package harden

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// verifiedPath holds what the last verify saw. It lies in /run: it is true of
// this boot alone, no image can hold it, and the unit's sandbox can write there.
var verifiedPath = path.Join(path.Dir(state.BakingPath), "verified.json")

// Verified is what a verify saw.
type Verified struct {
	At      time.Time `json:"at"`
	Passed  int       `json:"passed"`
	LeftOut int       `json:"left_out"` // deferred or skipped
	// Failed are in the order of the steps.
	Failed []report.Check `json:"failed,omitempty"`
}

// keepVerified leaves it for status. Below --root and without root nothing is
// written: that is a look at somebody else's machine.
func (s *session) keepVerified() error {
	if !s.m.Live || os.Geteuid() != 0 {
		return nil
	}
	v := Verified{At: s.m.Started.UTC().Truncate(time.Second)}
	for _, st := range s.report.Steps {
		for _, c := range st.Checks {
			switch c.Status {
			case report.Pass:
				v.Passed++
			case report.Fail:
				v.Failed = append(v.Failed, c)
			default:
				v.LeftOut++
			}
		}
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if dir := path.Dir(verifiedPath); !s.Host.Exists(dir) {
		if err := s.Host.Put(dir, host.Node{Kind: host.Folder, Mode: 0o755}); err != nil {
			return err
		}
	}
	return s.Host.Put(verifiedPath, host.NewFile(append(b, '\n'), 0o600))
}

// readVerified gives the record of this boot, nil if there is none.
func readVerified(h *host.Host) (*Verified, error) {
	b, err := h.ReadFile(verifiedPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what verify saw: %w", err)
	}
	v := new(Verified)
	if err := json.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; run fs-harden verify", verifiedPath, err)
	}
	return v, nil
}
