package harden

import (
	"context"
	"fmt"
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// planned is a step with what it will do.
type planned struct {
	step    Step
	entries []plannedEntry
	shown   []report.Change
	actions []Action
	status  report.Status
	reason  string
}

// plannedEntry is an entry of the journal, with what only a diff needs.
type plannedEntry struct {
	journal.Entry
	mask map[string]string
	size int64 // of a file that is discarded, in bytes; its content is never read
}

func (p planned) forJournal() []journal.Entry {
	entries := make([]journal.Entry, len(p.entries))
	for i, en := range p.entries {
		entries[i] = en.Entry
	}
	return entries
}

// propose asks every step of the phase what it wants, each seeing what the
// ones before it proposed.
func (e *engine) propose(ctx context.Context, m *Machine, steps []Step) ([]planned, error) {
	return e.proposeAfter(ctx, m, steps, false)
}

// proposeAfter is propose where other steps have changed something already.
func (e *engine) proposeAfter(ctx context.Context, m *Machine, steps []Step, anything bool) ([]planned, error) {
	steps = slices.DeleteFunc(slices.Clone(steps), func(s Step) bool { return !s.in(m.Phase) && !s.waitsFor(m.Phase) })
	plans := make([]planned, len(steps))
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
	if c.Discard {
		return p.discard(m, c)
	}
	if c.As != nil {
		if err := p.addInHome(m, c); err != nil {
			m.warnOfHome(err)
		}
		return nil
	}
	before, err := m.Lookup(c.Path)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", c.Path, err)
	}
	if host.Same(before, c.Node) {
		return nil
	}
	if err := inTheWay(c, before); err != nil {
		return err
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
		if err := p.stage(m, plannedEntry{Entry: journal.Entry{Path: dir, Before: host.Node{Kind: host.Absent}, After: host.Node{Kind: host.Folder, Mode: 0o755}}}); err != nil {
			return err
		}
	}
	if c.Original && before.Kind == host.File && m.Phase == report.Bake {
		bak := c.Path + ".bak"
		if old, err := m.Lookup(bak); err != nil || old.Kind == host.Absent {
			if err != nil {
				return err
			}
			if err := p.stage(m, plannedEntry{Entry: journal.Entry{Path: bak, Before: old, After: before}}); err != nil {
				return err
			}
		}
	}
	return p.show(m, c, before)
}

// addInHome is add for what lies in a user's home. It is looked at once, and
// whatever is wrong with it is his.
func (p *planned) addInHome(m *Machine, c Change) error {
	before, err := m.View.As(*c.As).Lookup(c.Path)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", c.Path, err)
	}
	if host.Same(before, c.Node) {
		return nil
	}
	if err := inTheWay(c, before); err != nil {
		return err
	}
	return p.show(m, c, before)
}

func inTheWay(c Change, before host.Node) error {
	if before.Kind == host.Folder && c.Node.Kind != host.Folder && c.Node.Kind != host.Absent {
		return fmt.Errorf("%s is a folder where a file belongs: move it out of the way", c.Path)
	}
	return nil
}

// show stages the change itself, for the report to tell of.
func (p *planned) show(m *Machine, c Change, before host.Node) error {
	action := "edit"
	switch {
	case c.Node.Kind == host.Absent:
		action = "remove"
	case before.Kind == host.Absent:
		action = "create"
	}
	if err := p.stage(m, plannedEntry{Entry: journal.Entry{Path: c.Path, Before: before, After: c.Node, As: c.As}, mask: c.Mask}); err != nil {
		return err
	}
	p.shown = append(p.shown, report.Change{Path: c.Path, Action: action, Summary: c.Summary})
	return nil
}

func (p *planned) stage(m *Machine, en plannedEntry) error {
	if err := m.Stage(en.Path, en.After); err != nil {
		return err
	}
	p.entries = append(p.entries, en)
	return nil
}
