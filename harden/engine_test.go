package harden

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// bare is a tree with two files and no FreeSWITCH: for steps that a test makes up.
func bare(t *testing.T) tree {
	t.Helper()
	tr := tree{t, memory(t)}
	for _, dir := range []string{"/root", "/var/lib"} {
		if err := os.MkdirAll(tr.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tr.write("/etc/a.conf", "old a\n")
	tr.write("/etc/b.conf", "old b\n")
	return tr
}

// writes is a step of the bake that writes one file, and acts then.
func writes(name, path string, actions ...Action) Step {
	return Step{Name: name, In: bake, Propose: func(context.Context, *Machine) (Proposal, error) {
		return Proposal{Changes: []Change{{Path: path, Node: host.NewFile([]byte("new\n"), 0o600), Original: true}}, Actions: actions}, nil
	}}
}

// bakeOf runs the bake with these steps alone.
func (tr tree) bakeOf(ctx context.Context, steps ...Step) (*report.Report, error) {
	r := tr.runner()
	r.Steps = steps
	return r.Apply(ctx, plan.Default(), nil)
}

var errInjected = errors.New("injected")

// What a run did to the running system is undone in reverse, the files being back
// by then, also where the run's own time is up; the action that failed is among it.
func TestActionsAreUndoneInReverse(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var events []string
	act := func(name string, err error) Action {
		return Action{
			Name: name,
			Do: func(context.Context) error {
				events = append(events, "do "+name)
				if err != nil {
					cancel()
				}
				return err
			},
			Undo: func(ctx context.Context) error {
				events = append(events, fmt.Sprintf("undo %s %v %s", name, ctx.Err(), strings.TrimSpace(tr.read("/etc/a.conf"))))
				if at, ok := ctx.Deadline(); !ok || time.Until(at) > UndoTimeout {
					t.Errorf("undoing %s may take for ever", name)
				}
				return nil
			},
		}
	}
	before := tr.snapshot()
	r := tr.runner()
	r.Undoing = func() { events = append(events, "undoing "+strings.TrimSpace(tr.read("/etc/a.conf"))) }
	noUndo := Action{Name: "asks", Do: func(context.Context) error { return nil }}
	r.Steps = []Step{
		writes("one", "/etc/a.conf", act("1", nil), noUndo, act("2", nil)),
		writes("two", "/etc/b.conf", act("3", errInjected), act("4", nil)),
		writes("three", "/etc/c.conf", act("5", nil)),
	}
	rep, err := r.Apply(ctx, plan.Default(), nil)
	if !errors.Is(err, errInjected) || !errors.Is(err, errUndone) || !strings.HasPrefix(err.Error(), "two: 3: ") {
		t.Errorf("error %v", err)
	}
	want := []string{"do 1", "do 2", "do 3", "undoing new", "undo 3 <nil> old a", "undo 2 <nil> old a", "undo 1 <nil> old a"}
	if !slices.Equal(events, want) {
		t.Errorf("%q, want %q", events, want)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("left behind: %s", d)
	}
	var steps []string
	for _, st := range rep.Steps {
		steps = append(steps, st.Name+" "+string(st.Status)+" "+st.Reason)
	}
	if want := []string{"one changed ", "two failed 3: injected"}; rep.Result != report.Failed || !slices.Equal(steps, want) {
		t.Errorf("%s: %q, want %q", rep.Result, steps, want)
	}
}

// One that cannot be undone is told, and keeps no other from it.
func TestAnActionThatCannotBeUndone(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	before := tr.snapshot()
	var undone []string
	act := func(name string, err error) Action {
		return Action{Name: name, Do: func(context.Context) error { return nil }, Undo: func(context.Context) error {
			undone = append(undone, name)
			return err
		}}
	}
	failing := Action{Name: "last", Do: func(context.Context) error { return errInjected }}
	_, err := tr.bakeOf(context.Background(), writes("one", "/etc/a.conf", act("1", nil), act("2", errors.New("the service is gone"))), writes("two", "/etc/b.conf", failing))
	for _, want := range []string{"two: last: injected", "every file was put back as it was", "2: the service is gone"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
	if !errors.Is(err, errActed) || errors.Is(err, errUndone) || !slices.Equal(undone, []string{"2", "1"}) {
		t.Errorf("undone: %q, %v", undone, err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("left behind: %s", d)
	}
}

// What is replaced is written down, for root alone, before it is replaced.
func TestTheJournalOfARunUnderWay(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	look := Action{Name: "look", Do: func(context.Context) error {
		if got := tr.read("/etc/b.conf"); got != "new\n" {
			t.Errorf("acted before the change: %q", got)
		}
		journalIsClosed(t, tr)
		entries, err := os.ReadDir(tr.path(journal.Dir))
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if want := []string{"000-one.json", "001-two.json", "reserve"}; err != nil || !slices.Equal(names, want) {
			t.Errorf("the journal holds %q, want %q, %v", names, want, err)
		}
		// Room to put back the largest of what may be replaced.
		if info, err := os.Stat(tr.path(journal.Dir + "/reserve")); err != nil || info.Size() < 1<<20 {
			t.Errorf("the reserve: %v, %v", info, err)
		}
		return nil
	}}
	tr.write("/etc/a.conf", strings.Repeat("x", 1<<20))
	if _, err := tr.bakeOf(context.Background(), writes("one", "/etc/a.conf"), writes("two", "/etc/b.conf", look)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(tr.path(journal.Dir)); err == nil {
		t.Error("the journal of a run that is final is still there")
	}
}

// Somebody has put a file where a folder was: nothing can be put back into it, and
// what is needed for that is kept until it can.
func TestAJournalIsKeptUntilAllIsBack(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	tr.write("/etc/d/one.conf", "old\n")
	before := tr.snapshot()
	fail := Action{Name: "spoil", Do: func(context.Context) error {
		return errors.Join(errInjected, os.RemoveAll(tr.path("/etc/d")), os.WriteFile(tr.path("/etc/d"), nil, 0o600))
	}}
	_, err := tr.bakeOf(context.Background(), writes("one", "/etc/d/one.conf"), writes("two", "/etc/a.conf", fail))
	if !errors.Is(err, errInjected) || errors.Is(err, errUndone) || !strings.Contains(err.Error(), "putting things back failed too") || !strings.Contains(err.Error(), journal.Dir) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(tr.path(journal.Dir)); err != nil {
		t.Fatal("the journal is gone, and with it what was replaced")
	}
	if got := tr.read("/etc/a.conf"); got != "old a\n" {
		t.Errorf("what can be put back is not: %q", got)
	}
	if rep, err := tr.bakeOf(context.Background()); err == nil || !strings.Contains(err.Error(), "putting back what a killed run had changed") {
		t.Errorf("the next run went on as if nothing were: %v %+v", err, rep)
	}
	tr.remove("/etc/d")
	if err := os.Mkdir(tr.path("/etc/d"), 0o755); err != nil {
		t.Fatal(err)
	}
	rep := onlyRecover(tr)
	tr.remove(state.Dir) // it was not this run that made it
	if d := differences(before, tr.snapshot()); len(d) > 0 || len(rep.Warnings) != 1 {
		t.Errorf("not put back: %s, warnings %q", d, rep.Warnings)
	}
}

// A check that fails undoes everything, one that passes or is skipped does not, and
// what a check says in a run whose time is up is not of the machine.
func TestAFailedCheckUndoesTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	checks := func(list ...report.Check) func(context.Context, *Machine) []report.Check {
		return func(_ context.Context, m *Machine) []report.Check {
			if b, err := m.ReadFile("/etc/a.conf"); err != nil || string(b) != "new\n" {
				t.Errorf("the check reads %q, %v", b, err)
			}
			return list
		}
	}
	good, skipped := report.Check{Name: "good", Status: report.Pass}, report.Check{Name: "later", Status: report.CheckSkipped}
	bad := report.Check{Name: "bad", Status: report.Fail, Detail: "it is not so"}
	for name, c := range map[string]struct {
		step Step
		ctx  context.Context
		want string
	}{
		"passes": {Step{Check: checks(good, skipped)}, context.Background(), ""},
		"fails":  {Step{Check: checks(good, bad)}, context.Background(), "one: a check failed: bad: it is not so"},
		"inspects": {Step{Inspect: func(ctx context.Context, m *Machine) ([]report.Finding, []report.Check) {
			return nil, checks(bad)(ctx, m)
		}}, context.Background(), "one: a check failed: bad: it is not so"},
		"passes both": {Step{Check: checks(good), Inspect: func(ctx context.Context, m *Machine) ([]report.Finding, []report.Check) {
			return nil, checks(good)(ctx, m)
		}}, context.Background(), ""},
		"time is up":     {Step{Check: func(context.Context, *Machine) []report.Check { cancel(); return []report.Check{good} }}, ctx, "one: context canceled"},
		"on an instance": {Step{In: []report.Phase{report.FirstBoot}, Check: checks(bad)}, context.Background(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			tr := bare(t)
			before := tr.snapshot()
			step := writes("one", "/etc/a.conf")
			step.Check, step.Inspect = c.step.Check, c.step.Inspect
			if c.step.In != nil {
				step.In = c.step.In
			}
			rep, err := tr.bakeOf(c.ctx, step)
			if c.want == "" {
				if err != nil || rep.Result != report.OK {
					t.Errorf("error %v", err)
				}
				if deferred := rep.Steps[0].Status == report.Deferred; deferred != (c.step.In != nil) || deferred != (rep.Steps[0].Reason != "") {
					t.Errorf("%+v", rep.Steps)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || errors.Is(err, ErrCheck) != (name != "time is up") {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if d := differences(before, tr.snapshot()); len(d) > 0 {
				t.Errorf("left behind: %s", d)
			}
		})
	}
}

// A run whose time is up before it begins writes nothing.
func TestARunWithoutTime(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	before := tr.snapshot()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	proposed := false
	step := writes("one", "/etc/a.conf")
	step.Propose = func(context.Context, *Machine) (Proposal, error) { proposed = true; return Proposal{}, nil }
	if _, err := tr.bakeOf(over, step); !errors.Is(err, context.Canceled) || proposed {
		t.Errorf("proposed: %t, %v", proposed, err)
	}
	// It ends just before the first step is carried out.
	begun, end := context.WithCancel(context.Background())
	defer end()
	r := tr.runner()
	r.Out = ends{end}
	acts := Action{Name: "acts", Do: func(context.Context) error { t.Error("the step was carried out"); return nil }}
	r.Steps = []Step{writes("one", "/etc/a.conf", acts)}
	if _, err := r.Apply(begun, plan.Default(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	// And before the second step.
	ctx, cancel := context.WithCancel(context.Background())
	stop := Action{Name: "stop", Do: func(context.Context) error { cancel(); return nil }}
	late := Action{Name: "late", Do: func(context.Context) error { t.Error("the second step was carried out"); return nil }}
	if _, err := tr.bakeOf(ctx, writes("one", "/etc/a.conf", stop), writes("two", "/etc/b.conf", late)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("left behind: %s", d)
	}
}

// ends is a sink that ends the time of a run as its first step begins.
type ends struct{ now context.CancelFunc }

func (e ends) Begin(string)  { e.now() }
func (ends) End(report.Step) {}

// A proposal turned into changes: folders that lack, the .bak of an original, and
// nothing for what is already so.
func TestWhatAChangeBringsAlong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  Change
		there   string // at the path's .bak
		want    []string
		actions string // of the report, with paths
		err     string
	}{
		"a new file, two folders deep": {
			change: Change{Path: "/etc/x/y/z.conf", Node: host.NewFile([]byte("z"), 0o640), Original: true},
			want:   []string{"new: /etc/x", "new: /etc/x/y", "new: /etc/x/y/z.conf"}, actions: "create /etc/x/y/z.conf",
		},
		"an original": {
			change: Change{Path: "/etc/a.conf", Node: host.NewFile([]byte("z"), 0o640), Original: true},
			want:   []string{"changed: /etc/a.conf", "new: /etc/a.conf.bak"}, actions: "edit /etc/a.conf",
		},
		"an original that was kept before": {
			change: Change{Path: "/etc/a.conf", Node: host.NewFile([]byte("z"), 0o640), Original: true}, there: "the first",
			want: []string{"changed: /etc/a.conf"}, actions: "edit /etc/a.conf",
		},
		"our own": {
			change: Change{Path: "/etc/a.conf", Node: host.NewFile([]byte("z"), 0o640)},
			want:   []string{"changed: /etc/a.conf"}, actions: "edit /etc/a.conf",
		},
		"already so":       {change: Change{Path: "/etc/a.conf", Node: host.NewFile([]byte("old a\n"), 0o644), Original: true}},
		"its mode alone":   {change: Change{Path: "/etc/a.conf", Node: host.NewFile([]byte("old a\n"), 0o600)}, want: []string{"changed: /etc/a.conf"}, actions: "edit /etc/a.conf"},
		"goes":             {change: Change{Path: "/etc/a.conf", Node: host.Node{Kind: host.Absent}}, want: []string{"gone: /etc/a.conf"}, actions: "remove /etc/a.conf"},
		"is gone":          {change: Change{Path: "/etc/none", Node: host.Node{Kind: host.Absent}}},
		"a folder there":   {change: Change{Path: "/etc", Node: host.NewFile(nil, 0o600)}, err: "/etc is a folder where a file belongs: move it out of the way"},
		"a file above it":  {change: Change{Path: "/etc/a.conf/x", Node: host.NewFile(nil, 0o600)}, err: "/etc/a.conf"},
		"not an address":   {change: Change{Path: "etc/a.conf", Node: host.NewFile(nil, 0o600)}, err: "looking at etc/a.conf: "},
		"a folder, closed": {change: Change{Path: "/etc", Node: host.Node{Kind: host.Folder, Mode: 0o700}}, want: []string{"changed: /etc"}, actions: "edit /etc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := bare(t)
			c.change.Node.UID, c.change.Node.GID = os.Getuid(), os.Getgid()
			if c.there != "" {
				tr.write(c.change.Path+".bak", c.there)
			}
			before := tr.snapshot()
			rep, err := tr.bakeOf(context.Background(), Step{Name: "one", In: bake, Propose: func(context.Context, *Machine) (Proposal, error) {
				return Proposal{Changes: []Change{c.change}}, nil
			}})
			if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			changed := slices.DeleteFunc(differences(before, tr.snapshot()), func(s string) bool { return strings.Contains(s, state.Dir) })
			slices.Sort(changed)
			if !slices.Equal(changed, c.want) {
				t.Errorf("%q, want %q", changed, c.want)
			}
			if err != nil {
				return
			}
			shown, status := "", report.Unchanged
			for _, ch := range rep.Steps[0].Changes {
				shown += ch.Action + " " + ch.Path
			}
			if c.want != nil {
				status = report.Changed
			}
			if shown != c.actions || rep.Steps[0].Status != status {
				t.Errorf("the report: %s, %q, want %q", rep.Steps[0].Status, shown, c.actions)
			}
			for _, folder := range []string{"/etc/x", "/etc/x/y"} {
				if info, err := os.Stat(tr.path(folder)); err == nil && info.Mode().Perm() != 0o755 {
					t.Errorf("%s: %v", folder, info.Mode())
				}
			}
			if slices.Contains(c.want, "new: /etc/a.conf.bak") {
				if got := tr.read("/etc/a.conf.bak"); got != "old a\n" {
					t.Errorf("the .bak holds %q", got)
				}
			}
			if _, err := tr.runner().Rollback(context.Background()); err != nil {
				t.Fatal(err)
			}
			if d := differences(before, tr.snapshot()); len(d) > 0 {
				t.Errorf("after the rollback: %s", d)
			}
		})
	}
}

// A .bak is of the image's originals alone: an instance's would hold its secrets.
func TestNoBakOnAnInstance(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	before := tr.snapshot()
	tr.firstboot()
	mustRun(tr, report.Rotate)
	for _, d := range differences(before, tr.snapshot()) {
		if strings.HasSuffix(d, ".bak") {
			t.Error(d)
		}
	}
}

// Steps that come only with others: last, and not on their own.
func TestStepsThatComeWithOthers(t *testing.T) {
	t.Parallel()
	for name, others := range map[string]bool{"with another": true, "alone": false} {
		tr := bare(t)
		var asked []string
		ask := func(name string, p Proposal) Step {
			return Step{Name: name, In: bake, Propose: func(context.Context, *Machine) (Proposal, error) {
				asked = append(asked, name)
				return p, nil
			}}
		}
		first := ask("first", Proposal{})
		first.OnlyWithOthers = true
		p := Proposal{}
		if others {
			p.Changes = []Change{{Path: "/etc/a.conf", Node: host.NewFile(nil, 0o600)}}
		}
		rep, err := tr.bakeOf(context.Background(), first, ask("second", p), Step{Name: "of a verify", In: []report.Phase{report.Verify}})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"second"}
		if others {
			want = []string{"second", "first"}
		}
		if !slices.Equal(asked, want) || len(rep.Steps) != 2 || rep.Steps[0].Name != "first" {
			t.Errorf("%s: asked %q, want %q; told %+v", name, asked, want, rep.Steps)
		}
	}
}

// A step that cannot say what it wants fails the run before anything is written,
// and the report has its line.
func TestAStepThatCannotPropose(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	before := tr.snapshot()
	rep, err := tr.bakeOf(context.Background(), writes("one", "/etc/a.conf"), Step{Name: "two", In: bake, Propose: func(context.Context, *Machine) (Proposal, error) {
		return Proposal{}, errInjected
	}})
	if !errors.Is(err, errInjected) || err.Error() != "two: injected" {
		t.Errorf("error %v", err)
	}
	if len(rep.Steps) != 1 || rep.Steps[0].Name != "two" || rep.Steps[0].Status != report.StepFailed || rep.Steps[0].Reason != "injected" {
		t.Errorf("told: %+v", rep.Steps)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("left behind: %s", d)
	}
}

// Something else came up where a step had seen what it discards.
func TestWhatIsDiscardedMustBeWhatWasSeen(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	tr.write("/var/log/f.log", "x")
	swap := Action{Name: "swap", Do: func(context.Context) error {
		return errors.Join(os.Remove(tr.path("/var/log/f.log")), os.Symlink("/etc/a.conf", tr.path("/var/log/f.log")))
	}}
	_, err := tr.bakeOf(context.Background(), writes("one", "/etc/b.conf", swap), Step{Name: "two", In: bake, Propose: func(context.Context, *Machine) (Proposal, error) {
		return Proposal{Changes: []Change{{Path: "/var/log/f.log", Node: host.Node{Kind: host.Absent}, Discard: true}}}, nil
	}})
	if err == nil || !strings.Contains(err.Error(), "/var/log/f.log was changed by somebody else") {
		t.Errorf("error %v", err)
	}
	if info, err := os.Lstat(tr.path("/var/log/f.log")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("it is gone: %v", err)
	}
}

// What rollback keeps of a person's may hold a password: it is root's alone, and
// kept once, where it was changed since and only there.
func TestWhatRollbackKeepsIsClosed(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	if _, err := tr.bakeOf(context.Background(), writes("one", "/etc/a.conf"), writes("two", "/etc/b.conf"), writes("three", "/etc/c.conf")); err != nil {
		t.Fatal(err)
	}
	tr.write("/etc/a.conf", "a person's\n")
	tr.write("/etc/b.conf", "old b\n") // put back by hand
	if err := os.Chmod(tr.path("/etc/a.conf"), 0o666); err != nil {
		t.Fatal(err)
	}
	tr.remove("/etc/c.conf")
	rep, err := tr.runner().Rollback(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := filepath.Glob(tr.path("/root/fs-harden-rollback-*/etc/*"))
	if err != nil || len(kept) != 1 || filepath.Base(kept[0]) != "a.conf" {
		t.Fatalf("kept: %q, %v", kept, err)
	}
	if info, err := os.Stat(kept[0]); err != nil || info.Mode() != 0o600 {
		t.Errorf("it has the mode %v, %v", info.Mode(), err)
	}
	if text, err := described(kept[0]); err != nil || !strings.HasPrefix(text, fmt.Sprintf("-rw------- %d:%d ", os.Getuid(), os.Getgid())) || !strings.HasSuffix(text, "a person's\n") {
		t.Errorf("kept is %s, %v", text, err)
	}
	if got := tr.read("/etc/a.conf") + tr.read("/etc/b.conf"); got != "old a\nold b\n" {
		t.Errorf("put back: %q", got)
	}
	if _, err := os.Lstat(tr.path(state.Dir)); err == nil {
		t.Error("the records are still there")
	}
	if len(rep.Steps) != 1 || rep.Steps[0].Status != report.Changed || rep.Phase != report.Rollback {
		t.Errorf("%+v", rep)
	}
	// Once more: nothing to do, and nothing written.
	before := tr.snapshot()
	rep, err = tr.runner().Rollback(context.Background())
	if err != nil || len(rep.Steps) != 1 || rep.Steps[0].Status != report.Unchanged || rep.Steps[0].Reason != "nothing was ever changed here" {
		t.Errorf("once more: %+v, %v", rep, err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("once more: %s", d)
	}
}
