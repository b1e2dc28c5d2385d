package harden

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// A run does nothing while another does, and its time may end as it waits.
func TestARunWaitsForAnother(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	var second error
	between := Action{Name: "another run", Do: func(context.Context) error {
		before := tr.snapshot()
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_, second = tr.bakeOf(over, writes("two", "/etc/b.conf"))
		if d := differences(before, tr.snapshot()); len(d) > 0 {
			t.Errorf("it wrote %s", d)
		}
		return nil
	}}
	if _, err := tr.bakeOf(context.Background(), writes("one", "/etc/a.conf", between)); err != nil {
		t.Fatal(err)
	}
	if second == nil || !strings.Contains(second.Error(), "another fs-harden is at work") {
		t.Errorf("the second run: %v", second)
	}
}

// The folders of the records are made where they lack, with the modes of the
// system's, and a rollback takes them away again.
func TestFoldersOfTheRecords(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	tr.remove("/var")
	before := tr.snapshot()
	if _, err := tr.bakeOf(context.Background(), writes("one", "/etc/a.conf")); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{"/var": 0o755, "/var/lib": 0o755, state.Dir: 0o700} {
		if info, err := os.Stat(tr.path(path)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, want %v", path, err, mode)
		}
	}
	if _, err := tr.runner().Rollback(context.Background()); err != nil {
		t.Fatal(err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("after the rollback: %s", d)
	}
}

// A rollback between a first boot that failed and the next one.
func TestRollbackDropsThePending(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	before := tr.snapshot()
	tr.apply()
	killAt(tr, report.FirstBoot, "sip-password")
	if _, err := os.Stat(tr.path(state.PendingPath)); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.runner().Rollback(context.Background()); err != nil {
		t.Fatal(err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("left: %s", d)
	}
}

// A record that cannot be written makes the run one that failed.
func TestARunThatCannotBeClosed(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	damage := Action{Name: "damage", Do: func(context.Context) error {
		tr.write(journal.OriginalsPath, "{")
		return nil
	}}
	_, err := tr.bakeOf(context.Background(), writes("one", "/etc/a.conf", damage))
	if !errors.Is(err, errUndone) || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("error %v", err)
	}
	if got := tr.read("/etc/a.conf"); got != "old a\n" {
		t.Errorf("it holds %q", got)
	}
}

// What was to go and could not is told, and nothing is undone for it.
func TestWhatIsLeftIsTold(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	tr.write("/srv/d/key", "MII")
	swap := Action{Name: "swap", Do: func(context.Context) error {
		at := tr.path("/srv/d")
		return errors.Join(os.Chmod(filepath.Dir(at), 0o777), os.Rename(at, at+".real"), os.Symlink("/root", at))
	}}
	discard := Step{Name: "one", In: bake, Propose: func(context.Context, *Machine) (Proposal, error) {
		return Proposal{Changes: []Change{{Path: "/srv/d/key", Node: host.Node{Kind: host.Absent}, Discard: true}}, Actions: []Action{swap}}, nil
	}}
	rep, err := tr.bakeOf(context.Background(), discard, writes("two", "/etc/a.conf"))
	if err == nil || errors.Is(err, errUndone) || !strings.Contains(err.Error(), "all else is done and stays") || !strings.Contains(err.Error(), "/srv/d/key") {
		t.Errorf("error %v", err)
	}
	if rep.Result != report.Failed || tr.read("/etc/a.conf") != "new\n" {
		t.Errorf("%s, and a.conf holds %q", rep.Result, tr.read("/etc/a.conf"))
	}
}

// A person mends a file while a run goes on that fails later.
func TestAFailedRunTellsOfAnEdit(t *testing.T) {
	t.Parallel()
	tr := bare(t)
	mend := Action{Name: "mend", Do: func(context.Context) error { tr.write("/etc/a.conf", "by a person"); return errInjected }}
	_, err := tr.bakeOf(context.Background(), writes("one", "/etc/a.conf", mend))
	if !errors.Is(err, errUndone) || !strings.Contains(err.Error(), "what somebody else changed meanwhile is kept in "+journal.KeptPrefix) {
		t.Errorf("error %v", err)
	}
	kept, err := filepath.Glob(tr.path(journal.KeptPrefix + "*/etc/a.conf"))
	if err != nil || len(kept) != 1 {
		t.Errorf("kept: %q, %v", kept, err)
	}
}

// Every unit of ours that runs the helper on secrets.
func TestUnitsHaveAUMask(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	for _, unit := range []string{"fs-harden-firstboot.service", "fs-harden-verify.service"} {
		text := tr.read("/etc/systemd/system/" + unit)
		_, service, _ := strings.Cut(text, "\n[Service]\n")
		service, _, _ = strings.Cut(service, "\n[")
		if !slices.Contains(strings.Split(service, "\n"), "UMask=0077") {
			t.Errorf("%s:\n%s", unit, text)
		}
	}
}

// Who is given fs_cli's file where the plan names nobody.
func TestBuildUser(t *testing.T) {
	here, err := host.Open("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := bare(t)
	for _, c := range []struct {
		h    *host.Host
		sudo string
		want []string
	}{
		{here, "admin", []string{"admin"}}, {here, "root", []string{}}, {here, "", []string{}},
		{tr.runner().Host, "admin", []string{}},
	} {
		t.Setenv("SUDO_USER", c.sudo)
		if got := BuildUser(c.h); !slices.Equal(got, c.want) || got == nil {
			t.Errorf("%s of %q: %q, want %q", c.h.Root(), c.sudo, got, c.want)
		}
	}
}

// Who cannot read what the image was baked with does nothing.
func TestAPlanThatIsDamaged(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	tr.write(state.PlanPath, "{")
	before := tr.snapshot()
	for name, run := range map[string]func() error{
		"gate":      func() error { return tr.runner().Gate(context.Background()) },
		"firstboot": func() error { _, err := tr.runner().FirstBoot(context.Background()); return err },
		"rotate":    func() error { _, err := tr.runner().Rotate(context.Background()); return err },
		"forget":    func() error { _, err := tr.runner().Forget(context.Background()); return err },
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), state.PlanPath) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("written: %s", d)
	}
	tr.remove(state.PlanPath)
	if _, err := tr.runner().FirstBoot(context.Background()); err == nil || !strings.Contains(err.Error(), "run fs-harden apply first") {
		t.Errorf("without a plan: %v", err)
	}
}
