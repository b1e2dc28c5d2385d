package harden

import (
	"context"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// boot is what the unit does at a boot of the machine: /run is empty before it.
func (tr tree) boot() *report.Report {
	tr.t.Helper()
	tr.remove(state.BakingPath)
	r := tr.here(false)
	r.AtBoot = true
	rep, err := r.FirstBoot(context.Background())
	if err != nil {
		tr.t.Fatalf("first boot: %v", err)
	}
	return rep
}

// A build boots its machine again, as an update of the kernel needs: it stays what
// it is, for secrets made now would be every instance's.
func TestTheBuilderBootsAgain(t *testing.T) {
	t.Parallel()
	for source, names := range map[string]struct{ it, another func(tree) }{
		"a cloud's id": {
			func(tr tree) { tr.says("Ec2", testInstance) },
			func(tr tree) { tr.says("Ec2", otherEC2) },
		},
		"EC2's asset tag": {
			func(tr tree) { tr.write(assetTag, testInstance) },
			func(tr tree) { tr.write(assetTag, otherEC2) },
		},
		"the SMBIOS UUID": {
			func(tr tree) { tr.write(dmiUUID, testUUID) },
			func(tr tree) { tr.write(dmiUUID, otherUUID) },
		},
		"the SMBIOS UUID, with a template's id": {
			func(tr tree) { tr.says("NoCloud", "iid-local01"); tr.write(dmiUUID, testUUID) },
			func(tr tree) { tr.says("NoCloud", "iid-local01"); tr.write(dmiUUID, otherUUID) },
		},
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			built := newTree(t)
			built.says("", "")
			names.it(built)
			if _, err := built.applyHere(true); err != nil {
				t.Fatal(err)
			}
			sip, esl := built.secrets()
			stays := func(tr tree) {
				t.Helper()
				rep := tr.boot()
				if s, e := tr.secrets(); s != sip || e != esl || tr.has(state.CommittedPath) || tr.has(state.PendingPath) {
					t.Error("the machine that the image is made on has made secrets")
				}
				if st := stepOf(t, rep, "builder"); st.Status != report.Skipped || !strings.Contains(st.Reason, "fs-harden firstboot") {
					t.Errorf("told: %+v", st)
				}
				if err := tr.runner().Gate(context.Background()); err == nil || err.Error() != heldBack {
					t.Errorf("gate: %v", err)
				}
				if !tr.has(state.BakingPath) {
					t.Error("it does not count as a machine whose image is being made")
				}
			}
			stays(built)
			before := built.snapshot()
			stays(built) // and once more
			if d := differences(before, built.snapshot()); len(d) != 1 || d[0] != "changed: "+state.BakingPath {
				t.Errorf("a boot changed %s", d)
			}

			instance := built.copy(t)
			names.another(instance)
			instance.boot()
			if s, e := instance.secrets(); s == sip || e == esl {
				t.Error("an instance has no secrets of its own")
			}

			// A person says so.
			if _, err := built.here(false).FirstBoot(context.Background()); err != nil {
				t.Fatal(err)
			}
			mine, _ := built.secrets()
			if mine == sip {
				t.Error("a first boot by hand made no secrets")
			}
			settled := built.snapshot()
			built.boot()
			if d := differences(settled, built.snapshot()); len(d) > 0 {
				t.Errorf("the next boot changed %s", d)
			}
			// It is an instance from now on, and gets secrets at the boot after a forget.
			built.forget()
			built.boot()
			if s, _ := built.secrets(); s == mine || !built.has(state.CommittedPath) {
				t.Error("no secrets after it was forgotten")
			}
		})
	}
}

// Where nothing names the machine, or what names it is a template's, it cannot be
// told from an instance, which must have its secrets. The bake says so, and inspect
// finds them at the end of the build.
func TestABuilderThatNothingNames(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{"nothing": "", "a template's id": "iid-local01"} {
		tr := newTree(t)
		tr.says("NoCloud", id)
		rep, err := tr.applyHere(true)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(rep.Warnings, "\n"), "end the build with fs-harden inspect") {
			t.Errorf("%s: warnings: %q", name, rep.Warnings)
		}
		tr.boot()
		if rep, err := tr.runner().Inspect(context.Background(), false); err == nil {
			t.Errorf("%s: an image with live secrets is called fit: %+v", name, rep)
		}
	}
}

// Only a bake on the machine itself names it: a tree was made on another.
func TestATreeNamesNoBuilder(t *testing.T) {
	t.Parallel()
	for name, tr := range map[string]func() tree{
		"a tree": func() tree { tr := newTree(t); tr.apply(); return tr },
		"to stay in service": func() tree {
			tr := newTree(t)
			mustApply(t, tr)
			return tr
		},
	} {
		rec, err := state.ReadBaked(tr().runner().Host)
		if err != nil || rec == nil || rec.Builder.Known() {
			t.Errorf("%s: %+v %v", name, rec, err)
		}
	}
}

// A first boot by hand that was broken off goes on at the next boot, also on the
// machine of a build: who began it had said that it is an instance.
func TestTheBuilderGoesOnWithAFirstBoot(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.says("", "")
	tr.write(dmiUUID, testUUID)
	if _, err := tr.applyHere(true); err != nil {
		t.Fatal(err)
	}
	r := failing(tr.here(false), "credentials")
	if _, err := r.FirstBoot(context.Background()); err == nil || !tr.has(state.PendingPath) {
		t.Fatalf("the first boot was not broken off half way: %v", err)
	}
	tr.boot()
	if !tr.has(state.CommittedPath) {
		t.Error("it has no secrets")
	}
}

// An id that the machine of the build had as well came with the image: two instances
// of it have it, and are told apart by what else names them.
func TestAnIdOfTheImage(t *testing.T) {
	t.Parallel()
	built := newTree(t)
	built.says("NoCloud", "golden")
	built.write(dmiUUID, testUUID)
	if _, err := built.applyHere(true); err != nil {
		t.Fatal(err)
	}
	one := built.copy(t)
	one.write(dmiUUID, otherUUID)
	one.boot()
	sip, _ := one.secrets()
	copied := one.copy(t)
	copied.write(dmiUUID, strings.ReplaceAll(otherUUID, "3", "9"))
	copied.boot()
	if s, _ := copied.secrets(); s == sip {
		t.Error("two instances with the image's id share their secrets")
	}
	// Without anything else nothing names it, and the report says so.
	bare := built.copy(t)
	bare.remove(dmiUUID)
	if rep := bare.boot(); !strings.Contains(strings.Join(rep.Warnings, "\n"), "nothing tells this instance from another") {
		t.Errorf("warnings: %q", rep.Warnings)
	}
}

// The bake's record says nothing of an instance's secrets: a damaged one keeps no
// telephone system down, and no password in force.
func TestADamagedBakesRecord(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.says("Ec2", testInstance)
	tr.apply()
	tr.firstboot()
	sip, _ := tr.secrets()
	tr.write(state.BakedPath, "{")
	rep, err := tr.here(false).Rotate(context.Background())
	if err != nil || !strings.Contains(strings.Join(rep.Warnings, "\n"), state.BakedPath+" is damaged") {
		t.Fatalf("rotate: %v, %q", err, rep.Warnings)
	}
	rotated, _ := tr.secrets()
	tr.says("Ec2", otherEC2)
	tr.boot() // of a copy
	if s, _ := tr.secrets(); rotated == sip || s == rotated {
		t.Error("no secrets were made")
	}
	// Without an instance's record nobody knows whether this is the machine of the
	// build: a person has to say so.
	tr.remove(state.CommittedPath)
	r := tr.here(false)
	r.AtBoot = true
	if _, err := r.FirstBoot(context.Background()); err == nil || !strings.Contains(err.Error(), "fs-harden apply") {
		t.Errorf("at a boot: %v", err)
	}
	if _, err := tr.here(false).FirstBoot(context.Background()); err != nil || !tr.has(state.CommittedPath) {
		t.Errorf("by hand: %v", err)
	}
}

// An apply in service leaves the record the image's, its builder too: what came with
// the image still names no instance.
func TestAnApplyInServiceKeepsTheBuilder(t *testing.T) {
	t.Parallel()
	built := newTree(t)
	built.says("NoCloud", "of-the-build")
	built.write(dmiUUID, testUUID)
	if _, err := built.applyHere(true); err != nil {
		t.Fatal(err)
	}
	tr := built.copy(t)
	tr.write(dmiUUID, otherUUID)
	tr.boot()
	tr.drift()
	mustApply(t, tr)
	if now := thisInstance(tr.runner().Host); !now.Cloud.Shared {
		t.Errorf("the build's id names the instance: %+v", now)
	}
}
