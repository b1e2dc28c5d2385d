package harden

import (
	"context"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

const (
	ownProfile  = "/etc/freeswitch/sip_profiles/carrier.xml"
	profileText = "<profile name=\"carrier\">\n  <settings>\n    <param name=\"User-Agent-String\" value=\"Acme\"/>\n    <param name=\"sip-port\" value=\"5090\"/>\n  </settings>\n</profile>\n"
)

// bannerTree has an operator's own profile, which calls itself Acme.
func bannerTree(t *testing.T) tree {
	t.Helper()
	tr := newTree(t)
	tr.write(ownProfile, profileText)
	return tr
}

func (tr tree) applyBanner(text string) *report.Report {
	tr.t.Helper()
	p := plan.Default()
	p.AdminUsers = []string{"admin"}
	p.SIPBanner = text
	rep, err := tr.runner().Apply(context.Background(), p, nil)
	if err != nil {
		tr.t.Fatalf("apply: %v", err)
	}
	return rep
}

// called is what FreeSWITCH would read at a profile, by parameter.
func (tr tree) called(profile string) map[string]string {
	tr.t.Helper()
	m := &Machine{View: host.NewView(tr.runner().Host), Plan: plan.Default(), ConfDir: "/etc/freeswitch"}
	c, err := m.Config()
	if err != nil {
		tr.t.Fatal(err)
	}
	values := map[string]string{}
	for _, p := range bannerParams {
		if v, found := c.Value(fsxml.Profile(profile), p); found {
			values[p] = v
		}
	}
	return values
}

func TestSIPBanner(t *testing.T) {
	t.Parallel()
	tr := bannerTree(t)
	plain := tr.copy(t)
	plain.applyBanner("")
	wanted := func(text string) {
		t.Helper()
		for _, profile := range []string{"internal", "external", "internal-ipv6", "external-ipv6", "carrier"} {
			for _, p := range bannerParams {
				if got := tr.called(profile)[p]; got != text {
					t.Errorf("%s: %s is %q, want %q", profile, p, got, text)
				}
			}
		}
	}

	rep := tr.applyBanner("pbx")
	wanted("pbx")
	if st := stepOf(t, rep, "sip-banner"); st.Status != report.Changed || len(st.Checks) != 1 || st.Checks[0].Status != report.Pass {
		t.Errorf("the step: %+v", st)
	}
	before := tr.snapshot()
	tr.applyBanner("pbx")
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("the second apply: %s", d)
	}
	tr.applyBanner("switch-2")
	wanted("switch-2")

	// Taken away, all is as on a machine that never had one, for FreeSWITCH and for people.
	if st := stepOf(t, tr.applyBanner(""), "sip-banner"); st.Status != report.Changed {
		t.Errorf("taking it away: %+v", st)
	}
	for _, name := range []string{"internal", "external", "internal-ipv6", "external-ipv6", "carrier"} {
		p := "/etc/freeswitch/sip_profiles/" + name + ".xml"
		if got, want := tr.read(p), plain.read(p); got != want {
			t.Errorf("%s is not as it was:\n%s", p, got)
		}
	}
	if got := tr.called("carrier"); len(got) != 1 || got["user-agent-string"] != "Acme" {
		t.Errorf("the operator's profile: %v", got)
	}
	if st := stepOf(t, tr.applyBanner(""), "sip-banner"); st.Status != report.Skipped {
		t.Errorf("once it is gone: %+v", st)
	}
}

// What somebody has set since then is his, our own lines apart.
func TestSIPBannerThatSomebodyChanged(t *testing.T) {
	t.Parallel()
	tr := bannerTree(t)
	tr.applyBanner("pbx")
	tr.write(ownProfile, strings.NewReplacer(
		`"User-Agent-String" value="Acme"`, `"User-Agent-String" value="Acme 2"`,
		`"username" value="pbx"`, `"username" value="ours"`,
		"  </settings>", "    <param name=\"contact-user\" value=\"mine\"/>\n  </settings>",
	).Replace(tr.read(ownProfile)))
	if rep, _ := tr.runner().Verify(context.Background()); rep.FailedChecks() != 1 {
		t.Errorf("verify: %d failed checks", rep.FailedChecks())
	}
	tr.applyBanner("pbx")
	for _, p := range bannerParams {
		if got := tr.called("carrier")[p]; got != "pbx" {
			t.Errorf("with the banner again, %s is %q", p, got)
		}
	}
	tr.applyBanner("")
	if got := tr.called("carrier"); len(got) != 2 || got["contact-user"] != "mine" || got["user-agent-string"] != "Acme 2" {
		t.Errorf("without it: %v", got)
	}
}

// A value that only a running FreeSWITCH knows is as it was.
func TestSIPBannerOverAVariable(t *testing.T) {
	t.Parallel()
	tr := bannerTree(t)
	tr.write(ownProfile, strings.Replace(profileText, "Acme", "$${hostname} at $${domain}", 1))
	before := tr.read(ownProfile)
	tr.applyBanner("pbx")
	if got := tr.called("carrier")["user-agent-string"]; got != "pbx" {
		t.Errorf("it calls itself %q", got)
	}
	tr.applyBanner("")
	if got := tr.read(ownProfile); !strings.Contains(got, `"User-Agent-String" value="$${hostname} at $${domain}"`) || strings.Contains(got, "set-by") {
		t.Errorf("it is\n%s\nand was\n%s", got, before)
	}
}

// What sets it behind our lines is told, before anything is written.
func TestSIPBannerBehindWhichSomethingIsSet(t *testing.T) {
	t.Parallel()
	tr := bannerTree(t)
	tr.write("/etc/freeswitch/sip_profiles/carrier.inc", "<param name=\"username\" value=\"root\"/>\n")
	tr.write(ownProfile, strings.Replace(profileText, "  </settings>", "    <X-PRE-PROCESS cmd=\"include\" data=\"carrier.inc\"/>\n  </settings>", 1))
	before := tr.snapshot()
	p := plan.Default()
	p.AdminUsers, p.SIPBanner = []string{"admin"}, "pbx"
	if _, err := tr.runner().Apply(context.Background(), p, nil); err == nil || !strings.Contains(err.Error(), "carrier (username) sets comes after") {
		t.Errorf("apply: %v", err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("after it: %s", d)
	}
}

// With trunks too, whose lines come to stand behind the banner's, a second run changes
// nothing.
func TestSIPBannerBesideTrunks(t *testing.T) {
	t.Parallel()
	tr := bannerTree(t)
	p := plan.Default()
	p.AdminUsers, p.SIPBanner = []string{"admin"}, "pbx"
	p.Trunks["one"] = plan.Trunk{From: []string{"192.0.2.1"}, Profile: "carrier"}
	apply := func() {
		t.Helper()
		if _, err := tr.runner().Apply(context.Background(), p, nil); err != nil {
			t.Fatal(err)
		}
	}
	apply()
	before := tr.snapshot()
	apply()
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("the second apply: %s", d)
	}
	p.SIPBanner = ""
	apply()
	if got := tr.read(ownProfile); strings.Contains(got, "sip_banner") || strings.Count(got, "fs-harden trunk") != 6 {
		t.Errorf("without the banner:\n%s", got)
	}
}

func TestSIPBannerRollsBack(t *testing.T) {
	t.Parallel()
	tr := bannerTree(t)
	before := tr.snapshot()
	tr.applyBanner("pbx")
	if _, err := tr.runner().Rollback(context.Background()); err != nil {
		t.Fatal(err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("after the rollback: %s", d)
	}
}

// A banner that goes while a later step fails stands again.
func TestSIPBannerOfARunThatFails(t *testing.T) {
	t.Parallel()
	tr := bannerTree(t)
	tr.applyBanner("pbx")
	before := tr.snapshot()
	r := tr.runner()
	p := plan.Default()
	p.AdminUsers = []string{"admin"}
	r.Steps = append(r.Steps, Step{Name: "fails", In: bake, Propose: func(context.Context, *Machine) (Proposal, error) {
		return Proposal{Actions: []Action{{Name: "fail", Do: func(context.Context) error { return context.DeadlineExceeded }}}}, nil
	}})
	if _, err := r.Apply(context.Background(), p, nil); err == nil {
		t.Fatal("no error")
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("after the failure: %s", d)
	}
}
