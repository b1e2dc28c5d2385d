package harden

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// killEnv makes this test binary a run that is killed: the tree's folder, the
// phase, and the step behind whose changes it happens, a line each.
const killEnv = "FS_HARDEN_TEST_KILL"

func TestMain(m *testing.M) {
	how := os.Getenv(killEnv)
	if how == "" {
		os.Exit(m.Run())
	}
	if err := dieAt(how); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1) // it was to be killed
}

func dieAt(how string) error {
	var dir, phase, step string
	if _, err := fmt.Sscan(how, &dir, &phase, &step); err != nil {
		return err
	}
	h, err := host.Open(dir, nil)
	if err != nil {
		return err
	}
	r := &Runner{Host: h, Out: silent{}, Steps: Steps(), program: "testdata/program"}
	r.fault = func(name string) error {
		if name == step {
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return nil
	}
	_, err = runPhase(r, report.Phase(phase))
	return err
}

// killAt starts a run in a process of its own that is killed, SIGKILL, once that
// step's changes are written: nothing of it runs on, and nothing is tidied up.
func killAt(tr tree, phase report.Phase, step string) {
	tr.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), killEnv+"="+strings.Join([]string{tr.dir, string(phase), step}, "\n"))
	out, err := cmd.CombinedOutput()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); err == nil || !ok || !ws.Signaled() {
		tr.t.Fatalf("%s was not killed at %s: %v %s", phase, step, err, out)
	}
}

// A run that was killed behind any of its steps is put back by the next one before
// that does anything, its temporary files are swept, and its journal was closed to
// others all the while.
func TestAKilledRunIsPutBack(t *testing.T) {
	// A folder in which the run has written by then.
	wrote := map[string]string{
		"helper": "/usr/local/sbin", "sip-password": "/etc/freeswitch", "event-socket": "/etc/freeswitch", "credentials": "/root",
		"gate": "/etc/systemd/system", "record": "/etc/freeswitch", "commit": "/root",
	}
	for phase, steps := range map[report.Phase][]string{
		report.Bake:      {"preflight", "helper", "event-socket", "gate", "record"},
		report.FirstBoot: {"sip-password", "credentials", "commit"},
		report.Rotate:    {"event-socket", "commit"},
	} {
		ready := newTree(t)
		if phase != report.Bake {
			ready.apply()
		}
		if phase == report.Rotate {
			ready.firstboot()
		}
		for _, step := range steps {
			t.Run(string(phase)+"/"+step, func(t *testing.T) {
				t.Parallel()
				tr := ready.copy(t)
				before := tr.snapshot()
				killAt(tr, phase, step)
				if _, err := os.Lstat(tr.path(journal.Dir)); (err == nil) != (step != "preflight") {
					t.Fatalf("the journal of the run that was killed: %v", err)
				}
				journalIsClosed(t, tr)
				for _, dir := range []string{wrote[step], state.Dir} {
					if dir != "" {
						tr.write(dir+"/.x.fs-harden-tmp-ABCDEFGHIJ", "half")
					}
				}
				rep := onlyRecover(tr)
				_, pending := os.Lstat(tr.path(state.PendingPath))
				if phase == report.FirstBoot && pending != nil {
					t.Error("the secrets that were chosen are lost")
				}
				tr.remove(state.PendingPath)
				if phase == report.Bake {
					_ = os.Remove(tr.path(state.Dir)) // empty, it may stay: nothing tells who made it
				}
				if left := differences(before, tr.snapshot()); len(left) > 0 {
					t.Errorf("not put back: %s", left)
				}
				if told := strings.Contains(strings.Join(rep.Warnings, "\n"), "killed half way"); told != (step != "preflight") {
					t.Errorf("warnings: %q", rep.Warnings)
				}
			})
		}
	}
}

// onlyRecover is a run that has nothing to do but what it does first of all.
func onlyRecover(tr tree) *report.Report {
	tr.t.Helper()
	r := tr.runner()
	r.Steps = nil
	s := r.start(report.Bake, nil)
	rep, err := s.finish(s.locked(context.Background(), func() error { return nil }))
	if err != nil {
		tr.t.Fatal(err)
	}
	return rep
}

// journalIsClosed looks at the records of a run under way, or killed: they hold
// what was replaced, passwords among it.
func journalIsClosed(t *testing.T, tr tree) {
	t.Helper()
	for path, is := range tr.snapshot() {
		if !strings.HasPrefix(path, state.Dir) {
			continue
		}
		want := "-rw-------"
		if path == state.Dir || path == journal.Dir {
			want = "drwx------"
		}
		if !strings.HasPrefix(is, want+" ") {
			t.Errorf("%s has the mode %.10s, want %s", path, is, want)
		}
	}
}

// What the records may say of an instance, others must not read.
func TestRecordsAreClosed(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	for _, run := range []func(){func() { tr.apply() }, func() { tr.firstboot() }, func() { mustRun(tr, report.Rotate) }} {
		run()
		journalIsClosed(t, tr)
	}
	for _, phase := range []report.Phase{report.Bake, report.FirstBoot, report.Rotate} {
		if _, err := os.Stat(tr.path(reportPath(phase))); err != nil {
			t.Error(err)
		}
	}
}

// A bake was killed, and the machine boots: what the bake had changed is put back, its
// units and its plan among it, and no secrets are made for a machine without them.
func TestABootAfterAKilledBake(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"gate", "record"} {
		tr := newTree(t)
		before := tr.snapshot()
		killAt(tr, report.Bake, step)
		tr.remove(state.BakingPath)
		r := tr.here(false)
		r.AtBoot = true
		if _, err := r.FirstBoot(context.Background()); err == nil || !strings.Contains(err.Error(), "not baked") {
			t.Errorf("%s: %v", step, err)
		}
		if d := differences(before, tr.snapshot()); len(d) != 1 || d[0] != "new: "+state.Dir {
			t.Errorf("%s: left behind: %s", step, d)
		}
	}
}

// A forget that was killed leaves an instance: the next boot puts its secrets back,
// and makes no others.
func TestABootAfterAKilledForget(t *testing.T) {
	t.Parallel()
	for _, step := range forgetSteps() {
		tr := newTree(t)
		tr.says("Ec2", testInstance)
		tr.apply()
		tr.firstboot()
		sip, esl := tr.secrets()
		before := tr.snapshot()
		killAt(tr, report.Forget, step.Name)
		tr.boot()
		if s, e := tr.secrets(); s != sip || e != esl || !tr.has(state.CommittedPath) {
			t.Errorf("%s: other secrets", step.Name)
		}
		if d := differences(before, tr.snapshot()); len(d) > 0 {
			t.Errorf("%s: %s", step.Name, d)
		}
	}
}
