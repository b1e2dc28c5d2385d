package harden

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// engine carries steps out. Everything is proposed before anything is written,
// so that bad input and a configuration nobody expected leave the machine
// untouched; what is then written can all be put back.
type engine struct {
	host *host.Host
	out  Sink
	// made are folders that this run had to make for its records.
	made []string
	// fault, in tests, makes a step fail after its changes were written.
	fault func(step string) error
}

// Sink hears of a run as it goes.
type Sink interface {
	Begin(step string)
	End(report.Step)
}

// planned is a step with what it will do.
type planned struct {
	step    Step
	entries []entry
	shown   []report.Change
	actions []Action
	status  report.Status
	reason  string
}

// errUndone wraps a failure after which the machine is as it was before.
var errUndone = errors.New("everything was put back as it was")

// errCheck marks a failure as a check's.
var errCheck = errors.New("a check failed")

// propose asks every step of the phase what it wants, each seeing what the
// ones before it proposed.
func (e *engine) propose(ctx context.Context, m *Machine, steps []Step) ([]planned, error) {
	steps = slices.DeleteFunc(slices.Clone(steps), func(s Step) bool { return !s.in(m.Phase) && !s.waitsFor(m.Phase) })
	plans := make([]planned, len(steps))
	anything := false
	for _, late := range []bool{false, true} {
		for i, s := range steps {
			if s.OnlyWithOthers != late {
				continue
			}
			plans[i] = planned{step: s, status: report.Unchanged}
			if s.waitsFor(m.Phase) {
				plans[i] = planned{step: s, status: report.Deferred, reason: "on each instance, at its first boot"}
				continue
			}
			if late && !anything {
				continue
			}
			if err := e.proposeOne(ctx, m, &plans[i]); err != nil {
				failed := report.Step{Name: s.Name, Status: report.StepFailed, Reason: err.Error()}
				e.out.End(failed)
				return nil, &stepError{failed, err}
			}
			anything = anything || len(plans[i].entries) > 0
		}
	}
	return plans, nil
}

// stepError is a failure with the step's line for the report.
type stepError struct {
	step report.Step
	err  error
}

func (e *stepError) Error() string { return e.step.Name + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

func (e *engine) proposeOne(ctx context.Context, m *Machine, p *planned) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	want, err := p.step.Propose(ctx, m)
	if err != nil {
		return err
	}
	p.actions, p.reason = want.Actions, want.Reason
	if want.Status != "" {
		p.status = want.Status
	}
	for _, c := range want.Changes {
		if err := p.add(m, c); err != nil {
			return err
		}
	}
	m.keepConfig(want.config)
	if len(p.entries) > 0 || len(p.actions) > 0 {
		p.status = report.Changed
	}
	return nil
}

// add turns a change into journal entries: missing folders first, the .bak of
// an original, then the thing itself. What is already so is dropped.
func (p *planned) add(m *Machine, c Change) error {
	before, err := m.Lookup(c.Path)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", c.Path, err)
	}
	if same(before, c.Node) {
		return nil
	}
	if before.Kind == host.Folder && c.Node.Kind != host.Folder && c.Node.Kind != host.Absent {
		return fmt.Errorf("%s is a folder where a file belongs: move it out of the way", c.Path)
	}
	parents, err := m.Parents(c.Path)
	if err != nil {
		return err
	}
	for _, dir := range parents {
		// Parents looks at the disk: an earlier change may have staged it already.
		if n, err := m.Lookup(dir); err != nil || n.Kind != host.Absent {
			if err != nil {
				return err
			}
			continue
		}
		if err := p.stage(m, entry{Path: dir, After: host.Node{Kind: host.Folder, Mode: 0o755}}); err != nil {
			return err
		}
	}
	if c.Original && before.Kind == host.File && m.Phase == report.Bake {
		bak := c.Path + ".bak"
		if old, err := m.Lookup(bak); err != nil || old.Kind == host.Absent {
			if err != nil {
				return err
			}
			if err := p.stage(m, entry{Path: bak, After: before}); err != nil {
				return err
			}
		}
	}
	action := "edit"
	switch {
	case c.Node.Kind == host.Absent:
		action = "remove"
	case before.Kind == host.Absent:
		action = "create"
	}
	p.shown = append(p.shown, report.Change{Path: c.Path, Action: action, Summary: c.Summary})
	return p.stage(m, entry{Path: c.Path, After: c.Node, mask: c.Mask})
}

func (p *planned) stage(m *Machine, en entry) error {
	before, err := m.Lookup(en.Path)
	if err != nil {
		return err
	}
	en.Before = before
	p.entries = append(p.entries, en)
	return m.Stage(en.Path, en.After)
}

// same tells whether putting after over before would change nothing that counts.
func same(before, after host.Node) bool {
	if before.Kind != after.Kind {
		return false
	}
	owned := os.Geteuid() != 0 || (before.UID == after.UID && before.GID == after.GID)
	switch after.Kind {
	case host.Absent:
		return true
	case host.Symlink:
		return before.Target == after.Target
	default:
		return owned && before.Mode == after.Mode && bytes.Equal(before.Data, after.Data)
	}
}

// carryOut writes what was planned. On any failure it puts everything back, and
// the error says so. The journal is on the disk before the first change, so a
// killed run is put back by the next one.
func (e *engine) carryOut(ctx context.Context, m *Machine, plans []planned) ([]report.Step, error) {
	j := newJournal(e.host, e.made, largest(plans))
	var done []report.Step
	var acted []Action
	now := m.asItIs()
	for _, p := range plans {
		if len(p.entries) > 0 {
			now = m.asItIs() // what was read of the machine is no longer true
		}
		st, err := e.carryOutOne(ctx, now, j, p, &acted)
		done = append(done, st)
		e.out.End(st)
		if err != nil {
			return done, e.putBack(j, acted, fmt.Errorf("%s: %w", p.step.Name, err))
		}
	}
	if err := j.close(); err != nil {
		return done, e.putBack(j, acted, err)
	}
	return done, nil
}

// putBack undoes a run that failed, and tells of both.
func (e *engine) putBack(j *journal, acted []Action, failure error) error {
	if err := e.undo(j, acted); err != nil {
		return fmt.Errorf("%w; putting things back failed too: %w; run fs-harden again, which goes on from the journal in %s", failure, err, journalDir)
	}
	return fmt.Errorf("%w; %w", failure, errUndone)
}

// largest is the size of the largest file that these steps replace, in bytes.
func largest(plans []planned) int {
	n := 0
	for _, p := range plans {
		for _, en := range p.entries {
			n = max(n, len(en.Before.Data))
		}
	}
	return n
}

func (e *engine) carryOutOne(ctx context.Context, now *Machine, j *journal, p planned, acted *[]Action) (report.Step, error) {
	e.out.Begin(p.step.Name)
	st := report.Step{Name: p.step.Name, Status: p.status, Reason: p.reason, Changes: p.shown}
	err := e.write(ctx, j, p, acted)
	if err == nil && e.fault != nil {
		err = e.fault(p.step.Name)
	}
	if err != nil {
		st.Status, st.Reason = report.StepFailed, err.Error()
		return st, err
	}
	if p.step.Check != nil && !p.step.waitsFor(now.Phase) {
		st.Checks = p.step.Check(ctx, now)
		for _, c := range st.Checks {
			if c.Status == report.Fail {
				st.Status, st.Reason = report.StepFailed, c.Name+": "+c.Detail
				return st, fmt.Errorf("%w: %s: %s", errCheck, c.Name, c.Detail)
			}
		}
	}
	return st, nil
}

func (e *engine) write(ctx context.Context, j *journal, p planned, acted *[]Action) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, en := range p.entries {
		if err := e.stillThere(en); err != nil {
			return err
		}
	}
	if err := j.record(p.step.Name, p.entries); err != nil {
		return err
	}
	if err := e.host.PutAll(after(p.entries)...); err != nil {
		return err
	}
	for _, a := range p.actions {
		*acted = append(*acted, a) // before Do: one that failed half way is undone too
		if err := a.Do(ctx); err != nil {
			return fmt.Errorf("%s: %w", a.Name, err)
		}
	}
	return nil
}

// stillThere refuses to write over what somebody else wrote after the step had
// looked: neither the change nor an undo would know of it.
func (e *engine) stillThere(en entry) error {
	now, err := e.host.Lookup(en.Path)
	if err != nil {
		return err
	}
	if !same(now, en.Before) {
		return fmt.Errorf("%s was changed by somebody else in this very moment: run this again", en.Path)
	}
	return nil
}

// undoTimeout bounds putting things back, which also happens when the run's own
// time is up.
const undoTimeout = time.Minute

func (e *engine) undo(j *journal, acted []Action) error {
	if err := j.undo(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), undoTimeout)
	defer cancel()
	var errs []error
	for _, a := range slices.Backward(acted) {
		if a.Undo != nil {
			if err := a.Undo(ctx); err != nil {
				errs = append(errs, fmt.Errorf("undoing %s: %w", a.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}
