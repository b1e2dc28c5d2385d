package harden

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// engine carries steps out. Everything is proposed before anything is written,
// so that bad input and a configuration nobody expected leave the machine
// untouched; what is then written can all be put back. Only what follows an
// installed package is proposed once more, on what the package brought.
type engine struct {
	host *host.Host
	out  Sink
	// made are folders that this run had to make for its records.
	made []string
	// undoing hears that things are put back from now on.
	undoing func()
	// fault, in tests, makes a step fail after its changes were written.
	fault func(step string) error
}

// Sink hears of a run as it goes.
type Sink interface {
	Begin(step string)
	End(report.Step)
}

// errUndone wraps a failure after which the machine is as it was before.
var errUndone = errors.New("everything was put back as it was")

// errActed marks what could not be undone on the running system, the files being
// back.
var errActed = errors.New("undoing what was done to the running system failed")

// errCheck marks a failure as a check's.
var errCheck = errors.New("a check failed")

// carryOut writes what was planned. On any failure it puts everything back, and
// the error says so. The journal is on the disk before the first change, so a
// killed run is put back by the next one.
func (e *engine) carryOut(ctx context.Context, m *Machine, plans []planned) ([]report.Step, error) {
	j := journal.New(e.host, e.made, largest(plans))
	if m.forgets {
		j.Scrub(func(originals []journal.Entry) ([]journal.Entry, error) {
			return withoutPasswords(m.asItIs(), originals)
		})
	}
	var done []report.Step
	var acted []Action
	now := m.asItIs()
	for i := 0; i < len(plans); i++ {
		p := plans[i]
		if len(p.entries) > 0 {
			now = m.asItIs() // what was read of the machine is no longer true
		}
		st, err := e.carryOutOne(ctx, now, j, p, &acted)
		done = append(done, st)
		e.out.End(st)
		if err != nil {
			return done, e.putBack(j, acted, fmt.Errorf("%s: %w", p.step.Name, err))
		}
		if p.step.Replan && len(p.actions) > 0 {
			rest, err := e.proposeAfter(ctx, m.asItIs(), stepsOf(plans[i+1:]), true)
			if err != nil {
				return done, e.putBack(j, acted, err)
			}
			plans = append(plans[:i+1], rest...)
		}
	}
	left, err := j.Close()
	if err != nil {
		return done, e.putBack(j, acted, err)
	}
	if err := errors.Join(left...); err != nil {
		return done, fmt.Errorf("all else is done and stays: %w; look who may change that folder, and remove it", err)
	}
	return done, nil
}

func stepsOf(plans []planned) []Step {
	steps := make([]Step, len(plans))
	for i, p := range plans {
		steps[i] = p.step
	}
	return steps
}

// putBack undoes a run that failed, and tells of both.
func (e *engine) putBack(j *journal.Journal, acted []Action, failure error) error {
	kept, err := e.undo(j, acted)
	if kept != "" {
		failure = fmt.Errorf("%w; what somebody else changed meanwhile is kept in %s", failure, kept)
	}
	if errors.Is(err, errActed) {
		return fmt.Errorf("%w; every file was put back as it was; %w", failure, err)
	}
	if err != nil {
		return fmt.Errorf("%w; putting things back failed too: %w; run fs-harden again, which goes on from the journal in %s", failure, err, journal.Dir)
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

func (e *engine) carryOutOne(ctx context.Context, now *Machine, j *journal.Journal, p planned, acted *[]Action) (report.Step, error) {
	e.out.Begin(p.step.Name)
	st := report.Step{Name: p.step.Name, Status: p.status, Reason: p.reason, Changes: p.shown}
	spared, err := e.write(ctx, j, p, acted)
	for _, s := range spared {
		st.Changes = slices.DeleteFunc(slices.Clone(st.Changes), func(c report.Change) bool { return c.Path == s.Path })
		now.warnOfHome(s.Err)
	}
	if err == nil && e.fault != nil {
		err = e.fault(p.step.Name)
	}
	if err != nil {
		st.Status, st.Reason = report.StepFailed, err.Error()
		return st, err
	}
	if !p.step.waitsFor(now.Phase) {
		st.Findings, st.Checks = e.check(ctx, now, p.step)
		if err := ctx.Err(); err != nil { // what a check says then is not of the machine
			st.Status, st.Reason = report.StepFailed, err.Error()
			return st, err
		}
		for _, c := range st.Checks {
			if c.Status == report.Fail {
				st.Status, st.Reason = report.StepFailed, c.Name+": "+c.Detail
				return st, fmt.Errorf("%w: %s: %s", errCheck, c.Name, c.Detail)
			}
		}
	}
	return st, nil
}

// check puts a step's promise to the test.
func (e *engine) check(ctx context.Context, now *Machine, s Step) (found []report.Finding, checks []report.Check) {
	if s.Check != nil {
		checks = s.Check(ctx, now)
	}
	if s.Inspect != nil {
		var more []report.Check
		found, more = s.Inspect(ctx, now)
		checks = append(checks, more...)
	}
	return found, checks
}

func (e *engine) write(ctx context.Context, j *journal.Journal, p planned, acted *[]Action) (spared []journal.Spared, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, en := range p.entries {
		if err := e.stillThere(en); err != nil {
			return nil, err
		}
	}
	if spared, err = j.Write(p.step.Name, p.forJournal()); err != nil {
		return nil, err
	}
	for _, a := range p.actions {
		*acted = append(*acted, a) // before Do: one that failed half way is undone too
		if err := a.Do(ctx); err != nil {
			return spared, fmt.Errorf("%s: %w", a.Name, err)
		}
	}
	return spared, nil
}

// stillThere refuses to write over what somebody else wrote after the step had
// looked: neither the change nor an undo would know of it.
func (e *engine) stillThere(en plannedEntry) error {
	if en.As != nil {
		return nil // whose home it is may do there what he likes
	}
	if en.Discard {
		g, err := e.host.Glance(en.Path)
		if err == nil && g.Kind != en.Before.Kind {
			err = fmt.Errorf("%s was changed by somebody else in this very moment: run this again", en.Path)
		}
		return err
	}
	now, err := e.host.Lookup(en.Path)
	if err != nil {
		return err
	}
	if !host.Same(now, en.Before) {
		return fmt.Errorf("%s was changed by somebody else in this very moment: run this again", en.Path)
	}
	return nil
}

// UndoTimeout bounds putting things back on the running system, which also happens when the run's own
// time is up.
const UndoTimeout = time.Minute

func (e *engine) undo(j *journal.Journal, acted []Action) (kept string, err error) {
	e.undoing()
	if kept, err = j.Undo(); err != nil {
		return kept, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), UndoTimeout)
	defer cancel()
	var errs []error
	for _, a := range slices.Backward(acted) {
		if a.Undo != nil {
			if err := a.Undo(ctx); err != nil {
				errs = append(errs, fmt.Errorf("%w: %s: %w", errActed, a.Name, err))
			}
		}
	}
	return kept, errors.Join(errs...)
}
