package harden

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// Runner runs the phases on one machine.
type Runner struct {
	Host *host.Host
	Out  Sink
	// Steps is what happens, in order; harden.Steps() outside tests.
	Steps []Step
	// Image tells that the machine is to become an image: a bake then stops
	// FreeSWITCH and removes what no image may hold. Where nothing runs it is so
	// anyway.
	Image bool
	// AtBoot tells that a first boot is asked for by the boot, and not by a person: on
	// the machine that an image was made on it makes no secrets then.
	AtBoot bool
	// Undoing, where it is not nil, is called before things are put back, which
	// takes up to UndoTimeout whatever became of the run's own time.
	Undoing func()

	program string                  // see Machine; this process's own where it is empty
	fault   func(step string) error // see engine
	here    bool                    // in tests, the tree is the machine that runs
}

// ErrCheck marks an error as a failed check's: everything was carried out, and
// the machine is not what it should be.
var ErrCheck = errCheck

// Apply is the bake phase. With a diff to write to, nothing is touched and the
// difference that a run would make is written there instead.
func (r *Runner) Apply(ctx context.Context, p *plan.Plan, diff io.Writer) (*report.Report, error) {
	s := r.start(report.Bake, p)
	s.m.Secrets = secret.NewPair()
	s.report.DryRun = diff != nil
	err := func() error {
		if diff != nil {
			if err := s.ofAnInstance(); err != nil {
				return err
			}
			plans, err := s.engine.propose(ctx, s.m, r.Steps)
			if err != nil {
				return err
			}
			s.report.Steps = outline(plans)
			return writeDiff(diff, plans)
		}
		return s.locked(ctx, func() error {
			if err := s.ofAnInstance(); err != nil {
				return err
			}
			if err := s.run(ctx, r.Steps); err != nil {
				return err
			}
			if s.m.forgets {
				if err := s.dropRecords(); err != nil {
					return err
				}
			}
			s.keep()
			return nil
		})
	}()
	return s.finish(err)
}

// ofAnInstance finds out whether an image is to be made of an instance.
func (s *session) ofAnInstance() error {
	rec, err := state.ReadCommitted(s.Host)
	s.m.forgets = s.m.Image && rec != nil
	return err
}

// session is one run from its start to its report.
type session struct {
	*Runner
	engine engine
	m      *Machine
	report *report.Report
	stale  bool // the record lacks what is known of the instance now
}

func (r *Runner) start(phase report.Phase, p *plan.Plan) *session {
	live, why := r.Host.Live()
	s := &session{
		Runner: r,
		engine: engine{host: r.Host, out: r.Out, fault: r.fault, undoing: r.Undoing},
		report: &report.Report{Version: report.Version, Phase: phase, Steps: []report.Step{}},
	}
	if s.engine.undoing == nil {
		s.engine.undoing = func() {}
	}
	s.m = &Machine{
		View: host.NewView(r.Host), Plan: p, Phase: phase, Started: time.Now(), Live: live, WhyNot: why,
		Image:   r.Image || !live && !r.here && !r.Host.Runs(freeswitchComm),
		here:    live || r.here,
		program: cmp.Or(r.program, "/proc/self/exe"),
		warn:    s.warn,
	}
	return s
}

// warn puts a sentence into the report, once: a step may be asked twice.
func (s *session) warn(text string) {
	if !slices.Contains(s.report.Warnings, text) {
		s.report.Warnings = append(s.report.Warnings, text)
	}
}

// run proposes and carries out.
func (s *session) run(ctx context.Context, steps []Step) error {
	plans, err := s.engine.propose(ctx, s.m, steps)
	if err != nil {
		var failed *stepError
		if errors.As(err, &failed) {
			s.report.Steps = append(s.report.Steps, failed.step)
		}
		return err
	}
	s.report.Steps, err = s.engine.carryOut(ctx, s.m, plans)
	return err
}

// keep leaves the report of a run that changed something on the machine, for
// who must show what was done to it. The run is done by then: a disk without
// room for this is worth a warning.
func (s *session) keep() {
	changed := false
	for _, st := range s.report.Steps {
		changed = changed || len(st.Changes) > 0
	}
	if !changed {
		return
	}
	_, _ = s.finish(nil)
	b, err := json.MarshalIndent(s.report, "", "  ")
	if err == nil {
		err = s.Host.Put(reportPath(s.report.Phase), host.NewFile(append(b, '\n'), 0o600))
	}
	if err != nil {
		s.m.Warn("the report could not be kept: %v", err)
	}
}

func reportPath(p report.Phase) string { return state.Dir + "/report-" + string(p) + ".json" }

// lockWait is how long a second fs-harden waits for the first: a bake's
// configuration part takes well under a second, a live reload up to a minute.
const lockWait = 90 * time.Second

// locked runs work while no other fs-harden does, on a machine where what a
// killed run left is put back first.
func (s *session) locked(ctx context.Context, work func() error) error {
	made, err := s.makeStateDir()
	if err != nil {
		return err
	}
	s.engine.made = made
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	unlock, err := s.Host.Lock(wait, state.Dir)
	if err != nil {
		return err
	}
	// A run that fails leaves nothing behind, not even these folders; one that
	// holds a record stays.
	defer func() {
		_ = removeFolders(s.Host, made)
		unlock()
	}()
	recovered, kept, err := journal.Recover(s.Host)
	if kept != "" {
		s.m.Warn("an earlier run was killed half way, and somebody has changed files of it since: what they held is kept in %s; compare, and put in again what is still wanted", kept)
	}
	if err != nil {
		return fmt.Errorf("putting back what a killed run had changed: %w", err)
	}
	if recovered {
		s.m.Warn("an earlier run was killed half way; what it had changed was put back first")
	}
	return work()
}

// makeStateDir makes the folder of the records where it lacks, and tells which
// folders it had to make, outermost first.
func (s *session) makeStateDir() (made []string, err error) {
	n, err := s.Host.Lookup(state.Dir)
	if err != nil || n.Kind != host.Absent {
		return nil, err
	}
	parents, err := s.Host.Parents(state.Dir)
	if err != nil {
		return nil, err
	}
	for _, dir := range parents {
		if err := s.Host.Put(dir, host.Node{Kind: host.Folder, Mode: 0o755}); err != nil {
			return made, err
		}
		made = append(made, dir)
	}
	return append(made, state.Dir), s.Host.Put(state.Dir, host.Node{Kind: host.Folder, Mode: 0o700})
}

// removeFolders removes those of the folders that are empty, innermost first.
func removeFolders(h *host.Host, dirs []string) error {
	for _, dir := range slices.Backward(dirs) {
		if err := h.Put(dir, host.Node{Kind: host.Absent}); err != nil {
			return err
		}
	}
	return nil
}

// finish closes the report.
func (s *session) finish(err error) (*report.Report, error) {
	s.report.Result = report.OK
	if err != nil {
		s.report.Result = report.Failed
	}
	if s.m.Instance.Known() {
		s.report.InstanceID = s.m.Instance.String()
	}
	s.report.DurationMS = time.Since(s.m.Started).Milliseconds()
	return s.report, err
}

func outline(plans []planned) []report.Step {
	steps := make([]report.Step, len(plans))
	for i, p := range plans {
		steps[i] = report.Step{Name: p.step.Name, Status: p.status, Reason: p.reason, Changes: p.shown}
	}
	return steps
}

// BuildUser is who runs the build through sudo: the admin user where the plan
// names none. Below --root it is a user of another machine, and nobody.
func BuildUser(h *host.Host) []string {
	if u := os.Getenv("SUDO_USER"); u != "" && u != "root" && !h.Rooted() {
		return []string{u}
	}
	return []string{}
}
