package harden

import (
	"context"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

func trunkPlan(t *testing.T, text string) *plan.Plan {
	t.Helper()
	p, err := plan.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	externalFile = "/etc/freeswitch/sip_profiles/external.xml"
	carrierPlan  = `{"trunk":{"carrier":{"from":["203.0.113.0/24","2001:db8:77::/48"]}}}`
)

// What each part of the defence makes of a trunk, and that it goes as it came.
func TestTrunksThroughAllOfTheDefence(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	before := map[string]string{aclFile: tr.read(aclFile)}
	apply := func(text string) *report.Report {
		t.Helper()
		rep, err := tr.runner().Apply(context.Background(), trunkPlan(t, text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	apply(`{}`)
	for _, p := range []string{externalFile, nftRules, "/etc/ufw/user.rules", "/etc/ufw/user6.rules", "/etc/fail2ban/jail.d/fs-harden.local"} {
		before[p] = tr.read(p)
	}

	rep := apply(carrierPlan)
	if st := stepOf(t, rep, "trunks"); st.Status != report.Changed || st.Reason != "profiles: external" || len(st.Checks) != 1 || st.Checks[0].Status != report.Pass {
		t.Errorf("the step is %+v", st)
	}
	for path, wants := range map[string][]string{
		aclFile:                                {`<list name="fs-harden-trunks-external" default="deny">`},
		externalFile:                           {`"fs-harden-trunks-external::"`},
		"/etc/fail2ban/jail.d/fs-harden.local": {"127.0.0.0/8", "203.0.113.0/24", "2001:db8:77::/48"},
		nftRules:                               {"ip saddr { 203.0.113.0/24 } meta l4proto { tcp, udp } th dport 5080 return\n", "ip saddr { 127.0.0.0/8 } return\n"},
		"/etc/ufw/user.rules":                  {"-p udp --dport 5060 -j ACCEPT", "-p udp --dport 5080 -s 203.0.113.0/24 -j ACCEPT", "-p tcp --dport 5080 -s 203.0.113.0/24 -j ACCEPT"},
		"/etc/ufw/user6.rules":                 {"-p udp -m multiport --dports 5060,5080 -j ACCEPT"},
	} {
		text := tr.read(path)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", path, want, text)
			}
		}
	}
	if strings.Contains(tr.read("/etc/ufw/user.rules"), "5060,5080") {
		t.Error("5080 is open to everybody")
	}

	with := tr.snapshot()
	if st := stepOf(t, apply(carrierPlan), "trunks"); st.Status != report.Unchanged || len(st.Changes) != 0 {
		t.Errorf("a second time, the step is %+v", st)
	}
	again := tr.snapshot()
	for p, was := range with {
		if now := again[p]; now != was && strings.HasPrefix(p, "/etc/freeswitch") {
			t.Errorf("a second time, %s changes", p)
		}
	}

	if st := stepOf(t, apply(`{}`), "trunks"); st.Status != report.Changed {
		t.Errorf("without trunks, the step is %+v", st)
	}
	for path, text := range before {
		if tr.read(path) != text {
			t.Errorf("without trunks, %s is not what it was", path)
		}
	}
}

func TestRollbackTakesTrunksAway(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	acl, external := tr.read(aclFile), tr.read(externalFile)
	if _, err := tr.runner().Apply(context.Background(), trunkPlan(t, carrierPlan), nil); err != nil {
		t.Fatal(err)
	}
	if tr.read(aclFile) == acl || tr.read(externalFile) == external {
		t.Fatal("nothing was changed")
	}
	if _, err := tr.runner().Rollback(context.Background()); err != nil {
		t.Fatal(err)
	}
	if tr.read(aclFile) != acl || tr.read(externalFile) != external {
		t.Error("the files are not what they were")
	}
}

func TestAProfileThatIsMissingIsToldBeforeAnythingIsTouched(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	before := tr.snapshot()
	_, err := tr.runner().Apply(context.Background(), trunkPlan(t, `{"trunk":{"carrier":{"from":["203.0.113.0/24"],"profile":"carriers"}}}`), nil)
	if err == nil || !strings.Contains(err.Error(), `the SIP profile "carriers", which this FreeSWITCH does not have`) {
		t.Fatal(err)
	}
	for p, now := range tr.snapshot() {
		if before[p] != now && strings.HasPrefix(p, "/etc") {
			t.Errorf("%s was touched", p)
		}
	}
}

func TestWhatTheReportSaysOfTrunks(t *testing.T) {
	t.Parallel()
	gateway := func(tr tree) {
		tr.edit(externalFile, "<gateways>", `<gateways><gateway name="carrier"><param name="proxy" value="198.51.100.7"/></gateway>`)
	}
	for name, tt := range map[string]struct {
		plan  string
		spoil func(tree)
		want  string // of a warning
		not   string
	}{
		"a firewall of others": {strings.Replace(carrierPlan, "{", `{"skip_firewall":true,`, 1), nil, "the firewall is not managed here", "gateways"},
		"a media port": {carrierPlan, func(tr tree) {
			tr.edit("/etc/freeswitch/vars.xml", "external_sip_port=5080", "external_sip_port=16400")
		}, "port 16400 is that of a SIP profile with trunks, and one of the media ports 16384 to 32768", ""},
		"a shared port":         {carrierPlan, func(tr tree) { tr.edit("/etc/freeswitch/vars.xml", "internal_sip_port=5060", "internal_sip_port=5080") }, "and of the SIP profile internal, which has none", ""},
		"passwords before":      {`{"trunk":{"a":{"from":["192.0.2.1"],"profile":"internal"}}}`, nil, "the SIP profile internal asked callers for passwords", ""},
		"a family unheard":      {carrierPlan, nil, "trunks of the SIP profile external call over IPv6, where it does not listen", ""},
		"another profile open":  {carrierPlan, nil, "that have no trunk and ask callers for no password: external-ipv6.", ""},
		"a gateway":             {`{}`, gateway, `from = ["198.51.100.7"]`, ""},
		"a gateway with trunks": {`{"trunk":{"a":{"from":["198.51.100.0/24"]}}}`, gateway, "", "gateways"},
		"nothing of it":         {`{}`, nil, "", "trunk"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			if tt.spoil != nil {
				tt.spoil(tr)
			}
			rep, err := tr.runner().Apply(context.Background(), trunkPlan(t, tt.plan), nil)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(rep.Warnings, "\n")
			if !strings.Contains(text, tt.want) || tt.not != "" && strings.Contains(text, tt.not) {
				t.Errorf("warned is\n%s\nwant %q and not %q", text, tt.want, tt.not)
			}
		})
	}
}
