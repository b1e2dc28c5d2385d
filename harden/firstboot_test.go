package harden

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
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
	if sip == imageSIP || esl == imageESL || len(sip) != 28 || len(esl) != 28 {
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
	// testUUID in the other byte order.
	swappedUUID = "44454c4c-4200-104d-8053-c3c04f4a4e32"
	testHex     = "b08dfa6083e7567a1921a715000001fb"
	otherHex    = "b08dfa6083e7567a1921a715000001fc"
	otherEC2    = "i-0fedcba9876543210"
)

// says makes cloud-init say which instance this is, as it does in a boot: in the files
// of 25.1.4. Without an id it is not there.
func (tr tree) says(datasource, id string) {
	tr.remove("/run/cloud-init")
	if id == "" {
		return
	}
	tr.instance(id)
	tr.write("/var/lib/cloud/data/instance-id", id+"\n")
	stage := `{"errors": [], "finished": 5.02, "recoverable_errors": {}, "start": 4.44}`
	tr.write("/var/lib/cloud/data/status.json", fmt.Sprintf(`{"v1": {"datasource": %q, "init": %s, "init-local": %s, "stage": null}}`, "DataSource"+datasource, stage, stage))
	if err := os.Symlink("../../var/lib/cloud/data/status.json", tr.path("/run/cloud-init/status.json")); err != nil {
		tr.t.Fatal(err)
	}
}

// bootCase is a machine whose identity changes after its first boot.
type bootCase struct {
	what, bound string // as whom it is bound; "" for nobody
	then, now   func(tree)
	want        fate
}

// fate is what becomes of its secrets at the next boot.
type fate string

const (
	kept    fate = "kept"          // and nothing at all is written
	anew    fate = "recorded anew" // they are kept, and the record alone is written
	renewed fate = "renewed"
)

// Whose secrets these are, whatever becomes of a machine: another instance's boot
// makes new ones before the gate opens, and the same instance's, or nobody's, keeps
// them. harden/identity has the whole table.
func TestWhoseSecrets(t *testing.T) {
	baked := newTree(t)
	baked.remove(cloudID)
	baked.apply()
	all := func(does ...func(tree)) func(tree) {
		return func(tr tree) {
			for _, do := range does {
				do(tr)
			}
		}
	}
	put := func(path, text string) func(tree) { return func(tr tree) { tr.write(path, text+"\n") } }
	gone := func(path string) func(tree) { return func(tr tree) { tr.remove(path) } }
	says := func(datasource, id string) func(tree) { return func(tr tree) { tr.says(datasource, id) } }
	uuid := func(id string) func(tree) { return put(dmiUUID, id) }
	rebooted := func(tr tree) { tr.bootedAt(time.Now().Add(time.Hour)) }
	touched := func(tr tree) { tr.bootedAt(time.Now().Add(-time.Minute)) }
	resized := func(tr tree) { // what a cloud changes with a machine's size
		tr.write("/sys/class/dmi/id/product_name", "c7i.48xlarge\n")
		tr.write("/proc/cpuinfo", strings.Repeat("processor : 0\n", 192))
		tr.write("/proc/meminfo", "MemTotal: 402653184 kB\n")
	}
	silent := says("", "")
	inside := func(tr tree) { // containerd's: no file tells
		if err := os.MkdirAll(tr.path("/proc/self/ns"), 0o755); err != nil {
			tr.t.Fatal(err)
		}
		if err := os.Symlink("pid:[4026532241]", tr.path("/proc/self/ns/pid")); err != nil {
			tr.t.Fatal(err)
		}
	}
	marked := put("/run/systemd/container", "lxc")
	const template, digest, otherDigest = "iid-local01", "356a192b7913b04c54574d18c28d46e6395428ab", "da4b9237bacccdf19c0760cab7aec4a8359010b0"
	noCloud, ec2 := "NoCloud [seed=/dev/sr0]", "Ec2Local"

	for _, c := range []bootCase{
		{"an instance, rebooted", testInstance, says(ec2, testInstance), rebooted, kept},
		{"an instance, resized", testInstance, says(ec2, testInstance), resized, kept},
		{"an instance, its metadata service down", testInstance, says(ec2, testInstance), silent, kept},
		{"an instance, without a datasource", testInstance, says(ec2, testInstance), says("None", "iid-datasource-none"), kept},
		{"an instance, its hardware seen at last", testInstance, says(ec2, testInstance), uuid(testUUID), anew},
		{"an instance, with a person's own password", testInstance, says(ec2, testInstance), func(tr tree) {
			sip, _ := tr.secrets()
			tr.write("/etc/freeswitch/vars.xml", strings.ReplaceAll(tr.read("/etc/freeswitch/vars.xml"), sip, "correct-horse-battery"))
		}, kept},
		{"an instance, started as another", testInstance, says(ec2, testInstance), says(ec2, otherEC2), renewed},
		{"an instance, made an image again", testInstance, says(ec2, testInstance), tree.forget, renewed},
		{"a cloud's id, uuid in capitals", testInstance, all(says(ec2, testInstance), uuid(testUUID)), uuid(strings.ToUpper(testUUID)), kept},
		{"a cloud's id, uuid swapped", testInstance, all(says(ec2, testInstance), uuid(testUUID)), uuid(swappedUUID), kept},
		{"a cloud's id, another generation", testInstance, all(says(ec2, testInstance), uuid(testUUID)), uuid(otherUUID), anew},
		{"a cloud's id, silent, same uuid", testInstance, all(says(ec2, testInstance), uuid(testUUID)), silent, kept},
		{"a cloud's id, silent, another uuid", testInstance, all(says(ec2, testInstance), uuid(testUUID)), all(silent, uuid(otherUUID)), renewed},
		{"a cloud's id, broken, another uuid", testInstance, all(says(ec2, testInstance), uuid(testUUID)), all(silent, put("/run/cloud-init/status.json", "{"), uuid(otherUUID)), renewed},

		{"asset tag, rebooted", testInstance, put(assetTag, testInstance), rebooted, kept},
		{"asset tag, on older hardware", testInstance, put(assetTag, testInstance), put(assetTag, "Amazon EC2"), kept},
		{"asset tag, given cloud-init", testInstance, put(assetTag, testInstance), says(ec2, testInstance), anew},
		{"asset tag, started as another", testInstance, put(assetTag, testInstance), put(assetTag, otherEC2), renewed},

		{"uuid, rebooted", testUUID, uuid(testUUID), rebooted, kept},
		{"uuid, in capitals", testUUID, uuid(testUUID), uuid(strings.ToUpper(testUUID)), kept},
		{"uuid, hidden", testUUID, uuid(testUUID), gone(dmiUUID), kept},
		{"uuid, of firmware that nobody filled in", testUUID, uuid(testUUID), uuid("03000200-0400-0500-0006-000700080009"), kept},
		{"uuid, started as another", testUUID, uuid(testUUID), uuid(otherUUID), renewed},
		{"uuid, made an image again", testUUID, uuid(testUUID), tree.forget, renewed},

		{"a template's id, rebooted", testUUID, all(says(noCloud, template), uuid(testUUID)), rebooted, kept},
		{"a template's id, cloned", testUUID, all(says(noCloud, template), uuid(testUUID)), uuid(otherUUID), renewed},
		{"a person's id, in capitals", "pbx-A", all(says(noCloud, "pbx-A"), uuid(testUUID)), says(noCloud, "pbx-a"), renewed},
		{"a person's id, cloned with its seed", "pbx-A", all(says(noCloud, "pbx-A"), uuid(testUUID)), uuid(otherUUID), renewed},
		{"a digest, another", digest, all(says(noCloud, digest), uuid(testUUID)), says(noCloud, otherDigest), anew},
		{"a digest, cloned", digest, all(says(noCloud, digest), uuid(testUUID)), uuid(otherUUID), renewed},

		{"machine-id, rebooted", testHex, put(machineID, testHex), rebooted, kept},
		{"machine-id, emptied", testHex, put(machineID, testHex), put(machineID, ""), kept},
		{"machine-id, gone", testHex, put(machineID, testHex), gone(machineID), kept},
		{"machine-id, started as another", testHex, put(machineID, testHex), put(machineID, otherHex), renewed},

		{"containerd, on another host", testHex, all(inside, uuid(testUUID), put(machineID, testHex)), uuid(otherUUID), kept},
		{"containerd, copied on its host", testHex, all(inside, uuid(testUUID), put(machineID, testHex)), put(machineID, otherHex), renewed},
		{"lxc, on another host", testHex, all(marked, uuid(testUUID), put(machineID, testHex)), uuid(otherUUID), kept},
		{"lxc, copied on its host", testHex, all(marked, uuid(testUUID), put(machineID, testHex)), put(machineID, otherHex), renewed},

		{"unbound, rebooted", "", silent, rebooted, kept},
		{"unbound, given an identity", "", silent, says(ec2, testInstance), renewed},
		{"unbound, its hardware seen", "", silent, uuid(testUUID), renewed},
		{"unbound, with a template's id alone", "", says(noCloud, template), rebooted, kept},
		{"the image's machine-id, rebooted", "", all(put(machineID, testHex), rebooted), touched, kept},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			tr := baked.copy(t)
			tr.bootedAt(time.Now().Add(-time.Hour))
			c.then(tr)
			if rep := tr.firstboot(); rep.InstanceID != c.bound {
				t.Fatalf("bound to %q, not to %q", rep.InstanceID, c.bound)
			}
			c.decided(tr)
		})
	}
}

// decided boots a machine again, as what it is now.
func (c bootCase) decided(tr tree) {
	t := tr.t
	sip, esl := tr.secrets()
	c.now(tr)
	before := tr.snapshot()
	if err := tr.runner().Gate(context.Background()); (err != nil) != (c.want == renewed) {
		t.Errorf("the gate before the boot: %v", err)
	}
	if c.want == anew { // it is what the boot below is to write
		if d := differences(before, tr.snapshot()); len(d) > 0 {
			t.Errorf("the gate wrote: %s", d)
		}
	}
	rep := tr.firstboot()
	written := differences(before, tr.snapshot())
	switch s, e := tr.secrets(); c.want {
	case renewed:
		if s == sip || e == esl {
			t.Error("a secret of before is still in use")
		}
	case anew:
		// The record for rollback holds the sum of what was written last.
		records := slices.DeleteFunc(slices.Clone(written), func(d string) bool { return d == "changed: "+journal.OriginalsPath })
		if !slices.Equal(records, []string{"changed: " + state.CommittedPath}) {
			t.Errorf("written: %s", written)
		}
		if last := rep.Steps[len(rep.Steps)-1]; len(last.Changes) != 1 || !strings.HasPrefix(last.Changes[0].Summary, "the same instance, recorded anew: ") {
			t.Errorf("the report says %+v", last)
		}
	case kept:
		if len(written) > 0 {
			t.Errorf("written: %s", written)
		}
	}
	if unbound := c.bound == "" && c.want == kept; unbound != slices.ContainsFunc(rep.Warnings, func(w string) bool { return strings.Contains(w, "a copy of this disk would keep its secrets") }) {
		t.Errorf("warned: %q", rep.Warnings)
	}
	if c.want == kept {
		return
	}
	// Whatever it was, it is settled now.
	before = tr.snapshot()
	tr.firstboot()
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("written at the boot after: %s", d)
	}
	if err := tr.runner().Gate(context.Background()); err != nil {
		t.Errorf("the gate after it: %v", err)
	}
}

func TestARerunEndsWithTheSecretsItHadChosen(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	r := failing(tr.runner(), "credentials")
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
	tr.says("", "")
	tr.apply()
	rep := tr.firstboot()
	if rep.InstanceID != "" || len(rep.Warnings) == 0 {
		t.Errorf("instance_id %q, warnings %q", rep.InstanceID, rep.Warnings)
	}
	doubt := func() string {
		st, err := tr.runner().Status(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(tr.read("/var/lib/fs-harden/committed.json"), `"warning": "`+st.Doubt) {
			t.Errorf("the record does not say %q", st.Doubt)
		}
		return st.Doubt
	}
	if d := doubt(); !strings.Contains(d, "a copy of this disk would keep its secrets") {
		t.Errorf("status warns of %q", d)
	}
	// Two copies of its disk, and one has an identity: what it had is not its own.
	tr.says("Ec2Local", testInstance)
	rep = tr.firstboot()
	if d := doubt(); !strings.Contains(d, "nothing named the machine when its secrets were made, and now it is "+testInstance) ||
		!slices.Contains(rep.Warnings, d) {
		t.Errorf("status warns of %q, the report of %q", d, rep.Warnings)
	}
	// It is bound now, and once a person has made new secrets there is no more to say.
	if rep = tr.firstboot(); len(rep.Warnings) != 0 || rep.InstanceID != testInstance {
		t.Errorf("at the next boot: %q, warnings %q", rep.InstanceID, rep.Warnings)
	}
	mustRun(tr, report.Rotate)
	if strings.Contains(tr.read("/var/lib/fs-harden/committed.json"), "warning") {
		t.Error("rotated, the record still warns")
	}
}

// A rotation takes in what is known of the instance now, and forgets nothing that is
// silent at this moment.
func TestRotationRemembersTheInstance(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.says("Ec2Local", testInstance)
	tr.write(dmiUUID, testUUID)
	tr.apply()
	tr.firstboot()
	tr.says("", "")
	mustRun(tr, report.Rotate)
	bootCase{now: func(tr tree) { tr.says("Ec2Local", testInstance); tr.write(dmiUUID, otherUUID) }, bound: testInstance, want: anew}.decided(tr)
}

// The first boot of a machine that loses power is taken up again by that machine
// alone.
func TestAClonedFirstBootDrawsItsOwn(t *testing.T) {
	t.Parallel()
	for _, cloned := range []bool{false, true} {
		tr := newTree(t)
		tr.says("NoCloud [seed=/dev/sr0]", "iid-local01")
		tr.write(dmiUUID, testUUID)
		tr.apply()
		r := failing(tr.runner(), "credentials")
		if _, err := r.FirstBoot(context.Background()); err == nil {
			t.Fatal("no failure")
		}
		chosen := tr.read("/var/lib/fs-harden/pending.json")
		if cloned {
			tr.write(dmiUUID, otherUUID)
		}
		tr.firstboot()
		sip, esl := tr.secrets()
		if taken := strings.Contains(chosen, fmt.Sprintf("%q", sip)) || strings.Contains(chosen, fmt.Sprintf("%q", esl)); taken == cloned {
			t.Errorf("cloned: %v, and secrets chosen before were taken: %v", cloned, taken)
		}
	}
}

// Records of an fs-harden that knew one answer of the instance are still on machines:
// its upgrade keeps their secrets, and makes the record whole.
func TestWhoseSecretsOfBefore(t *testing.T) {
	booted := newTree(t)
	booted.says("Ec2Local", testInstance)
	booted.write(dmiUUID, testUUID)
	booted.apply()
	booted.firstboot()
	for name, c := range map[string]struct {
		source, value string
		want          fate
	}{
		"cloud-init":      {"cloud-init", testInstance, anew},
		"of the disk":     {"cloud-init-data", testInstance, anew},
		"uuid":            {"product-uuid", strings.ToUpper(testUUID), anew},
		"a template's id": {"cloud-init", "iid-local01", renewed}, // bound to it, and this is another
		"another":         {"cloud-init", otherEC2, renewed},
		"another's uuid":  {"product-uuid", otherUUID, renewed},
		"unbound":         {"unbound", "", renewed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := booted.copy(t)
			var rec map[string]any
			if err := json.Unmarshal([]byte(tr.read("/var/lib/fs-harden/committed.json")), &rec); err != nil {
				t.Fatal(err)
			}
			rec["instance"] = map[string]string{"source": c.source, "value": c.value}
			bootCase{bound: testInstance, want: c.want, now: func(tr tree) {
				b, err := json.Marshal(rec)
				if err != nil {
					t.Fatal(err)
				}
				tr.write("/var/lib/fs-harden/committed.json", string(b))
			}}.decided(tr)
		})
	}
}

// What has changed of an instance cannot be written: its secrets are in force, and it
// is warned of.
func TestARecordThatCannotBeWrittenAnew(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	tr.firstboot()
	tr.write(dmiUUID, testUUID)
	before := tr.snapshot()
	r := failing(tr.runner(), "instance")
	rep, err := r.FirstBoot(context.Background())
	if err != nil || !slices.ContainsFunc(rep.Warnings, func(w string) bool { return strings.Contains(w, "could not be recorded") }) {
		t.Errorf("%v, warnings %q", err, rep.Warnings)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("left behind: %s", d)
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
