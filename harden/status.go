package harden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// State is where in its life a machine is.
type State string

// The states.
const (
	NotHardened State = "not hardened"      // apply never ran here, or was rolled back
	Image       State = "baked"             // the secrets are made at the first boot
	AtWork      State = "at work"           // a run is under way
	HalfDone    State = "half done"         // a run was killed; the next one puts it back
	BootFailed  State = "first boot failed" // and FreeSWITCH is held back
	HeldBack    State = "held back"         // there are secrets, and they are not in force
	Drift       State = "drifted"           // in service, and not as it was left
	Hardened    State = "hardened"
)

// Status is what this machine is, on one screen.
type Status struct {
	State    State     `json:"state"`
	ConfDir  string    `json:"conf_dir"`
	Baked    time.Time `json:"baked,omitzero"`
	Backup   string    `json:"backup,omitempty"`
	Made     time.Time `json:"secrets_made,omitzero"`
	Rotated  time.Time `json:"rotated,omitzero"`
	Instance string    `json:"instance,omitempty"`
	Source   string    `json:"instance_source,omitempty"`
	// Doubt is what a person should know of the instance, from its record.
	Doubt string `json:"instance_warning,omitempty"`
	// Ready tells whether FreeSWITCH may start; if not, Why says what to do.
	Ready bool   `json:"ready"`
	Why   string `json:"why,omitempty"`
	// Verified is what the last verify of this boot saw, nil where none ran.
	Verified *Verified `json:"verified,omitempty"`
	// Drifted are the files that are not as they were written, Failing the checks
	// that fail now.
	Drifted []Drifted      `json:"drifted,omitempty"`
	Failing []report.Check `json:"failing,omitempty"`
}

// Status reads the records, asks the gate, and looks for what has drifted. It
// changes nothing.
func (r *Runner) Status(ctx context.Context) (Status, error) {
	st, err := r.status(ctx)
	if errors.Is(err, fs.ErrPermission) {
		return st, fmt.Errorf("%w: the records in %s are root's alone; run this as root (sudo fs-harden status)", err, state.Dir)
	}
	return st, err
}

func (r *Runner) status(ctx context.Context) (st Status, err error) {
	if !r.Host.Exists(state.Dir) {
		st.State = NotHardened
		if err := r.Gate(ctx); err != nil {
			st.Why = err.Error()
		}
		return st, nil
	}
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
		st.Instance, st.Source = committed.Instance.String(), string(committed.Instance.Source())
		st.Doubt = committed.Warning
		if committed.First.Before(committed.At) && !committed.First.IsZero() {
			st.Rotated = committed.At
		}
	}
	if st.Verified, err = readVerified(r.Host); err != nil {
		return st, err
	}
	// Before the gate, which waits for a run that is under way.
	if st.State = r.unfinished(); st.State != "" {
		st.Why = "ask again once it has ended"
		if st.State == HalfDone {
			st.Why = "a run was killed half way; the next one puts back what it had changed: run fs-harden " + again(committed)
		}
		return st, nil
	}
	if err := r.Gate(ctx); err != nil {
		st.Why = err.Error()
	}
	st.Ready = st.Why == ""
	if st.Drifted, err = drift(r.Host); err != nil {
		return st, err
	}
	st.Failing = r.failing(ctx)
	st.State = r.stage(ctx, st)
	return st, nil
}

// unfinished tells of a run that has not ended: its lock is held while it lives.
func (r *Runner) unfinished() State {
	now, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	unlock, err := r.Host.Lock(now, state.Dir)
	if err != nil {
		return AtWork
	}
	defer unlock()
	if r.Host.Exists(journal.Dir) {
		return HalfDone
	}
	return ""
}

func again(committed *state.Committed) string {
	if committed == nil {
		return "apply"
	}
	return "firstboot"
}

// failing runs the checks that take no time: a proof bans somebody, and a
// FreeSWITCH that hangs lets its caller wait. The last verify tells of those.
func (r *Runner) failing(ctx context.Context) []report.Check {
	p, err := r.plan()
	if err != nil {
		return nil // the gate says so
	}
	quiet := *r
	quiet.Out = nobody{}
	s := quiet.start(report.Verify, p)
	if err := s.look(); err != nil {
		return []report.Check{{Name: "configuration", Status: report.Fail, Detail: err.Error()}}
	}
	s.check(ctx, "reload", "proof")
	var out []report.Check
	for _, st := range s.report.Steps {
		for _, c := range st.Checks {
			if c.Status == report.Fail {
				out = append(out, c)
			}
		}
	}
	return out
}

// nobody is a sink that hears nothing.
type nobody struct{}

func (nobody) Begin(string)    {}
func (nobody) End(report.Step) {}

func (r *Runner) stage(ctx context.Context, st Status) State {
	live, _ := r.Host.Live()
	switch {
	case st.Made.IsZero() && r.Host.Exists(state.PendingPath):
		return BootFailed // it leaves the secrets that it had chosen
	case st.Made.IsZero() && live && hasFailed(ctx, r, firstbootUnit):
		return BootFailed
	case st.Made.IsZero() && st.Baked.IsZero():
		return NotHardened
	case st.Made.IsZero():
		return Image
	case !st.Ready:
		return HeldBack
	case len(st.Drifted) > 0, len(st.Failing) > 0, st.Verified != nil && len(st.Verified.Failed) > 0:
		return Drift
	default:
		return Hardened
	}
}

func hasFailed(ctx context.Context, r *Runner, unit string) bool {
	_, err := r.Host.Run(ctx, "systemctl", "is-failed", "--quiet", unit)
	return err == nil
}
