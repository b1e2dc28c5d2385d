package harden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// FirstBoot gives this instance its secrets. An instance that has them is only
// looked at, and nothing is written.
func (r *Runner) FirstBoot(ctx context.Context) (*report.Report, error) {
	p, err := r.plan()
	s := r.start(report.FirstBoot, p)
	if err != nil {
		return s.finish(err)
	}
	err = s.settled()
	var unsettled *unsettledError
	if errors.As(err, &unsettled) {
		err = s.locked(ctx, func() error {
			// A killed bake is put back by now, its plan too: there is nothing to give
			// secrets to then.
			if s.m.Plan, err = r.plan(); err != nil {
				return err
			}
			// Another run may have done it while this one waited for the lock.
			if err := s.settled(); !errors.As(err, &unsettled) {
				return err
			}
			if r.AtBoot {
				switch onBuilder, err := s.onBuilder(); {
				case err != nil:
					return err
				case onBuilder:
					return s.stayBuilder()
				}
			}
			return s.makeSecrets(ctx)
		})
	} else if err == nil {
		s.recordAnew(ctx)
	}
	return s.finish(err)
}

// makeSecrets is the sequence that survives a power cut anywhere: the secrets
// are written down first (Pending), then rendered and read back, then recorded
// as committed, then the note of them is dropped.
func (s *session) makeSecrets(ctx context.Context) error {
	if err := s.bind(); err != nil {
		return err
	}
	pair, err := state.Pending(s.Host, s.m.Instance)
	if err != nil {
		return err
	}
	s.m.Secrets = pair
	if err := s.run(ctx, s.Steps); err != nil {
		return err
	}
	s.keep()
	return state.DropPending(s.Host)
}

// Rotate makes new secrets on an instance that has some, and tells a running
// FreeSWITCH. What cannot be proven is put back, files and process alike.
func (r *Runner) Rotate(ctx context.Context) (*report.Report, error) {
	p, err := r.plan()
	s := r.start(report.Rotate, p)
	if err != nil {
		return s.finish(err)
	}
	return s.finish(s.locked(ctx, func() error {
		rec, err := state.ReadCommitted(s.Host)
		switch {
		case err != nil:
			return err
		case rec == nil:
			return errors.New("this instance has no secrets yet: run fs-harden firstboot")
		}
		s.decide(rec)
		s.m.Secrets = secret.NewPair()
		if err := s.run(ctx, s.Steps); err != nil {
			return err
		}
		s.keep()
		return nil
	}))
}

// plan is what the image was baked with.
func (r *Runner) plan() (*plan.Plan, error) {
	b, err := r.Host.ReadFile(state.PlanPath)
	if errors.Is(err, fs.ErrNotExist) {
		return plan.Default(), fmt.Errorf("%s is missing: this machine was not baked; run fs-harden apply first", state.PlanPath)
	}
	if err != nil {
		return plan.Default(), fmt.Errorf("reading the plan: %w", err)
	}
	p, err := plan.Parse(b)
	if err != nil {
		return plan.Default(), fmt.Errorf("%s: %w", state.PlanPath, err)
	}
	return p, nil
}

// unsettledError says why this instance needs secrets made.
type unsettledError struct{ why string }

func (e *unsettledError) Error() string { return e.why }

// settled tells whether this instance has its secrets in place: nil if so, an
// unsettledError if they are to be made, another error if a person must look.
// It writes nothing.
func (s *session) settled() error {
	rec, err := state.ReadCommitted(s.Host)
	switch {
	case err != nil:
		return err
	case rec == nil:
		return &unsettledError{"this instance has no secrets of its own yet"}
	case s.Host.Exists(journal.Dir), s.Host.Exists(state.PendingPath):
		return &unsettledError{"a run was killed half way"}
	}
	if d := s.decide(rec); d.Verdict == identity.Another {
		return &unsettledError{"these secrets are another instance's: " + d.Why}
	}
	return s.inPlace(rec)
}

// inPlace proves that the configuration holds what was committed. A person may
// have chosen another password since: that is told, and kept.
func (s *session) inPlace(rec *state.Committed) error {
	dir, err := findConfDir(s.m)
	if err != nil {
		return err
	}
	s.m.ConfDir = dir
	c, err := s.m.Config()
	if err != nil {
		return fmt.Errorf("%w; mend it, or take the file from the backup in /root", err)
	}
	step := report.Step{Name: "commit", Status: report.Unchanged, Reason: "secrets made on " + rec.At.Format("2006-01-02 15:04:05 UTC")}
	for _, v := range []struct {
		what   string
		value  secret.Value
		digest secret.Digest
		unused bool
	}{
		{sipVariable, currentSIP(c), rec.Digests.SIP, !c.References(sipVariable)},
		{"the event socket's password", currentESL(c), rec.Digests.ESL, false},
	} {
		if v.unused || v.digest.Matches(v.value) {
			continue
		}
		if why := secret.Weakness(v.value); why != "" {
			return fmt.Errorf("%s in %s is not the one made for this instance: %s; run fs-harden rotate", v.what, dir, why)
		}
		s.m.Warn("%s is not the one made for this instance: somebody changed it; it is kept", v.what)
	}
	s.report.Steps = append(s.report.Steps, step)
	s.Out.End(step)
	return nil
}

// Gate answers systemd: may FreeSWITCH start? It writes nothing.
func (r *Runner) Gate(ctx context.Context) error {
	p, err := r.plan()
	if err != nil {
		return err
	}
	err = r.start(report.Verify, p).settledBehindOthers(ctx)
	var unsettled *unsettledError
	if !errors.As(err, &unsettled) {
		return err
	}
	if r.Host.Exists(state.BakingPath) {
		return errors.New(heldBack)
	}
	return fmt.Errorf("%w: run systemctl restart %s and read journalctl -u %s", err, firstbootUnit, firstbootUnit)
}

func digestOf(v secret.Value) secret.Digest {
	if v.Empty() {
		return ""
	}
	return secret.NewDigest(v)
}
