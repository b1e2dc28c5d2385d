package harden

import (
	"compress/gzip"
	"context"
	"encoding/base64"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// here is a runner for which the tree is the machine that runs.
func (tr tree) here(image bool) *Runner {
	r := tr.runner()
	r.here, r.Image = true, image
	return r
}

// applyHere is `fs-harden apply` on the machine itself, with --image or without.
func (tr tree) applyHere(image bool) (*report.Report, error) {
	p := plan.Default()
	p.AdminUsers = []string{"admin"}
	return tr.here(image).Apply(context.Background(), p, nil)
}

// instanceInService is a machine with secrets of its own, on which something has
// drifted, so that an apply has work to do.
func instanceInService(t *testing.T) tree {
	tr := newTree(t)
	tr.apply()
	tr.firstboot()
	tr.drift()
	return tr
}

// drift undoes something of the bake's in the file that also holds the event
// socket's password, and in one beside it.
func (tr tree) drift() {
	const socket = "/etc/freeswitch/autoload_configs/event_socket.conf.xml"
	tr.write(socket, strings.ReplaceAll(tr.read(socket), `"127.0.0.1"`, `"0.0.0.0"`))
	if err := os.Remove(tr.path(socket + ".bak")); err != nil && !os.IsNotExist(err) {
		tr.t.Fatal(err)
	}
}

// An apply on an instance in service is the remedy that checks name. It mends what
// has drifted, and touches no password.
func TestApplyInService(t *testing.T) {
	t.Parallel()
	tr := instanceInService(t)
	sip, esl := tr.secrets()
	record := tr.read(state.BakedPath)
	rep, err := tr.applyHere(false)
	if err != nil {
		t.Fatal(err)
	}
	if s, e := tr.secrets(); s != sip || e != esl {
		t.Error("an apply has replaced a password of an instance in service")
	}
	if strings.Contains(tr.read("/etc/freeswitch/autoload_configs/event_socket.conf.xml"), `"0.0.0.0"`) {
		t.Error("what had drifted was not mended")
	}
	for _, step := range []string{"sip-password", "event-socket"} {
		if st := stepOf(t, rep, step); st.Status != report.Skipped || !strings.Contains(st.Reason, "fs-harden rotate") {
			t.Errorf("%s: %+v", step, st)
		}
	}
	was, err := state.ReadBaked(tr.runner().Host)
	if err != nil {
		t.Fatal(err)
	}
	if c := currentOf(tr); was.Digests.SIP.Matches(c.SIP) || was.Digests.ESL.Matches(c.ESL) {
		t.Error("the bake's record takes the instance's passwords for the image's")
	}
	if record == tr.read(state.BakedPath) {
		t.Error("the record does not tell of this apply")
	}
	if tr.has(state.BakingPath) {
		t.Error("the machine counts as one whose image is being made")
	}
	if err := tr.runner().Gate(context.Background()); err != nil {
		t.Errorf("FreeSWITCH may not start: %v", err)
	}
	before := tr.snapshot()
	if _, err := tr.applyHere(false); err != nil {
		t.Fatal(err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("the second apply changed %s", d)
	}
}

// A first boot has promised to keep a person's own password. What an apply would
// set instead, nobody would know.
func TestApplyKeepsAPersonsPassword(t *testing.T) {
	t.Parallel()
	const own = "correct-horse-battery"
	tr := instanceInService(t)
	sip, _ := tr.secrets()
	tr.write("/etc/freeswitch/vars.xml", strings.ReplaceAll(tr.read("/etc/freeswitch/vars.xml"), sip, own))
	if _, err := tr.applyHere(false); err != nil {
		t.Fatal(err)
	}
	if s, _ := tr.secrets(); s != own {
		t.Errorf("the password is %q now", s)
	}
}

// A weak one is for a rotation, which tells whoever has to know it.
func TestApplyInServiceRefusesAWeakPassword(t *testing.T) {
	t.Parallel()
	for name, which := range map[string]func(sip, esl string) (old, file string){
		"sip": func(sip, _ string) (string, string) { return sip, "/etc/freeswitch/vars.xml" },
		"esl": func(_, esl string) (string, string) {
			return esl, "/etc/freeswitch/autoload_configs/event_socket.conf.xml"
		},
	} {
		tr := instanceInService(t)
		old, file := which(tr.secrets())
		tr.write(file, strings.ReplaceAll(tr.read(file), old, "1234"))
		before := tr.snapshot()
		_, err := tr.applyHere(false)
		if err == nil || !strings.Contains(err.Error(), "this instance is in service: run fs-harden rotate") {
			t.Errorf("%s: %v", name, err)
		}
		if d := differences(before, tr.snapshot()); len(d) > 0 {
			t.Errorf("%s: touched %s", name, d)
		}
	}
}

// A mark that an apply of a former fs-harden has left keeps a first boot from
// running: it goes with the next apply, and with a first boot by hand.
func TestTheMarkIsABakesAlone(t *testing.T) {
	t.Parallel()
	tr := instanceInService(t)
	tr.write(state.BakingPath, "")
	if _, err := tr.applyHere(false); err != nil {
		t.Fatal(err)
	}
	if tr.has(state.BakingPath) {
		t.Error("left by an apply in service")
	}
	tr = newTree(t)
	tr.apply()
	tr.write(state.BakingPath, "")
	if _, err := tr.here(false).FirstBoot(context.Background()); err != nil {
		t.Fatal(err)
	}
	if tr.has(state.BakingPath) {
		t.Error("left by a first boot")
	}
}

// Whatever a machine's life was before: in the image that is made of it no password
// is that an instance or a person has had, wherever a run of ours has kept it.
func TestForgetKnowsEveryPassword(t *testing.T) {
	t.Parallel()
	const (
		site     = "the-sites-own-before-the-bake"
		operator = "an-operators-own-much-later"
		edit     = "an-edit-that-was-set-aside"
	)
	live := func(t *testing.T) (tree, []string) {
		tr := newTree(t)
		vars := "/etc/freeswitch/vars.xml"
		tr.write(vars, strings.Replace(tr.read(vars), "default_password=1234", "default_password="+site, 1))
		tr.apply()
		tr.firstboot()
		sip, esl := tr.secrets()
		tr.drift()
		mustApply(t, tr)
		mustRun(tr, report.Rotate)
		sip2, esl2 := tr.secrets()
		// An operator's, in a file of its own that no run has ever touched, and which the
		// next one keeps a copy of.
		tr.write(vars, strings.ReplaceAll(tr.read(vars), sip2, operator))
		if err := os.Remove(tr.path(vars + ".bak")); err != nil {
			t.Fatal(err)
		}
		tr.write(vars+".bak", tr.read(vars))
		tr.drift()
		mustApply(t, tr)
		tr.write("/root/fs-harden-recovered-20260101-000000"+vars, strings.ReplaceAll(tr.read(vars), operator, edit))
		tr.write(vars, strings.ReplaceAll(tr.read(vars), operator, sip2))
		return tr, []string{site, operator, edit, sip, esl, sip2, esl2}
	}
	poisoned := func(tr tree) { // as an apply of a former fs-harden did
		c := currentOf(tr)
		rec, err := state.ReadBaked(tr.runner().Host)
		if err != nil {
			t.Fatal(err)
		}
		rec.Digests = state.NewDigests(c)
		tr.write(state.BakedPath, string(rec.Node().Data))
	}
	for name, tt := range map[string]struct {
		before func(tree)
		forget func(tree)
	}{
		"forget":                      {nil, tree.forget},
		"apply --image":               {nil, func(tr tree) { tr.apply() }},
		"forget, a poisoned record":   {poisoned, tree.forget},
		"an image, a poisoned record": {poisoned, func(tr tree) { tr.apply() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, all := live(t)
			for _, s := range all {
				if len(tr.holdsAnywhere(s)) == 0 {
					t.Fatalf("%q is nowhere: this tests nothing", s)
				}
			}
			if tt.before != nil {
				tt.before(tr)
			}
			tt.forget(tr)
			for i, s := range all {
				if where := tr.holdsAnywhere(s); len(where) > 0 {
					t.Errorf("password %d is still in %s", i, where)
				}
			}
			before := tr.snapshot()
			tr.forget()
			if d := differences(before, tr.snapshot()); len(d) > 0 {
				t.Errorf("forgetting again changed %s", d)
			}
			rep, err := tr.runner().Inspect(context.Background(), false)
			if st := stepOf(t, rep, "kept-passwords"); err != nil && st.Status == report.StepFailed || len(st.Findings) > 0 {
				t.Errorf("inspect: %v %+v", err, st)
			}
			// What is left can be rolled back still, to no password that anybody knows.
			if _, err := tr.runner().Rollback(context.Background()); err != nil {
				t.Fatal(err)
			}
			for i, s := range all {
				if where := tr.holdsAnywhere(s); len(where) > 0 {
					t.Errorf("after a rollback password %d is in %s", i, where)
				}
			}
		})
	}
}

// Before an instance is forgotten, inspect names every place.
func TestInspectFindsKeptPasswords(t *testing.T) {
	t.Parallel()
	tr := instanceInService(t)
	mustApply(t, tr)
	rep, err := tr.runner().Inspect(context.Background(), false)
	if err == nil {
		t.Error("an instance is called fit to be an image")
	}
	var told []string
	for _, f := range stepOf(t, rep, "kept-passwords").Findings {
		told = append(told, string(f.Severity)+" "+path.Ext(f.Path))
	}
	if strings.Join(told, ",") != "error .bak,error .tgz" {
		t.Errorf("got %s", told)
	}
}

// currentOf is secrets, as a pair.
func currentOf(tr tree) secret.Pair {
	tr.t.Helper()
	sip, esl := tr.secrets()
	return secret.Pair{SIP: secret.Of(sip), ESL: secret.Of(esl)}
}

// holdsAnywhere is holds that also sees into tarballs and what JSON holds as base64.
func (tr tree) holdsAnywhere(text string) (paths []string) {
	tr.t.Helper()
	for at, content := range tr.snapshot() {
		_, content, _ = strings.Cut(content, "\n")
		switch path.Ext(at) {
		case ".tgz":
			zip, err := gzip.NewReader(strings.NewReader(content))
			if err != nil {
				tr.t.Fatal(err)
			}
			b, err := io.ReadAll(zip)
			if err != nil {
				tr.t.Fatal(err)
			}
			content += string(b)
		case ".json":
			for _, word := range strings.Split(content, `"`) {
				if b, err := base64.StdEncoding.DecodeString(word); err == nil {
					content += string(b)
				}
			}
		}
		if strings.Contains(content, text) {
			paths = append(paths, at)
		}
	}
	return paths
}

func mustApply(t *testing.T, tr tree) {
	t.Helper()
	if _, err := tr.applyHere(false); err != nil {
		t.Fatal(err)
	}
}
