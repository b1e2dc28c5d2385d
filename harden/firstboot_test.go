package harden

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

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

// Where an instance's identity stands.
const (
	cloudID   = "/run/cloud-init/.instance-id"
	assetTag  = "/sys/class/dmi/id/board_asset_tag"
	dmiUUID   = "/sys/class/dmi/id/product_uuid"
	machineID = "/etc/machine-id"
)

const (
	testUUID  = "4c4c4544-0042-4d10-8053-c3c04f4a4e32"
	otherUUID = "4c4c4544-0042-4d10-8053-c3c04f4a4e33"
	testHex   = "b08dfa6083e7567a1921a715000001fb"
	otherHex  = "b08dfa6083e7567a1921a715000001fc"
	otherEC2  = "i-0fedcba9876543210"
)

// Whose secrets these are, whatever becomes of a machine whose identity came
// from source: another instance's boot makes new ones before the gate opens, and
// the same instance's, or nobody's, writes nothing at all.
func TestWhoseSecrets(t *testing.T) {
	baked := newTree(t)
	baked.remove(cloudID)
	baked.apply()
	put := func(path, text string) func(tree) { return func(tr tree) { tr.write(path, text+"\n") } }
	gone := func(path string) func(tree) { return func(tr tree) { tr.remove(path) } }
	resized := func(tr tree) { // what a cloud changes with a machine's size
		tr.write("/sys/class/dmi/id/product_name", "c7i.48xlarge\n")
		tr.write("/proc/cpuinfo", strings.Repeat("processor : 0\n", 192))
		tr.write("/proc/meminfo", "MemTotal: 402653184 kB\n")
	}
	for _, c := range []struct {
		source, id, what string
		then             func(tree)
		fresh            bool
	}{
		{cloudID, testInstance, "rebooted", func(tree) {}, false},
		{cloudID, testInstance, "resized", resized, false},
		{cloudID, testInstance, "its metadata service down", gone(cloudID), false},
		{cloudID, testInstance, "without a datasource", put(cloudID, "iid-datasource-none"), false},
		{cloudID, testInstance, "in capitals", put(cloudID, strings.ToUpper(testInstance)), false},
		{cloudID, testInstance, "its hardware seen at last", put(dmiUUID, otherUUID), false},
		{cloudID, testInstance, "with a person's own password", func(tr tree) {
			sip, _ := tr.secrets()
			tr.write("/etc/freeswitch/vars.xml", strings.ReplaceAll(tr.read("/etc/freeswitch/vars.xml"), sip, "correct-horse-battery"))
		}, false},
		{cloudID, testInstance, "started as another", put(cloudID, otherEC2), true},
		{cloudID, testInstance, "made an image again", tree.forget, true},

		{assetTag, testInstance, "rebooted", func(tree) {}, false},
		{assetTag, testInstance, "resized", resized, false},
		{assetTag, testInstance, "on older hardware", put(assetTag, "Amazon EC2"), false},
		{assetTag, testInstance, "given cloud-init", put(cloudID, otherEC2), false},
		{assetTag, testInstance, "started as another", put(assetTag, otherEC2), true},

		{dmiUUID, testUUID, "rebooted", func(tree) {}, false},
		{dmiUUID, testUUID, "resized", resized, false},
		{dmiUUID, testUUID, "in capitals", put(dmiUUID, strings.ToUpper(testUUID)), false},
		{dmiUUID, testUUID, "hidden", gone(dmiUUID), false},
		{dmiUUID, testUUID, "of firmware that nobody filled in", put(dmiUUID, "03000200-0400-0500-0006-000700080009"), false},
		{dmiUUID, testUUID, "started as another", put(dmiUUID, otherUUID), true},
		{dmiUUID, testUUID, "made an image again", tree.forget, true},

		{machineID, testHex, "rebooted", func(tr tree) { tr.bootedAt(time.Now().Add(time.Hour)) }, false},
		{machineID, testHex, "emptied", put(machineID, ""), false},
		{machineID, testHex, "gone", gone(machineID), false},
		{machineID, testHex, "started as another", put(machineID, otherHex), true},

		{"", "", "given an identity", put(cloudID, testInstance), false},
	} {
		t.Run(strings.TrimPrefix(c.source+" "+c.what, "/"), func(t *testing.T) {
			t.Parallel()
			tr := baked.copy(t)
			tr.bootedAt(time.Now().Add(-time.Hour))
			if c.source != "" {
				tr.write(c.source, c.id+"\n")
			}
			if rep := tr.firstboot(); !strings.EqualFold(rep.InstanceID, c.id) {
				t.Fatalf("bound to %q, not to %q", rep.InstanceID, c.id)
			}
			sip, esl := tr.secrets()
			c.then(tr)
			before := tr.snapshot()
			if err := tr.runner().Gate(context.Background()); (err != nil) != c.fresh {
				t.Errorf("the gate before the boot: %v", err)
			}
			tr.firstboot()
			if !c.fresh {
				if d := differences(before, tr.snapshot()); len(d) > 0 {
					t.Errorf("written: %s", d)
				}
			} else if s, e := tr.secrets(); s == sip || e == esl {
				t.Error("a secret of before is still in use")
			}
			if err := tr.runner().Gate(context.Background()); err != nil {
				t.Errorf("the gate after it: %v", err)
			}
		})
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

// systemd and a person at once: one of them makes the secrets, the others find them.
func TestTwoFirstBootsAtOnce(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	type ended struct {
		rep *report.Report
		err error
	}
	others := make(chan ended)
	r := tr.runner()
	r.fault = func(step string) error {
		if step != "commit" { // the secrets are in place, and not yet recorded
			return nil
		}
		for range 3 {
			ctx := &asked{Context: context.Background(), once: make(chan struct{})}
			go func() {
				rep, err := tr.runner().FirstBoot(ctx)
				others <- ended{rep, err}
			}()
			<-ctx.once // it has seen that there are none, and is about to wait for its turn
		}
		return nil
	}
	if _, err := r.FirstBoot(context.Background()); err != nil {
		t.Fatal(err)
	}
	sip, esl := tr.secrets()
	made := tr.read("/var/lib/fs-harden/committed.json")
	for range 3 {
		o := <-others
		if o.err != nil {
			t.Error(o.err)
		}
		for _, st := range o.rep.Steps {
			if st.Status == report.Changed || len(st.Changes) > 0 {
				t.Errorf("it made them anew: %+v", st)
			}
		}
	}
	if s, e := tr.secrets(); s != sip || e != esl || tr.read("/var/lib/fs-harden/committed.json") != made {
		t.Error("the secrets of the first one are not in force")
	}
	for path, want := range map[string]string{"/root/freeswitch-credentials.txt": sip, "/etc/fs_cli.conf": esl} {
		if !strings.Contains(tr.read(path), want) {
			t.Errorf("%s holds another secret than FreeSWITCH's configuration", path)
		}
	}
	if err := tr.runner().Gate(context.Background()); err != nil {
		t.Error(err)
	}
}

// asked is a context that closes once as it is first asked when it ends: a run does
// that as it begins to wait for another.
type asked struct {
	context.Context
	once chan struct{}
	done sync.Once
}

func (a *asked) Done() <-chan struct{} {
	a.done.Do(func() { close(a.once) })
	return a.Context.Done()
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
