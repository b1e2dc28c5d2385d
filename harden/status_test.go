package harden

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

func (tr tree) status() Status {
	tr.t.Helper()
	before := tr.snapshot()
	st, err := tr.runner().Status(context.Background())
	if err != nil {
		tr.t.Fatal(err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		tr.t.Errorf("status wrote: %s", d)
	}
	return st
}

// Every stage of a machine's life, by the name that status has for it.
func TestStatus(t *testing.T) {
	booted := func(tr tree) { tr.apply(); tr.firstboot() }
	for name, c := range map[string]struct {
		live    func(tr tree)
		state   State
		ready   bool
		drifted string // path and what
		failing string // the checks' names
	}{
		"never baked": {live: func(tree) {}, state: NotHardened},
		"baked":       {live: func(tr tree) { tr.apply() }, state: Image},
		"booted":      {live: booted, state: Hardened, ready: true},
		"rotated": {live: func(tr tree) {
			booted(tr)
			if _, err := tr.runner().Rotate(context.Background()); err != nil {
				tr.t.Fatal(err)
			}
		}, state: Hardened, ready: true},
		"first boot failed": {live: func(tr tree) {
			tr.apply()
			tr.write(state.PendingPath, "{}")
		}, state: BootFailed},
		"a clone": {live: func(tr tree) {
			booted(tr)
			tr.instance("i-0fedcba9876543210")
		}, state: HeldBack},
		"killed half way": {live: func(tr tree) {
			booted(tr)
			tr.write(journal.Dir+"/000-gate.json", "[]")
		}, state: HalfDone},
		"a file changed": {live: func(tr tree) {
			booted(tr)
			tr.write("/etc/fail2ban/jail.d/fs-harden.local", "[DEFAULT]\n")
		}, state: Drift, ready: true, drifted: "/etc/fail2ban/jail.d/fs-harden.local was changed", failing: "fail2ban-files"},
		"a file gone": {live: func(tr tree) {
			booted(tr)
			tr.remove("/etc/systemd/system/freeswitch.service.d/50-fs-harden-umask.conf")
		}, state: Drift, ready: true, drifted: "/etc/systemd/system/freeswitch.service.d/50-fs-harden-umask.conf is gone", failing: "expanded-configuration"},
		"a secret for the world": {live: func(tr tree) {
			booted(tr)
			if err := os.Chmod(tr.path(credentialsPath), 0o644); err != nil {
				tr.t.Fatal(err)
			}
		}, state: Drift, ready: true, failing: "secret-file " + credentialsPath},
		"logs have grown, secrets and backups are kept elsewhere": {live: func(tr tree) {
			booted(tr)
			tr.write("/var/log/fail2ban.log", "2026-11-23 ...\n")
			tr.remove(credentialsPath)
			tr.remove("/etc/freeswitch/vars.xml.bak")
		}, state: Hardened, ready: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			c.live(tr)
			st := tr.status()
			if st.State != c.state || st.Ready != c.ready || !st.Ready && st.Why == "" {
				t.Errorf("%q, ready: %t (%s)", st.State, st.Ready, st.Why)
			}
			var drifted, failing []string
			for _, d := range st.Drifted {
				drifted = append(drifted, d.Path+" "+d.What)
			}
			for _, f := range st.Failing {
				failing = append(failing, f.Name)
			}
			if strings.Join(drifted, ", ") != c.drifted || strings.Join(failing, ", ") != c.failing {
				t.Errorf("drifted: %s\nfailing: %v", drifted, st.Failing)
			}
			if rotated := !st.Rotated.IsZero(); rotated != (name == "rotated") || rotated && !st.Rotated.Equal(st.Made) {
				t.Errorf("made %s, rotated %s", st.Made, st.Rotated)
			}
		})
	}
}

func TestStatusSeesARunUnderWay(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	unlock, err := tr.runner().Host.Lock(context.Background(), state.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if st := tr.status(); st.State != AtWork {
		t.Errorf("%q", st.State)
	}
}

// The gate opens behind a run that is under way, and not behind one that was
// killed.
func TestTheGateWaitsForARun(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	tr.firstboot()
	tr.write(journal.Dir+"/000-gate.json", "[]")
	if err := tr.runner().Gate(context.Background()); err == nil || !strings.Contains(err.Error(), "killed half way") {
		t.Errorf("behind a run that was killed: %v", err)
	}
	unlock, err := tr.runner().Host.Lock(context.Background(), state.Dir)
	if err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel() // so that it gives up at the first try
	if err := tr.runner().Gate(over); err == nil || !strings.Contains(err.Error(), "another fs-harden is at work") {
		t.Errorf("before a run that has not ended: %v", err)
	}
	answer := make(chan error)
	ctx := &asked{Context: context.Background(), once: make(chan struct{})}
	go func() { answer <- tr.runner().Gate(ctx) }()
	<-ctx.once             // it has seen the journal, and waits
	tr.remove(journal.Dir) // the run ends
	unlock()
	if err := <-answer; err != nil {
		t.Errorf("behind a run that has ended: %v", err)
	}
}

// Never loosened, whatever the unit, and our own drop-in does not count.
func TestUMask(t *testing.T) {
	const unit, own = "/lib/systemd/system/freeswitch.service", "/etc/systemd/system/freeswitch.service.d/"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"none":                       {map[string]string{unit: "[Service]\n"}, "0027"},
		"Debian's":                   {map[string]string{unit: "[Service]\nUMask=0007\n"}, "0007"},
		"stricter":                   {map[string]string{unit: "[Service]\nUMask = 077\n"}, "0077"},
		"another section":            {map[string]string{unit: "[Unit]\nUMask=0077\n[Service]\n"}, "0027"},
		"commented out":              {map[string]string{unit: "[Service]\n;UMask=0077\n#UMask=0077\n"}, "0027"},
		"a drop-in":                  {map[string]string{unit: "[Service]\nUMask=0007\n", own + "override.conf": "[Service]\nUMask=0077\n"}, "0077"},
		"the later drop-in":          {map[string]string{own + "10.conf": "[Service]\nUMask=0077\n", "/run/systemd/system/freeswitch.service.d/20.conf": "[Service]\nUMask=0000\n"}, "0007"},
		"the unit of the operator":   {map[string]string{unit: "[Service]\nUMask=0007\n", "/etc/systemd/system/freeswitch.service": "[Service]\nUMask=0077\n"}, "0077"},
		"ours, from an older unit":   {map[string]string{unit: "[Service]\n", own + umaskDropIn: "[Service]\nUMask=0077\n"}, "0027"},
		"not a number, so systemd's": {map[string]string{unit: "[Service]\nUMask=yes\n"}, "0027"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := tree{t, t.TempDir()}
			for p, text := range c.files {
				tr.write(p, text)
			}
			file, err := umaskFile(&Machine{View: host.NewView(tr.runner().Host), Plan: plan.Default()})
			if err != nil {
				t.Fatal(err)
			}
			if file.Path != own+umaskDropIn || !strings.HasSuffix(string(file.Node.Data), "\nUMask="+c.want+"\n") {
				t.Errorf("want %s, got %s:\n%s", c.want, file.Path, file.Node.Data)
			}
		})
	}
}

// The modes of file and folder that others can read through, and those that not.
func TestExpandedConfigurationIsClosed(t *testing.T) {
	t.Parallel()
	const dir, dropIn = "/var/log/freeswitch", "/etc/systemd/system/freeswitch.service.d/" + umaskDropIn
	tr := newTree(t)
	if err := os.MkdirAll(tr.path(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	tr.apply()
	if info, err := os.Stat(tr.path(dir)); err != nil || info.Mode().Perm() != 0o750 {
		t.Fatalf("the log folder: %v %v", info, err)
	}
	ours := tr.read(dropIn)
	for name, c := range map[string]struct {
		file         string
		mode, folder os.FileMode
		umask, want  string
	}{
		"as it is written":    {file: "freeswitch.xml.fsxml", mode: 0o660, folder: 0o750},
		"the folder is open":  {file: "freeswitch.xml.fsxml", mode: 0o660, folder: 0o755},
		"the file is open":    {file: "freeswitch.xml.fsxml", mode: 0o644, folder: 0o750},
		"both are":            {file: "freeswitch.xml.fsxml", mode: 0o644, folder: 0o755, want: "is open to others"},
		"while it is written": {file: "freeswitch.xml.fsxml.tmp", mode: 0o604, folder: 0o751, want: "is open to others"},
		"not written yet":     {file: "freeswitch.log", mode: 0o644, folder: 0o755},
		"umask lost":          {file: "freeswitch.log", mode: 0o640, folder: 0o750, umask: "[Service]\nUMask=0022\n", want: "lets others in"},
	} {
		tr.write(dropIn, ours)
		if c.umask != "" {
			tr.write(dropIn, c.umask)
		}
		tr.write(dir+"/"+c.file, "x")
		if err := errors.Join(os.Chmod(tr.path(dir+"/"+c.file), c.mode), os.Chmod(tr.path(dir), c.folder)); err != nil {
			t.Fatal(err)
		}
		m := &Machine{View: host.NewView(tr.runner().Host), Plan: plan.Default(), ConfDir: "/etc/freeswitch"}
		checks := checkExpanded(context.Background(), m)
		if got := checks[0]; len(checks) != 1 || (got.Status == report.Fail) != (c.want != "") || !strings.Contains(got.Detail, c.want) {
			t.Errorf("%s: %+v", name, checks)
		}
		tr.remove(dir + "/" + c.file)
	}
}
