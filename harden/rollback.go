package harden

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// Rollback puts back, byte for byte, every file that was ever changed here, and
// removes every one that was made. What a person has changed since is kept
// aside, below /root.
func (r *Runner) Rollback(ctx context.Context) (*report.Report, error) {
	s := r.start(report.Rollback, plan.Default())
	n, err := s.Host.Lookup(state.Dir)
	if err != nil {
		return s.finish(err)
	}
	if n.Kind == host.Absent {
		st := report.Step{Name: "rollback", Status: report.Unchanged, Reason: "nothing was ever changed here"}
		s.report.Steps = append(s.report.Steps, st)
		r.Out.End(st)
		return s.finish(nil)
	}
	return s.finish(s.locked(ctx, func() error {
		if err := s.run(ctx, []Step{{Name: "rollback", In: []report.Phase{report.Rollback}, Propose: putBack}}); err != nil {
			return err
		}
		return s.forget()
	}))
}

func putBack(_ context.Context, m *Machine) (Proposal, error) {
	originals, err := journal.Originals(m.Host)
	if err != nil {
		return Proposal{}, err
	}
	if len(originals) == 0 {
		return Proposal{Reason: "nothing was ever changed here"}, nil
	}
	aside := "/root/fs-harden-rollback-" + m.Started.UTC().Format("20060102-150405")
	var p Proposal
	for _, en := range slices.Backward(originals) {
		if state.Dir == en.Path || strings.HasPrefix(state.Dir, en.Path+"/") {
			continue // forget removes these, after the journal of this very run
		}
		if en.As != nil {
			p.Changes = append(p.Changes, Change{Path: en.Path, Node: en.Before, Summary: "as before fs-harden", As: en.As})
			continue
		}
		now, err := m.Lookup(en.Path)
		if err != nil {
			return Proposal{}, err
		}
		if now.Kind == host.File && journal.Sum(now) != en.Sum && journal.Sum(now) != journal.Sum(en.Before) {
			keep := now
			keep.Mode, keep.UID, keep.GID = 0o600, 0, 0
			p.Changes = append(p.Changes, Change{Path: path.Join(aside, en.Path), Node: keep, Summary: "changed since the last run; kept aside"})
		}
		p.Changes = append(p.Changes, Change{Path: en.Path, Node: en.Before, Summary: "as before fs-harden"})
	}
	if m.Live {
		p.Actions = standDown(m, originals)
		m.Warn("the files are as they were, FreeSWITCH's known passwords included: restart FreeSWITCH to make it read them, and do not leave it on a network like this")
	}
	return p, nil
}

// forget removes the records: this machine was never hardened.
func (s *session) forget() error {
	originals, err := journal.Originals(s.Host)
	if err != nil {
		return err
	}
	var folders []string
	for _, en := range originals {
		if strings.HasPrefix(state.Dir, en.Path+"/") {
			folders = append(folders, en.Path)
		}
	}
	for _, p := range []string{
		journal.OriginalsPath, state.PendingPath,
		reportPath(report.Bake), reportPath(report.FirstBoot), reportPath(report.Rotate),
		state.BakingPath, verifiedPath, state.Dir,
	} {
		if err := s.Host.Put(p, host.Node{Kind: host.Absent}); err != nil {
			return err
		}
	}
	return removeFolders(s.Host, folders)
}
