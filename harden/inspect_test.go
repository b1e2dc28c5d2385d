package harden

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// inspect gives the findings of a tree, as text.
func (tr tree) inspect(strict bool) (errs, warnings []string, rep *report.Report, err error) {
	tr.t.Helper()
	rep, err = tr.runner().Inspect(context.Background(), strict)
	for _, st := range rep.Steps {
		for _, f := range st.Findings {
			text := st.Name + " " + f.Path + ": " + f.Why + "; " + f.Remedy
			if f.Severity == report.Error {
				errs = append(errs, text)
			} else {
				warnings = append(warnings, text)
			}
		}
	}
	return errs, warnings, rep, err
}

// vanillaWarnings is every row of what FreeSWITCH ships and the bake leaves to
// its owner: a file, and a piece of what is said of it.
var vanillaWarnings = []string{
	"directory/default/1000.xml: has a voicemail PIN", "directory/default/1019.xml: has a voicemail PIN", "directory/default/brian.xml: has a voicemail PIN",
	"directory/default/1000.xml: a demo user may call abroad", "directory/default/brian.xml: lets a whole example network in",
	"directory/default/default.xml: has a user without a password", "directory/default/skinny-example.xml: has a user without a password",
	"vars.xml: default_provider_password",
	"acl.conf.xml: the list \"lan\"", "amqp.conf.xml: mod_amqp's password", "erlang_event.conf.xml: mod_erlang_event's cookie",
	"xml_rpc.conf.xml: mod_xml_rpc's password", "voicemail.conf.xml: allow-empty-password-auth",
	"modules.conf.xml: mod_verto", "modules.conf.xml: mod_signalwire", "modules.conf.xml: mod_httapi",
	"sip_profiles/internal.xml: enable-chat", "sip_profiles/external.xml: enable-chat", "sip_profiles/internal-ipv6.xml: enable-chat", "sip_profiles/external-ipv6.xml: enable-chat",
	"dialplan/default.xml: whoever may call at all may listen", "dialplan/default.xml: calls any address", "dialplan/default.xml: calls a stranger's machine",
	"dialplan/default/01_example.com.xml: dials out", "dialplan/public.xml: lets callers without a password",
}

// A baked vanilla machine has no error, and a warning for each of vanilla's
// other defaults.
func TestInspectAfterApply(t *testing.T) {
	tr := newTree(t)
	before, _, rep, err := tr.inspect(false)
	if len(before) != 3 || !errors.Is(err, ErrCheck) || rep.Result != report.Failed || rep.FailedChecks() != 1 {
		t.Errorf("before the bake, the two secrets and where the event socket listens: %v\n%s", err, strings.Join(before, "\n"))
	}
	tr.apply()
	snapshot := tr.snapshot()
	errs, warnings, rep, err := tr.inspect(false)
	if err != nil || len(errs) > 0 || rep.Result != report.OK || rep.Phase != report.Inspect {
		t.Errorf("a false alarm: %v\n%s", err, strings.Join(errs, "\n"))
	}
	if diff := differences(snapshot, tr.snapshot()); len(diff) > 0 {
		t.Errorf("looking changed %v", diff)
	}
	for _, want := range vanillaWarnings {
		if !slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("nothing is said of %s", want)
		}
	}
	for _, w := range warnings {
		if !strings.Contains(w, "/etc/freeswitch/") || !slices.ContainsFunc(vanillaWarnings, func(known string) bool {
			_, said, _ := strings.Cut(known, ": ")
			return strings.Contains(w, said)
		}) {
			t.Errorf("a false alarm: %s", w)
		}
	}

	// Strict makes errors of them.
	strict, none, _, err := tr.inspect(true)
	if len(strict) != len(warnings) || len(none) > 0 || !errors.Is(err, ErrCheck) {
		t.Errorf("strict: %d errors and %d warnings, %v", len(strict), len(none), err)
	}

	// And an instance is no image.
	tr.firstboot()
	errs, _, _, err = tr.inspect(false)
	for _, want := range []string{
		"shared-secrets /etc/freeswitch/vars.xml", "shared-secrets /etc/freeswitch/autoload_configs/event_socket.conf.xml",
		"credentials /root/freeswitch-credentials.txt", "credentials /etc/fs_cli.conf", "credentials /home/admin/.fs_cli_conf",
		"leftovers /var/lib/fs-harden/committed.json", "leftovers /var/lib/fs-harden/report-firstboot.json",
	} {
		if !slices.ContainsFunc(errs, func(e string) bool { return strings.HasPrefix(e, want+":") }) {
			t.Errorf("after first boot nothing is said of %s", want)
		}
	}
	if len(errs) != 7 || !errors.Is(err, ErrCheck) {
		t.Errorf("after first boot: %v\n%s", err, strings.Join(errs, "\n"))
	}
}

// A machine without FreeSWITCH fails, says why, and tells of the system.
func TestInspectWithoutFreeSWITCH(t *testing.T) {
	tr := newTree(t)
	tr.remove("/etc/freeswitch")
	tr.write("/etc/ssh/ssh_host_rsa_key", "x")
	errs, _, rep, err := tr.inspect(false)
	if err == nil || errors.Is(err, ErrCheck) || !strings.Contains(err.Error(), "no FreeSWITCH configuration") || rep.Result != report.Failed {
		t.Errorf("want a failure that says so, got %v", err)
	}
	if len(errs) != 1 || !strings.Contains(errs[0], "ssh_host_rsa_key") {
		t.Errorf("the system was not looked at: %v", errs)
	}
}

// The configuration is the one that FreeSWITCH reads, wherever fs-harden looks for
// it, and a bake of another one fails.
func TestInspectWhereTheUnitSays(t *testing.T) {
	const own = "/etc/systemd/system/freeswitch.service.d/own.conf"
	for instead, remove := range map[string]string{"takes the one in /etc/freeswitch": "/none", "finds none": "/etc/freeswitch"} {
		tr := newTree(t)
		tr.write(own, "[Service]\nExecStart=\nExecStart=/usr/bin/freeswitch -conf /srv/conf -log /srv/log -db /srv/db\n")
		if err := os.CopyFS(tr.path("/srv/conf"), os.DirFS(vanilla)); err != nil {
			t.Fatal(err)
		}
		tr.write("/srv/log/freeswitch.log", "x")
		tr.remove(remove)
		errs, _, _, err := tr.inspect(false)
		if !errors.Is(err, ErrCheck) {
			t.Errorf("fs-harden %s: %v", instead, err)
		}
		for _, want := range []string{
			"unit " + own + ": has FreeSWITCH read its configuration in /srv/conf, and fs-harden " + instead,
			"shared-secrets /srv/conf/vars.xml: default_password", "shared-secrets /srv/conf/autoload_configs/event_socket.conf.xml: ",
			"logs /srv/log/freeswitch.log: ",
		} {
			if !slices.ContainsFunc(errs, func(e string) bool { return strings.HasPrefix(e, want) }) {
				t.Errorf("fs-harden %s: nothing is said of %s:\n%s", instead, want, strings.Join(errs, "\n"))
			}
		}
		if remove == "/none" {
			before := tr.snapshot()
			if _, err := tr.bakeWith(func(*plan.Plan) {}); !errors.Is(err, ErrCheck) || !strings.Contains(err.Error(), `conf_dir = "/srv/conf"`) {
				t.Errorf("the bake of the other one: %v", err)
			}
			if d := differences(before, tr.snapshot()); len(d) > 0 {
				t.Errorf("not put back: %s", d)
			}
		}
		if _, err := tr.bakeWith(func(p *plan.Plan) { p.ConfDir = "/srv/conf" }); err != nil {
			t.Errorf("the bake of that one: %v", err)
		}
		if errs, _, _, err := tr.inspect(false); err != nil || tr.has("/srv/log/freeswitch.log") {
			t.Errorf("after it: %v\n%s", err, strings.Join(errs, "\n"))
		}
	}
}

// A plan that cannot be read is told, and the looks go on.
func TestInspectWithADamagedPlan(t *testing.T) {
	tr := newTree(t)
	tr.apply()
	tr.write("/etc/fs-harden/plan.json", "{")
	errs, _, rep, err := tr.inspect(false)
	if err != nil || len(errs) > 0 || len(rep.Warnings) != 1 || !strings.Contains(rep.Warnings[0], "plan.json") {
		t.Errorf("%v, %v, %v", err, errs, rep.Warnings)
	}
}

// A forget that was killed in its last moment, its journal being dropped, leaves the
// instance's passwords in that. Inspect tells, and another forget removes it.
func TestInspectFindsAJournalThatWasToBeDropped(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	const dropped = state.Dir + "/journal.finished"
	tr.write(dropped+"/000-sip-password.json", "[]")
	rep, err := tr.runner().Inspect(context.Background(), false)
	if st := stepOf(t, rep, "leftovers"); err == nil || len(st.Findings) != 1 || st.Findings[0].Path != dropped {
		t.Errorf("%v, %+v", err, st)
	}
	tr.forget()
	if _, err := tr.runner().Inspect(context.Background(), false); err != nil || tr.has(dropped) {
		t.Errorf("after a forget: %v", err)
	}
}
