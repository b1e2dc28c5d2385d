package harden

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// givenAway makes folders ones in which every user may change the names. They stand
// for folders of FreeSWITCH's user: no root is needed for it.
func (tr tree) givenAway(paths ...string) {
	tr.t.Helper()
	for _, p := range paths {
		if err := errors.Join(os.MkdirAll(tr.path(p), 0o755), os.Chmod(tr.path(p), 0o777)); err != nil {
			tr.t.Fatal(err)
		}
	}
}

func (tr tree) link(p, target string) {
	tr.t.Helper()
	_ = os.Remove(tr.path(p))
	if err := errors.Join(os.MkdirAll(filepath.Dir(tr.path(p)), 0o755), os.Symlink(target, tr.path(p))); err != nil {
		tr.t.Fatal(err)
	}
}

// What an admin user does with his file keeps no FreeSWITCH down.
func TestAHomeBreaksNoFirstBoot(t *testing.T) {
	t.Parallel()
	const file = "/home/admin/.fs_cli_conf"
	for name, spoil := range map[string]func(tr tree){
		"a folder":      func(tr tree) { tr.write(file+"/x", "") },
		"a FIFO":        func(tr tree) { tr.must(syscall.Mkfifo(tr.path(file), 0o600)) },
		"a sparse file": func(tr tree) { tr.write(file, ""); tr.must(os.Truncate(tr.path(file), 40<<30)) },
		"a large file":  func(tr tree) { tr.write(file, strings.Repeat("x", maxCLIFile+1)) },
		"a hard link to a file of somebody else": func(tr tree) {
			tr.givenAway("/home/admin")
			tr.write("/srv/theirs", "")
			tr.must(os.Link(tr.path("/srv/theirs"), tr.path(file)))
		},
		"a home in which he may write nothing": func(tr tree) { tr.must(os.Chmod(tr.path("/home/admin"), 0o555)) },
		"no home": func(tr tree) {
			tr.remove("/home/admin")
			tr.write("/home/admin", "a file")
		},
		"a home that is a link out of another's folder": func(tr tree) {
			tr.remove("/home/admin")
			tr.givenAway("/home")
			tr.link("/home/admin", "/etc/cron.d")
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTree(t)
			tr.apply()
			tr.write("/etc/cron.d/theirs", "")
			spoil(tr)
			rep := tr.firstboot()
			if !slices.ContainsFunc(rep.Warnings, func(w string) bool { return strings.Contains(w, "fs-harden rotate") }) {
				t.Errorf("nothing is said of it: %q", rep.Warnings)
			}
			if slices.ContainsFunc(stepOf(t, rep, "fs-cli").Changes, func(c report.Change) bool { return c.Path == file }) {
				t.Error("the report says that it was written")
			}
			if err := tr.runner().Gate(context.Background()); err != nil {
				t.Errorf("FreeSWITCH may not start: %v", err)
			}
			if names, err := os.ReadDir(tr.path("/etc/cron.d")); err != nil || len(names) != 1 {
				t.Errorf("/etc/cron.d holds %v, %v", names, err)
			}
		})
	}
}

// A link in a home is replaced, and what it leads to stays.
func TestALinkInAHomeIsReplaced(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	tr.write("/srv/theirs", "password => mine\n")
	tr.link("/home/admin/.fs_cli_conf", "/srv/theirs")
	tr.firstboot()
	if got := tr.read("/srv/theirs"); got != "password => mine\n" {
		t.Errorf("what the link leads to holds %q", got)
	}
	if info, err := os.Lstat(tr.path("/home/admin/.fs_cli_conf")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("%v, %v", info, err)
	}
}

func (tr tree) must(err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatal(err)
	}
}

// An image is made of an instance in which FreeSWITCH's user and a user of the
// machine have put links where our files lie, and written a configuration that
// names folders of others. None of what they lead to is touched.
func TestForgetTouchesNothingOfOthers(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	theirs := map[string]string{
		"/etc/passwd-": "root", "/var/lib/mysql/users.db": "rows", "/etc/ssh/ssh_host_rsa_key": "-----BEGIN PRIVATE KEY-----\n",
		"/srv/other.conf": "password => x\n", "/etc/shadow": "root:*:\n", "/var/lib/pg/base": "rows", "/var/lib/pg/fs.log": "rows",
		"/etc/letsencrypt/live/x/privkey.pem": "-----BEGIN PRIVATE KEY-----\n",
	}
	for p, text := range theirs {
		tr.write(p, text)
	}
	sofia := "/etc/freeswitch/sip_profiles/internal.xml"
	tr.write(sofia, strings.Replace(tr.read(sofia), "<settings>", `<settings><param name="tls-cert-dir" value="/etc/letsencrypt/live/x"/>`, 1))
	logs := "/etc/freeswitch/autoload_configs/logfile.conf.xml"
	at := strings.LastIndex(tr.read(logs), "<settings>") // of a profile
	tr.write(logs, tr.read(logs)[:at]+`<settings><param name="logfile" value="/var/lib/pg/fs.log"/>`+tr.read(logs)[at+len("<settings>"):])
	p := plan.Default()
	p.AdminUsers, p.CleanupSystem = []string{"admin"}, true
	r := tr.runner()
	if _, err := r.Apply(context.Background(), p, nil); !errors.Is(err, ErrCheck) || !strings.Contains(err.Error(), "/var/lib/pg/fs.log") {
		t.Fatalf("the bake does not say what is left to do: %v", err)
	}
	tr.write("/var/lib/pg/fs.log", "") // as a person would
	tr.write("/etc/letsencrypt/live/x/privkey.pem", "")
	if _, err := tr.runner().Apply(context.Background(), p, nil); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/var/lib/pg/fs.log", "/etc/letsencrypt/live/x/privkey.pem"} {
		tr.write(p, theirs[p])
	}
	tr.firstboot()

	tr.givenAway("/var/log/freeswitch", "/var/lib/freeswitch", "/etc/freeswitch/tls", "/home/admin")
	tr.write("/var/log/freeswitch/freeswitch.log", "a call")
	tr.link("/var/log/freeswitch/zz.log", "/etc/passwd-")
	tr.link("/var/log/freeswitch/calls", "/var/lib/pg")
	tr.remove("/var/lib/freeswitch/db")
	tr.link("/var/lib/freeswitch/db", "/var/lib/mysql")
	tr.link("/etc/freeswitch/tls/k.pem", "/etc/ssh/ssh_host_rsa_key")
	tr.link("/home/admin/.fs_cli_conf", "/srv/other.conf")
	tr.link("/home/admin/.bash_history", "/etc/shadow")
	tr.link("/root/.fs_cli_conf", "/srv/other.conf") // root's own, and what it leads to is not ours
	tr.forget()
	for p, text := range theirs {
		if got := tr.read(p); got != text {
			t.Errorf("%s holds %q", p, got)
		}
	}
	if _, err := os.Lstat(tr.path("/var/log/freeswitch/freeswitch.log")); err == nil {
		t.Error("a log of FreeSWITCH's own is still there")
	}
}

// The configuration includes a file that is root's: no run changes it.
func TestAnIncludeFromElsewhereIsNotChanged(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	const theirs = "/etc/site/passwords.xml"
	text := `<X-PRE-PROCESS cmd="set" data="default_password=1234"/>`
	tr.write(theirs, text)
	vars := "/etc/freeswitch/vars.xml"
	tr.write(vars, strings.Replace(tr.read(vars), "</include>", `<X-PRE-PROCESS cmd="include" data="`+theirs+`"/>`+"\n</include>", 1))
	before := tr.snapshot()
	_, err := tr.runner().Apply(context.Background(), plan.Default(), nil)
	if err == nil || !strings.Contains(err.Error(), theirs) || !strings.Contains(err.Error(), "below /etc/freeswitch") {
		t.Errorf("got %v", err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("changed: %s", d)
	}
}

// What hangs a reader is an error that names it, in every command.
func TestAFIFOAmongTheProfiles(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	tr.firstboot()
	const fifo = "/etc/freeswitch/sip_profiles/x.xml"
	tr.must(syscall.Mkfifo(tr.path(fifo), 0o600))
	ctx := context.Background()
	for name, run := range map[string]func() error{
		"gate":   func() error { return tr.runner().Gate(ctx) },
		"rotate": func() error { _, err := tr.runner().Rotate(ctx); return err },
		"apply":  func() error { _, err := tr.runner().Apply(ctx, plan.Default(), nil); return err },
		"forget": func() error { _, err := tr.runner().Forget(ctx); return err },
		"verify": func() error {
			rep, err := tr.runner().Verify(ctx)
			if err != nil && rep.FailedChecks() > 0 {
				err = errors.New(failures(rep))
			}
			return err
		},
		"status": func() error {
			st, err := tr.runner().Status(ctx)
			return errors.Join(err, errors.New(st.Why))
		},
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), fifo) {
			t.Errorf("%s does not name it: %v", name, err)
		}
	}
}

func failures(rep *report.Report) string {
	var all []string
	for _, st := range rep.Steps {
		for _, c := range st.Checks {
			if c.Status == report.Fail {
				all = append(all, c.Detail)
			}
		}
	}
	return strings.Join(all, "; ")
}

// A person mends a file after a run was killed: the next one says where it is kept.
func TestARecoveryTellsOfAnEdit(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	h := tr.runner().Host
	before, err := h.Lookup("/etc/freeswitch/vars.xml")
	tr.must(err)
	_, err = journal.New(h, nil, 0).Write("edit", []journal.Entry{{Path: "/etc/freeswitch/vars.xml", Before: before, After: before.WithData([]byte("half"))}})
	tr.must(err)
	tr.write("/etc/freeswitch/vars.xml", "mended by hand")
	rep := tr.firstboot()
	at := slices.IndexFunc(rep.Warnings, func(w string) bool { return strings.Contains(w, "/root/fs-harden-recovered-") })
	if at < 0 {
		t.Fatalf("warnings: %q", rep.Warnings)
	}
	_, rest, _ := strings.Cut(rep.Warnings[at], "/root/")
	dir, _, _ := strings.Cut(rest, ";")
	if got := tr.read("/root/" + dir + "/etc/freeswitch/vars.xml"); got != "mended by hand" {
		t.Errorf("kept is %q", got)
	}
	if !strings.Contains(tr.read("/etc/freeswitch/vars.xml"), "default_password") {
		t.Error("vars.xml did not come back")
	}
	if tr.runner().Host.Exists(state.PendingPath) {
		t.Error("the first boot did not end")
	}
}

// FreeSWITCH's user writes the configuration, and with it names files of others.
// What stands beside one is not a copy of ours, whatever it holds.
func TestForgetRemovesNothingThatTheConfigurationNames(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	tr.firstboot()
	const vars, theirs = "/etc/freeswitch/vars.xml", "/opt/other/app.xml.bak"
	tr.write("/opt/other/app.xml", "<include/>\n")
	tr.write(theirs, "of somebody else, and of default_password=another < no XML\n")
	tr.write(vars, strings.Replace(tr.read(vars), "</include>", "<X-PRE-PROCESS cmd=\"include\" data=\"/opt/other/app.xml\"/>\n</include>", 1))
	tr.forget()
	if !tr.has(theirs) {
		t.Errorf("%s was removed", theirs)
	}
}
