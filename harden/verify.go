package harden

import (
	"context"
	"fmt"
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// Verify runs every step's check on the machine as it is. It changes nothing
// but its own record in /run, see verified.
func (r *Runner) Verify(ctx context.Context) (*report.Report, error) {
	p, err := r.plan()
	s := r.start(report.Verify, p)
	if err != nil {
		return s.finish(err)
	}
	if err := s.look(); err != nil {
		return s.finish(err)
	}
	s.check(ctx)
	if err := s.keepVerified(); err != nil {
		s.m.Warn("what was seen could not be kept for fs-harden status: %v", err)
	}
	if n := s.report.FailedChecks(); n > 0 {
		return s.finish(fmt.Errorf("%w: %d of them", errCheck, n))
	}
	return s.finish(nil)
}

// look finds what the checks go by.
func (s *session) look() error {
	if rec, err := state.ReadCommitted(s.Host); err == nil && rec != nil {
		s.m.Instance = rec.Instance
	}
	var err error
	s.m.ConfDir, err = findConfDir(s.m)
	return err
}

// check runs the checks of all steps but those named, into the report.
func (s *session) check(ctx context.Context, but ...string) {
	for _, step := range s.Steps {
		if step.Check == nil || slices.Contains(but, step.Name) {
			continue
		}
		st := report.Step{Name: step.Name, Status: report.Unchanged, Checks: step.Check(ctx, s.m)}
		if len(st.Checks) == 0 {
			continue
		}
		s.report.Steps = append(s.report.Steps, st)
		s.Out.End(st)
	}
}
