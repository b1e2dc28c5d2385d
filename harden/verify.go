package harden

import (
	"context"
	"fmt"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// Verify runs every step's check on the machine as it is and changes nothing.
func (r *Runner) Verify(ctx context.Context) (*report.Report, error) {
	p, err := r.plan()
	s := r.start(report.Verify, p)
	if err != nil {
		return s.finish(err)
	}
	if rec, err := state.ReadCommitted(s.Host); err == nil && rec != nil {
		s.m.Instance = rec.Instance
	}
	if s.m.ConfDir, err = findConfDir(s.m); err != nil {
		return s.finish(err)
	}
	for _, step := range r.Steps {
		if step.Check == nil {
			continue
		}
		st := report.Step{Name: step.Name, Status: report.Unchanged, Checks: step.Check(ctx, s.m)}
		if len(st.Checks) == 0 {
			continue
		}
		s.report.Steps = append(s.report.Steps, st)
		r.Out.End(st)
	}
	if n := s.report.FailedChecks(); n > 0 {
		return s.finish(fmt.Errorf("%w: %d of them", errCheck, n))
	}
	return s.finish(nil)
}

// Status is what this machine is, in a few lines.
type Status struct {
	ConfDir  string    `json:"conf_dir"`
	Baked    time.Time `json:"baked,omitzero"`
	Backup   string    `json:"backup,omitempty"`
	Made     time.Time `json:"secrets_made,omitzero"`
	Instance string    `json:"instance,omitempty"`
	Source   string    `json:"instance_source,omitempty"`
	// Ready tells whether FreeSWITCH may start; if not, Why says what to do.
	Ready bool   `json:"ready"`
	Why   string `json:"why,omitempty"`
}

// Status reads the records and asks the gate.
func (r *Runner) Status(ctx context.Context) (Status, error) {
	var st Status
	baked, err := state.ReadBaked(r.Host)
	if err != nil {
		return st, err
	}
	if baked != nil {
		st.ConfDir, st.Baked, st.Backup = baked.ConfDir, baked.At, baked.Backup
	}
	committed, err := state.ReadCommitted(r.Host)
	if err != nil {
		return st, err
	}
	if committed != nil {
		st.Made = committed.At
		st.Instance, st.Source = committed.Instance.String(), string(committed.Instance.Source)
	}
	if err := r.Gate(ctx); err != nil {
		st.Why = err.Error()
		return st, nil
	}
	st.Ready = true
	return st, nil
}
