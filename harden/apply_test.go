package harden

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

func TestApplyHardensAVanillaTree(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	rep := tr.apply()

	if rep.Result != report.OK || rep.FailedChecks() != 0 {
		t.Errorf("report: %+v", rep)
	}
	sip, esl := tr.secrets()
	for _, s := range []string{sip, esl} {
		if why := secret.Weakness(secret.Of(s)); why != "" || len(s) != 28 {
			t.Errorf("the image holds a weak secret of %d characters: %s", len(s), why)
		}
	}
	if sip == esl {
		t.Error("both secrets are the same")
	}
	conf := tr.read("/etc/freeswitch/autoload_configs/event_socket.conf.xml")
	for _, want := range []string{
		`<param name="listen-ip" value="127.0.0.1"/>`,
		`<param name="apply-inbound-acl" value="loopback.auto"/>`,
	} {
		if !strings.Contains(conf, want) {
			t.Errorf("event_socket.conf.xml lacks %s", want)
		}
	}
	for _, profile := range []string{"internal", "external", "internal-ipv6", "external-ipv6"} {
		if n := strings.Count(tr.read("/etc/freeswitch/sip_profiles/"+profile+".xml"), `<param name="log-auth-failures" value="true"/>`); n != 1 {
			t.Errorf("%s.xml sets log-auth-failures %d times", profile, n)
		}
	}
	originalVars, err := os.ReadFile(filepath.Join(vanilla, "vars.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if tr.read("/etc/freeswitch/vars.xml.bak") != string(originalVars) {
		t.Error("vars.xml.bak is not the original")
	}
	for _, made := range []string{"/root/freeswitch-credentials.txt", "/etc/fs_cli.conf", "/home/admin/.fs_cli_conf", "/var/lib/fs-harden/committed.json", "/var/lib/fs-harden/pending.json"} {
		if _, err := os.Lstat(tr.path(made)); err == nil {
			t.Errorf("%s is in the image", made)
		}
	}
}

func TestApplyTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	tr := wholeTree(t)
	tr.apply()
	before := tr.snapshot()
	rep := tr.apply()
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("the second apply: %s", d)
	}
	for _, st := range rep.Steps {
		if st.Status == report.Changed {
			t.Errorf("step %s says changed", st.Name)
		}
	}
}

func TestDryRunTouchesNothingAndShowsNoSecret(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	before := tr.snapshot()
	var diff bytes.Buffer
	rep, err := tr.runner().Apply(context.Background(), plan.Default(), &diff)
	if err != nil {
		t.Fatal(err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("a dry run touched: %s", d)
	}
	if !rep.DryRun {
		t.Error("the report does not say that it was a dry run")
	}
	for _, want := range []string{
		"--- a/etc/freeswitch/vars.xml\n+++ b/etc/freeswitch/vars.xml\n@@",
		`-  <X-PRE-PROCESS cmd="set" data="default_password=(hidden)"/>`,
		`+  <X-PRE-PROCESS cmd="set" data="default_password=(random)"/>`,
		`-    <param name="listen-ip" value="::"/>`,
		`+    <param name="listen-ip" value="127.0.0.1"/>`,
		`+    <param name="apply-inbound-acl" value="loopback.auto"/>`,
	} {
		if !strings.Contains(diff.String(), want) {
			t.Errorf("the diff lacks %q", want)
		}
	}
	if strings.Contains(diff.String(), "ClueCon") {
		t.Error("the diff shows the old event socket password")
	}
	if t.Failed() {
		t.Log(diff.String())
	}
}

func TestTheBakeTellsWhatWaitsForFirstBoot(t *testing.T) {
	t.Parallel()
	rep := newTree(t).apply()
	var waiting []string
	for _, st := range rep.Steps {
		if st.Status == report.Deferred {
			waiting = append(waiting, st.Name)
		}
	}
	if want := []string{"credentials", "fs-cli", "reload", "packages", "commit"}; !slices.Equal(waiting, want) {
		t.Errorf("deferred: %v, want %v", waiting, want)
	}
}

// Somebody else writes a file between a step's look and its change.
func TestAChangeInBetweenIsNotWrittenOver(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	r := tr.runner()
	r.fault = func(step string) error {
		if step == "helper" { // carried out before the secrets are
			tr.write("/etc/freeswitch/vars.xml", "<include>\n  <!-- of somebody else -->\n</include>\n")
		}
		return nil
	}
	_, err := r.Apply(context.Background(), plan.Default(), nil)
	if err == nil || !strings.Contains(err.Error(), "vars.xml was changed by somebody else") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(tr.read("/etc/freeswitch/vars.xml"), "of somebody else") {
		t.Error("the other's change is gone")
	}
}

// Every step in turn fails after it has written; the tree is to be what it was,
// to the byte, the mode and the time.
func TestAnyFailingStepIsUndone(t *testing.T) {
	for _, phase := range []report.Phase{report.Bake, report.FirstBoot, report.Rotate} {
		ready := newTree(t)
		if phase != report.Bake {
			ready.apply()
		}
		if phase == report.Rotate {
			ready.firstboot()
		}
		for _, step := range Steps() {
			if !slices.Contains(step.In, phase) {
				continue
			}
			t.Run(string(phase)+"/"+step.Name, func(t *testing.T) {
				t.Parallel()
				tr := ready.copy(t)
				before := tr.snapshot()
				r := failing(tr.runner(), step.Name)
				rep, err := runPhase(r, phase)
				if !errors.Is(err, errInjected) {
					t.Fatalf("the failure was not told: %v", err)
				}
				if rep.Result != report.Failed {
					t.Errorf("result %q", rep.Result)
				}
				// Secrets once drawn are kept for the next try.
				tr.remove("/var/lib/fs-harden/pending.json")
				if d := differences(before, tr.snapshot()); len(d) > 0 {
					t.Errorf("left behind: %s", d)
				}
				r.fault = nil
				if _, err := runPhase(r, phase); err != nil {
					t.Errorf("the next run: %v", err)
				}
			})
		}
	}
}

func runPhase(r *Runner, phase report.Phase) (*report.Report, error) {
	ctx := context.Background()
	switch phase {
	case report.FirstBoot:
		return r.FirstBoot(ctx)
	case report.Rotate:
		return r.Rotate(ctx)
	case report.Forget:
		return r.Forget(ctx)
	default:
		return r.Apply(ctx, plan.Default(), nil)
	}
}

// A rollback gives back the tree as it was, to the byte and to the owner: what it
// adds is what a person has changed since, and that is named here.
func TestRollbackGivesBackTheTree(t *testing.T) {
	const site, external = "/etc/freeswitch/sip_profiles/site.xml", "/etc/freeswitch/sip_profiles/external.xml"
	for name, c := range map[string]struct {
		run  func(tree)
		left []string // the time of the rollback is left out of the names
	}{
		"baked": {run: func(tr tree) { tr.apply() }},
		"baked twice, a profile of the site in between": {
			run:  func(tr tree) { tr.apply(); tr.write(site, siteProfile); tr.apply() },
			left: []string{"new: " + site},
		},
		"a file of a person's changed since": {
			run:  func(tr tree) { tr.apply(); tr.write(external, "<include/>") },
			left: []string{"new: /root/fs-harden-rollback", "new: /root/fs-harden-rollback/etc", "new: /root/fs-harden-rollback/etc/freeswitch", "new: /root/fs-harden-rollback/etc/freeswitch/sip_profiles", "new: /root/fs-harden-rollback" + external},
		},
		"baked and booted": {run: func(tr tree) { tr.apply(); tr.firstboot() }},
		"rotated":          {run: func(tr tree) { tr.apply(); tr.firstboot(); mustRun(tr, report.Rotate) }},
		"never hardened":   {run: func(tree) {}},
		"failed half way":  {run: func(tr tree) { failAt(tr, "gate") }},
		"killed":           {run: func(tr tree) { killAt(tr, report.Bake, "gate") }},
		"killed and run again": {run: func(tr tree) {
			killAt(tr, report.Bake, "log-auth-failures")
			tr.apply()
			killAt(tr, report.FirstBoot, "credentials")
			tr.firstboot()
			killAt(tr, report.Rotate, "event-socket")
			mustRun(tr, report.Rotate)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			before := tr.snapshot()
			c.run(tr)
			rep, err := tr.runner().Rollback(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, d := range differences(before, tr.snapshot()) {
				left = append(left, rollbackTime.ReplaceAllString(d, ""))
			}
			slices.Sort(left)
			if !slices.Equal(left, c.left) {
				t.Errorf("rollback left %q, want %q\n%+v", left, c.left, rep)
			}
			if len(c.left) == 1 && tr.read(site) != siteProfile {
				t.Errorf("%s holds %q", site, tr.read(site))
			}
		})
	}
}

var rollbackTime = regexp.MustCompile(`-\d{8}-\d{6}`)

const siteProfile = "<include>\n  <profile name=\"site\">\n    <settings>\n      <param name=\"sip-port\" value=\"5090\"/>\n    </settings>\n  </profile>\n</include>\n"

func mustRun(tr tree, phase report.Phase) {
	tr.t.Helper()
	if _, err := runPhase(tr.runner(), phase); err != nil {
		tr.t.Fatal(err)
	}
}

// failing is a runner whose run fails once a step was carried out.
func failing(r *Runner, step string) *Runner {
	r.fault = func(name string) error {
		if name == step {
			return errInjected
		}
		return nil
	}
	return r
}

func failAt(tr tree, step string) {
	r := failing(tr.runner(), step)
	_, _ = r.Apply(context.Background(), plan.Default(), nil)
}

func TestRollbackKeepsAsideWhatAPersonChanged(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	tr.write("/etc/freeswitch/sip_profiles/external.xml", "<include/>\n<!-- mine -->\n")
	if _, err := tr.runner().Rollback(context.Background()); err != nil {
		t.Fatal(err)
	}
	kept, err := filepath.Glob(tr.path("/root/fs-harden-rollback-*/etc/freeswitch/sip_profiles/external.xml"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept aside: %v %v", kept, err)
	}
	if b, _ := os.ReadFile(kept[0]); !strings.Contains(string(b), "<!-- mine -->") {
		t.Errorf("kept aside: %q", b)
	}
}

func TestTheSitesOwnProfileIsMadeToLog(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.write("/etc/freeswitch/sip_profiles/site.xml", siteProfile)
	tr.apply()
	if got := tr.read("/etc/freeswitch/sip_profiles/site.xml"); !strings.Contains(got, "      <param name=\"sip-port\" value=\"5090\"/>\n      <param name=\"log-auth-failures\" value=\"true\"/>\n") {
		t.Errorf("site.xml:\n%s", got)
	}
}

func TestBadMachinesAreRefusedUntouched(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(tree)
		plan  func(*plan.Plan)
		want  string
	}{
		"no FreeSWITCH": {
			spoil: func(tr tree) { tr.remove("/etc/freeswitch") },
			want:  "install FreeSWITCH before this provisioner",
		},
		"conf_dir elsewhere": {
			plan: func(p *plan.Plan) { p.ConfDir = "/opt/freeswitch" },
			want: "there is no folder /opt/freeswitch",
		},
		"two configurations": {
			spoil: func(tr tree) { tr.write("/usr/local/freeswitch/conf/freeswitch.xml", "<document/>") },
			want:  "say in conf_dir which one is used",
		},
		"no event socket": {
			spoil: func(tr tree) { tr.remove("/etc/freeswitch/autoload_configs/event_socket.conf.xml") },
			want:  "event_socket.conf.xml is missing",
		},
		"a broken file": {
			spoil: func(tr tree) {
				tr.write("/etc/freeswitch/dialplan/site.xml", "<include>\n<context name=\"x\">\n</include>\n")
			},
			want: "/etc/freeswitch/dialplan/site.xml:",
		},
		"another distribution": {
			spoil: func(tr tree) { tr.write("/etc/os-release", "ID=fedora\nPRETTY_NAME=\"Fedora 41\"\n") },
			want:  "only Debian and Ubuntu are known",
		},
		"the password comes from a command": {
			spoil: func(tr tree) {
				tr.write("/etc/freeswitch/vars.xml", tr.read("/etc/freeswitch/vars.xml")+"\n<X-PRE-PROCESS cmd=\"exec-set\" data=\"default_password=cat /etc/pw\"/>\n")
			},
			want: "default_password",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			if c.spoil != nil {
				c.spoil(tr)
			}
			p := plan.Default()
			if c.plan != nil {
				c.plan(p)
			}
			before := tr.snapshot()
			_, err := tr.runner().Apply(context.Background(), p, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if d := differences(before, tr.snapshot()); len(d) > 0 {
				t.Errorf("touched: %s", d)
			}
		})
	}
}

func TestAConfigurationBehindALink(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	if err := os.MkdirAll(tr.path("/opt"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tr.path("/etc/freeswitch"), tr.path("/opt/conf")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/opt/conf", tr.path("/etc/freeswitch")); err != nil {
		t.Fatal(err)
	}
	tr.apply()
	if !strings.Contains(tr.read("/opt/conf/autoload_configs/event_socket.conf.xml"), "127.0.0.1") {
		t.Error("the file behind the link was not edited")
	}
	if info, err := os.Lstat(tr.path("/etc/freeswitch")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link is gone")
	}
}
