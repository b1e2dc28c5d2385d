package harden

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
)

// forget is `fs-harden forget`, which `cloud-init clean` calls.
func (tr tree) forget() {
	tr.t.Helper()
	if rep, err := tr.runner().Forget(context.Background()); err != nil {
		tr.t.Fatalf("forget: %v %+v", err, rep)
	}
}

// holds tells which paths hold any of these texts.
func (tr tree) holds(texts ...string) (paths []string) {
	tr.t.Helper()
	for path, content := range tr.snapshot() {
		for _, s := range texts {
			if strings.Contains(content, s) {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// One instance becomes an image: nothing of it stays, nothing starts with what
// is there, and even the same instance gets other secrets.
func TestForgetMakesAnImageAgain(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	tr.firstboot()
	if _, err := tr.runner().Rotate(context.Background()); err != nil {
		t.Fatal(err)
	}
	sip, esl := tr.secrets()
	// What FreeSWITCH made as it ran.
	tr.write("/var/log/freeswitch/freeswitch.xml.fsxml", "<variable name=\"password\" value=\""+sip+"\"/>")
	tr.write("/var/lib/freeswitch/db/core.db", "SQLite format 3")
	// And what another version of this program may keep of the instance.
	tr.write("/var/lib/fs-harden/report-of-another-version.json", testInstance)
	tr.forget()
	if where := tr.holds(sip, esl); len(where) > 0 {
		t.Errorf("an instance's secret is still in %s", where)
	}
	if where := tr.holds(testInstance); len(where) != 1 || where[0] != "/run/cloud-init/.instance-id" {
		t.Errorf("the instance's name is still in %s", where)
	}
	for _, path := range []string{
		"/root/freeswitch-credentials.txt", "/etc/fs_cli.conf", "/home/admin/.fs_cli_conf",
		"/var/log/freeswitch/freeswitch.xml.fsxml", "/var/lib/freeswitch/db/core.db",
		"/var/lib/fs-harden/committed.json", "/var/lib/fs-harden/report-firstboot.json", "/var/lib/fs-harden/report-rotate.json",
	} {
		if _, err := os.Lstat(tr.path(path)); err == nil {
			t.Errorf("%s is in the image", path)
		}
	}
	imageSIP, imageESL := tr.secrets()
	if len(imageSIP) != 28 || len(imageESL) != 28 || imageSIP == sip || imageESL == esl {
		t.Error("the image does not hold two random passwords of its own")
	}
	if err := tr.runner().Gate(context.Background()); err == nil || !strings.Contains(err.Error(), "no secrets of its own") {
		t.Errorf("gate: %v", err)
	}

	before := tr.snapshot()
	tr.forget()
	tr.apply()
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("forgetting and applying again changed %s", d)
	}

	tr.firstboot() // the same instance id
	if s, e := tr.secrets(); s == sip || e == esl || s == imageSIP || e == imageESL {
		t.Error("the same instance, an image in between, has a secret of before")
	}
}

// In a bake `cloud-init clean` often comes last: there is nothing to forget.
func TestForgetInABakeChangesNothing(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	before := tr.snapshot()
	tr.forget()
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("changed: %s", d)
	}
}

// A password that somebody chose is a secret of the instance too.
func TestForgetReplacesAPersonsPassword(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	tr.firstboot()
	sip, _ := tr.secrets()
	tr.write("/etc/freeswitch/vars.xml", strings.ReplaceAll(tr.read("/etc/freeswitch/vars.xml"), sip, "correct-horse-battery"))
	tr.forget()
	if where := tr.holds("correct-horse-battery"); len(where) > 0 {
		t.Errorf("still in %s", where)
	}
}

// A first boot that was broken off has secrets too, in its pending record.
func TestForgetAfterABrokenFirstBoot(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	r := failing(tr.runner(), "commit")
	if _, err := r.FirstBoot(context.Background()); err == nil {
		t.Fatal("no failure")
	}
	pending := tr.read("/var/lib/fs-harden/pending.json")
	// Also by a forget that fails, or is killed: no journal takes them up.
	r = tr.runner()
	r.fault = func(step string) error {
		if _, err := os.Lstat(tr.path("/var/lib/fs-harden/pending.json")); err == nil {
			t.Errorf("the secrets in clear are still there in step %s", step)
		}
		return errors.New("injected")
	}
	if _, err := r.Forget(context.Background()); err == nil {
		t.Fatal("no failure")
	}
	tr.forget()
	if _, err := os.Lstat(tr.path("/var/lib/fs-harden/pending.json")); err == nil {
		t.Error("the secrets in clear are in the image")
	}
	tr.firstboot()
	if sip, esl := tr.secrets(); strings.Contains(pending, sip) || strings.Contains(pending, esl) {
		t.Error("the next boot took secrets that the image held")
	}
}

func TestForgetIsUndoneWhereItFails(t *testing.T) {
	for _, step := range forgetSteps() {
		t.Run(step.Name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			tr.apply()
			tr.firstboot()
			before := tr.snapshot()
			r := failing(tr.runner(), step.Name)
			if _, err := r.Forget(context.Background()); !errors.Is(err, errInjected) {
				t.Fatalf("the failure was not told: %v", err)
			}
			if d := differences(before, tr.snapshot()); len(d) > 0 {
				t.Errorf("left behind: %s", d)
			}
		})
	}
}

func TestRollbackAfterForget(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	before := tr.snapshot()
	tr.apply()
	tr.firstboot()
	tr.forget()
	if _, err := tr.runner().Rollback(context.Background()); err != nil {
		t.Fatal(err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("not put back: %s", d)
	}
}
