// Package harden is the engine and the steps: what happens to a machine, in
// which order (steps.go), and how it is written, checked and undone (engine.go).
package harden

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

// Step looks at a machine and proposes what to change; the engine does it.
type Step struct {
	Name string
	// In lists the phases in which the step proposes.
	In []report.Phase
	// OnlyWithOthers steps speak after all others, and only if one of those
	// changes something: a backup of an unchanged machine is noise.
	OnlyWithOthers bool
	// Replan marks a step whose actions make files that later steps change: a
	// package brings its own. Once they ran, those steps look again.
	Replan bool
	// Propose changes nothing. It reads through m, which shows the machine with
	// what earlier steps proposed.
	Propose func(ctx context.Context, m *Machine) (Proposal, error)
	// Check puts the step's promise to the test on the machine as it is now. It
	// runs after the step has been carried out, and in verify. It may be nil.
	Check func(ctx context.Context, m *Machine) []report.Check
	// Inspect is Check for a step that also has findings. It runs after the step
	// has been carried out, and not in verify. It may be nil.
	Inspect func(ctx context.Context, m *Machine) ([]report.Finding, []report.Check)
}

func (s Step) in(p report.Phase) bool { return slices.Contains(s.In, p) }

// waitsFor tells whether the step is left to the instances while the image is
// baked, which the report of the bake says.
func (s Step) waitsFor(p report.Phase) bool {
	return p == report.Bake && !s.in(p) && s.in(report.FirstBoot)
}

// Proposal is what a step wants done. The zero value wants nothing.
type Proposal struct {
	Changes []Change
	Actions []Action
	// Status is Skipped or Deferred where the step, or a part of it, cannot be
	// done here. Reason says why, for people.
	Status report.Status
	Reason string

	// config is FreeSWITCH's configuration as these changes leave it, where the
	// step knows: reading it anew is most of the time that a run takes.
	config *fsxml.Config
}

// Change is one path as it is to be.
type Change struct {
	Path string
	Node host.Node
	// Summary says it in a few words, without a secret.
	Summary string
	// Original marks a file that somebody else wrote: the bake keeps FILE.bak.
	Original bool
	// Discard marks what goes for good, Node being Absent, or an empty file where
	// it is to be emptied: a run that fails puts it back, a rollback later does
	// not, and no diff shows what was in it.
	Discard bool
	// As is the user in whose home the path lies: it is written with his rights, and
	// where that fails the report has a warning and the run goes on.
	As *host.User
	// Mask says how a diff shows values that it must not: old secrets and new.
	Mask map[string]string
}

// Action is work on the running system that follows a step's changes.
type Action struct {
	Name string
	Do   func(ctx context.Context) error
	// Undo runs after every file is back, when a later step has failed.
	Undo func(ctx context.Context) error
}

// Machine is what a step sees.
type Machine struct {
	*host.View
	Plan     *plan.Plan
	Phase    report.Phase
	Instance identity.Instance
	// Doubt is what the record should say of the instance for a person to know.
	Doubt   string
	Secrets secret.Pair
	Started time.Time
	// ConfDir is FreeSWITCH's configuration folder, found by preflight.
	ConfDir string
	// Live tells whether the system runs and may be asked to do things; if not,
	// WhyNot says so in words for a report.
	Live   bool
	WhyNot string
	// Image tells that this machine is to become an image.
	Image bool

	forgets bool   // an instance becomes an image: what was kept of its passwords goes
	here    bool   // this is the machine itself, and no tree of another's
	backup  string // what this run packs; empty, where it does not
	program string // the file of this very program, on the machine that runs us
	warn    func(string)
	uids    []int // as whom FreeSWITCH runs
	config  struct {
		loaded *fsxml.Config
		gen    int
	}
}

// Config is FreeSWITCH's configuration with what was proposed so far.
func (m *Machine) Config() (*fsxml.Config, error) {
	if m.config.loaded != nil && m.config.gen == m.Generation() {
		return m.config.loaded, nil
	}
	c, err := fsxml.Load(host.Confine(m.View, m.ConfDir), m.ConfDir)
	if err != nil {
		return nil, err
	}
	m.config.loaded, m.config.gen = c, m.Generation()
	return c, nil
}

// Runs tells whether a process of that name lives here, a service's or FreeSWITCH's.
func (m *Machine) Runs(comm string) bool {
	if m.Rooted() {
		return false
	}
	return m.Host.Runs(comm, m.freeswitchUIDs()...)
}

// freeswitchUIDs are the users as whom FreeSWITCH runs.
func (m *Machine) freeswitchUIDs() []int {
	if m.uids == nil {
		m.uids = []int{}
		if unit, err := unitFiles(m); err == nil {
			m.uids = append(m.uids, inspect.UIDs(m.View, unit)...)
		}
	}
	return m.uids
}

// Warn puts a sentence into the report that is not a failure.
func (m *Machine) Warn(format string, args ...any) { m.warn(fmt.Sprintf(format, args...)) }

// warnOfHome says that something in a home was left out.
func (m *Machine) warnOfHome(err error) {
	m.Warn("%v; it is left out: once that is mended, run fs-harden rotate", err)
}

// keepConfig spares the next step the reading of what this one has proven.
func (m *Machine) keepConfig(c *fsxml.Config) {
	if c != nil {
		m.config.loaded, m.config.gen = c, m.Generation()
	}
}

// asItIs is the same machine with nothing staged: what a check reads.
func (m *Machine) asItIs() *Machine {
	now := *m
	now.View = host.NewView(m.Host)
	now.config.loaded = nil
	return &now
}

// edits turns verified edits of the configuration into a proposal. Where they
// set a secret, it and all that it replaces are masked.
func (m *Machine) edits(e *fsxml.Editor, summary string, set secret.Value) (Proposal, error) {
	changed, err := e.Changes()
	if err != nil {
		return Proposal{}, err
	}
	return m.configChanges(e.After(), changed, summary, set)
}

// configChanges turns changed files of the configuration into a proposal, after being
// what they amount to.
func (m *Machine) configChanges(after *fsxml.Config, changed []fsxml.Change, summary string, set secret.Value) (Proposal, error) {
	p := Proposal{config: after}
	for _, c := range changed {
		path, err := m.ownConfig(c.Path)
		if err != nil {
			return Proposal{}, err
		}
		before, err := m.Lookup(path)
		if err != nil {
			return Proposal{}, err
		}
		ch := Change{Path: path, Node: before.WithData(c.After), Summary: summary, Original: true}
		if !set.Empty() {
			ch.Mask = map[string]string{set.Reveal(): "(random)"}
			for _, old := range c.Old {
				ch.Mask[old] = "(hidden)"
			}
		}
		p.Changes = append(p.Changes, ch)
	}
	return p, nil
}

// ownConfig is where a file of the configuration really is. It refuses one outside
// of FreeSWITCH's folder: whoever writes the configuration does not choose what
// else root writes.
func (m *Machine) ownConfig(name string) (string, error) {
	at, err := m.Canonical(name)
	if err == nil && !host.Confine(m.View, m.ConfDir).Holds(at) {
		err = fmt.Errorf("%s would have to be changed and lies outside of %s: put what it sets into a file below %[2]s", at, m.ConfDir)
	}
	return at, err
}
