package harden

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

func TestFirstBootMakesThisInstancesSecrets(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	imageSIP, imageESL := tr.secrets()
	rep := tr.firstboot()

	if rep.InstanceID != testInstance {
		t.Errorf("instance_id %q", rep.InstanceID)
	}
	sip, esl := tr.secrets()
	if sip == imageSIP || esl == imageESL || len(sip) != secret.Length || len(esl) != secret.Length {
		t.Error("the image's secrets are still there")
	}
	for path, want := range map[string]string{
		"/root/freeswitch-credentials.txt": "sip_default_password = " + sip,
		"/etc/fs_cli.conf":                 "password => " + esl,
		"/home/admin/.fs_cli_conf":         "password => " + esl,
	} {
		if !strings.Contains(tr.read(path), want+"\n") {
			t.Errorf("%s does not hold the secret", path)
		}
		if info, err := os.Stat(tr.path(path)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	for path, text := range tr.snapshot() {
		if strings.HasPrefix(path, "/var/lib/fs-harden") || strings.HasSuffix(path, ".bak") {
			for _, s := range []string{sip, esl, imageSIP, imageESL} {
				if strings.Contains(text, s) {
					t.Errorf("%s holds a secret", path)
				}
			}
		}
	}
	if _, err := os.Stat(tr.path("/var/lib/fs-harden/pending.json")); err == nil {
		t.Error("the secrets in clear were kept")
	}
	if err := tr.runner().Gate(context.Background()); err != nil {
		t.Errorf("the gate stays shut: %v", err)
	}
}

func TestACommittedInstanceIsLeftAlone(t *testing.T) {
	for name, change := range map[string]func(tree){
		"rebooted":                 func(tree) {},
		"metadata service is down": func(tr tree) { tr.remove("/run/cloud-init/.instance-id") },
		"no datasource":            func(tr tree) { tr.instance("iid-datasource-none") },
		"identity in capitals":     func(tr tree) { tr.instance(strings.ToUpper(testInstance)) },
		"dmi appears":              func(tr tree) { tr.write("/sys/class/dmi/id/product_uuid", "ec2aabbc-0123-4567-89ab-cdef01234567\n") },
		"a person's own password": func(tr tree) {
			sip, _ := tr.secrets()
			tr.write("/etc/freeswitch/vars.xml", strings.ReplaceAll(tr.read("/etc/freeswitch/vars.xml"), sip, "correct-horse-battery"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			tr.apply()
			tr.firstboot()
			change(tr)
			before := tr.snapshot()
			tr.firstboot()
			if d := differences(before, tr.snapshot()); len(d) > 0 {
				t.Errorf("written: %s", d)
			}
			if err := tr.runner().Gate(context.Background()); err != nil {
				t.Errorf("gate: %v", err)
			}
		})
	}
}

func TestACloneGetsItsOwnSecrets(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	tr.firstboot()
	sip, esl := tr.secrets()
	tr.instance("i-0fedcba9876543210")
	if err := tr.runner().Gate(context.Background()); err == nil {
		t.Error("the gate let a clone through with its origin's secrets")
	}
	tr.firstboot()
	if s, e := tr.secrets(); s == sip || e == esl {
		t.Error("the clone kept its origin's secrets")
	}
	if err := tr.runner().Gate(context.Background()); err != nil {
		t.Errorf("gate: %v", err)
	}
}

func TestARerunEndsWithTheSecretsItHadChosen(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	r := tr.runner()
	r.fault = func(step string) error {
		if step == "credentials" {
			return errors.New("injected")
		}
		return nil
	}
	if _, err := r.FirstBoot(context.Background()); err == nil {
		t.Fatal("no failure")
	}
	pending := tr.read("/var/lib/fs-harden/pending.json")
	tr.firstboot()
	sip, esl := tr.secrets()
	if !strings.Contains(pending, fmt.Sprintf("%q", sip)) || !strings.Contains(pending, fmt.Sprintf("%q", esl)) {
		t.Error("the rerun drew other secrets")
	}
}

// FreeSWITCH may start only with this instance's own secrets in place.
func TestTheGateStaysShut(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(tree)
		want  string
	}{
		"baked, never booted": {func(tr tree) { tr.remove("/var/lib/fs-harden/committed.json") }, "no secrets of its own"},
		"a run under way":     {func(tr tree) { tr.write("/var/lib/fs-harden/journal/000-x.json", "[]") }, "killed half way"},
		"killed at the end":   {func(tr tree) { tr.write("/var/lib/fs-harden/pending.json", "{}") }, "killed half way"},
		"record is empty":     {func(tr tree) { tr.write("/var/lib/fs-harden/committed.json", "") }, "committed.json is damaged"},
		"record is cut":       {func(tr tree) { tr.write("/var/lib/fs-harden/committed.json", `{"version":1,"at":"20`) }, "committed.json is damaged"},
		"record is hollow":    {func(tr tree) { tr.write("/var/lib/fs-harden/committed.json", `{"version":1}`) }, "it names no secrets"},
		"plan is gone":        {func(tr tree) { tr.remove("/etc/fs-harden/plan.json") }, "plan.json is missing"},
		"configuration does not parse": {
			func(tr tree) { tr.write("/etc/freeswitch/vars.xml", "<include>\n<oops\n") },
			"/etc/freeswitch/",
		},
		"configuration is gone": {func(tr tree) { tr.remove("/etc/freeswitch") }, "no FreeSWITCH configuration"},
		"the default is back": {
			func(tr tree) {
				_, esl := tr.secrets()
				p := "/etc/freeswitch/autoload_configs/event_socket.conf.xml"
				tr.write(p, strings.ReplaceAll(tr.read(p), esl, "ClueCon"))
			},
			"fs-harden rotate",
		},
		"the password is empty": {
			func(tr tree) {
				sip, _ := tr.secrets()
				tr.write("/etc/freeswitch/vars.xml", strings.ReplaceAll(tr.read("/etc/freeswitch/vars.xml"), sip, ""))
			},
			"fs-harden rotate",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			tr.apply()
			tr.firstboot()
			c.spoil(tr)
			before := tr.snapshot()
			err := tr.runner().Gate(context.Background())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("gate: %v, want an error with %q", err, c.want)
			}
			if d := differences(before, tr.snapshot()); len(d) > 0 {
				t.Errorf("the gate wrote: %s", d)
			}
		})
	}
}

// systemd and a person at once: one of them makes the secrets, the other finds them.
func TestTwoFirstBootsAtOnce(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	failed := make(chan error)
	for range 4 {
		go func() {
			_, err := tr.runner().FirstBoot(context.Background())
			failed <- err
		}()
	}
	for range 4 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	sip, esl := tr.secrets()
	for path, want := range map[string]string{"/root/freeswitch-credentials.txt": sip, "/etc/fs_cli.conf": esl} {
		if !strings.Contains(tr.read(path), want) {
			t.Errorf("%s holds another secret than FreeSWITCH's configuration", path)
		}
	}
	if err := tr.runner().Gate(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestRotateReplacesBothSecrets(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	if _, err := tr.runner().Rotate(context.Background()); err == nil {
		t.Error("rotated what was never made")
	}
	tr.firstboot()
	sip, esl := tr.secrets()
	mustRun(tr, report.Rotate)
	s, e := tr.secrets()
	if s == sip || e == esl {
		t.Error("a secret survived the rotation")
	}
	if !strings.Contains(tr.read("/etc/fs_cli.conf"), e) {
		t.Error("fs_cli.conf has the old password")
	}
	for path, text := range tr.snapshot() {
		for _, old := range []string{sip, esl} {
			if strings.Contains(text, old) {
				t.Errorf("%s still holds an old secret", path)
			}
		}
	}
}

func TestAnInstanceThatNothingNames(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.remove("/run/cloud-init/.instance-id")
	tr.apply()
	rep := tr.firstboot()
	if rep.InstanceID != "" || len(rep.Warnings) == 0 {
		t.Errorf("instance_id %q, warnings %q", rep.InstanceID, rep.Warnings)
	}
	sip, _ := tr.secrets()
	tr.instance(testInstance) // an identity that turns up later is no other instance
	tr.firstboot()
	if s, _ := tr.secrets(); s != sip {
		t.Error("a known identity replaced the secrets of an unbound instance")
	}
}

func TestVerifyTellsDrift(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(tree)
		check string
	}{
		"a silent profile": {func(tr tree) { tr.write("/etc/freeswitch/sip_profiles/site.xml", siteProfile) }, "log-auth-failures kernel-table firewall-files"},
		"an open socket": {func(tr tree) {
			p := "/etc/freeswitch/autoload_configs/event_socket.conf.xml"
			tr.write(p, strings.ReplaceAll(tr.read(p), "127.0.0.1", "0.0.0.0"))
		}, "event-socket-loopback"},
		"a missing drop-in":     {func(tr tree) { tr.remove("/etc/systemd/system/freeswitch.service.d/50-fs-harden.conf") }, "gate"},
		"a disabled unit":       {func(tr tree) { tr.remove("/etc/systemd/system/multi-user.target.wants/fs-harden-firstboot.service") }, "gate"},
		"readable credentials":  {func(tr tree) { _ = os.Chmod(tr.path("/root/freeswitch-credentials.txt"), 0o644) }, "secret-file /root/freeswitch-credentials.txt"},
		"a helper without mode": {func(tr tree) { _ = os.Chmod(tr.path("/usr/local/sbin/fs-harden"), 0o644) }, "helper"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			tr.apply()
			tr.firstboot()
			if rep, err := tr.runner().Verify(context.Background()); err != nil {
				t.Fatalf("before: %v %+v", err, rep)
			}
			c.spoil(tr)
			rep, err := tr.runner().Verify(context.Background())
			if !errors.Is(err, ErrCheck) {
				t.Errorf("error %v", err)
			}
			failed := ""
			for _, st := range rep.Steps {
				for _, ch := range st.Checks {
					if ch.Status == report.Fail {
						failed += ch.Name + " "
					}
				}
			}
			if strings.TrimSpace(failed) != c.check {
				t.Errorf("failed: %q, want %q", failed, c.check)
			}
		})
	}
}
