package harden

import (
	"context"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

const (
	nobodysDoubt = "nothing tells this instance from another (no cloud-init, no DMI, no machine-id of this boot): a copy of this disk would keep its secrets; run fs-harden rotate on a copy"
	unboundDoubt = "; whoever has a copy of its disk from then has the secrets of then, and so new ones were made: clients need the new passwords"
)

// thisInstance is what names this machine. What named the machine that its image was
// made on as well came with the image, and names every instance.
func thisInstance(h *host.Host) identity.Instance {
	now := identity.Read(h)
	if baked, err := state.ReadBaked(h); err == nil && baked != nil { // a damaged record keeps no telephone system down
		now = now.Without(baked.Builder)
	}
	return now
}

// decide finds out whether the record is of this machine, and takes what is known of
// it now for the machine's instance. What nothing names is warned of.
func (s *session) decide(rec *state.Committed) identity.Decision {
	d := identity.Decide(rec.Instance, thisInstance(s.Host))
	s.m.Instance, s.m.Doubt = d.Record, ""
	s.stale = d.Verdict == identity.SameRecordAnew
	switch {
	case !d.Record.Known():
		s.m.Doubt = nobodysDoubt
	case d.FromUnbound:
		s.m.Doubt = d.Why + unboundDoubt
	}
	if s.m.Doubt != "" {
		s.m.Warn("%s", s.m.Doubt)
	}
	return d
}

// bind finds out which instance the secrets are made for.
func (s *session) bind() error {
	rec, err := state.ReadCommitted(s.Host)
	if err != nil {
		return err
	}
	if rec == nil {
		rec = &state.Committed{Instance: thisInstance(s.Host)}
	}
	if d := s.decide(rec); d.Verdict != identity.Another && s.m.Doubt == "" {
		s.m.Doubt = rec.Warning // a run that was killed had made them
	}
	return nil
}

// recordAnew writes down what has changed of an instance that keeps its secrets. They
// are in force whatever becomes of it, and the next boot tries again.
func (s *session) recordAnew(ctx context.Context) {
	if !s.stale {
		return
	}
	seen := s.report.Steps
	err := s.locked(ctx, func() error {
		return s.run(ctx, []Step{{Name: "instance", In: []report.Phase{report.FirstBoot}, Propose: rebind}})
	})
	if err != nil {
		s.m.Warn("what has changed of this instance could not be recorded: %v", err)
	}
	s.report.Steps = append(seen, s.report.Steps...)
}

// rebind proposes the record with what is known of the instance now.
func rebind(_ context.Context, m *Machine) (Proposal, error) {
	rec, err := state.ReadCommitted(m.Host)
	if err != nil || rec == nil {
		return Proposal{}, err
	}
	d := identity.Decide(rec.Instance, thisInstance(m.Host))
	if d.Verdict != identity.SameRecordAnew {
		return Proposal{}, nil // another run has done it
	}
	rec.Instance = d.Record
	return Proposal{Changes: []Change{{
		Path: state.CommittedPath, Node: rec.Node(), Summary: "the same instance, recorded anew: " + d.Why,
	}}}, nil
}
