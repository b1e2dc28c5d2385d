package harden

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

func TestByFamily(t *testing.T) {
	for name, tt := range map[string]struct{ in, v4, v6 []string }{
		"nobody": {},
		"both families": {
			[]string{"203.0.113.7", "2001:db8::/32", "198.51.100.0/24"},
			[]string{"198.51.100.0/24", "203.0.113.7"}, []string{"2001:db8::/32"},
		},
		"one in another":  {[]string{"203.0.113.7", "203.0.113.0/24", "203.0.113.128/25"}, []string{"203.0.113.0/24"}, nil},
		"twice":           {[]string{"::1", "::1/128"}, nil, []string{"::1"}},
		"everybody":       {[]string{"10.0.0.1", "0.0.0.0/0", "::/0", "::1"}, []string{"0.0.0.0/0"}, []string{"::/0"}},
		"beside, not in":  {[]string{"10.0.0.0/9", "10.128.0.0/9"}, []string{"10.0.0.0/9", "10.128.0.0/9"}, nil},
		"families differ": {[]string{"::/0", "10.0.0.1"}, []string{"10.0.0.1"}, []string{"::/0"}},
	} {
		v4, v6, err := byFamily(tt.in)
		if err != nil || !slices.Equal(v4, tt.v4) || !slices.Equal(v6, tt.v6) {
			t.Errorf("%s: %q, %q, %v; want %q, %q", name, v4, v6, err, tt.v4, tt.v6)
		}
	}
	if _, _, err := byFamily([]string{"sip.example.com"}); err == nil {
		t.Error("a name was taken for an address")
	}
}

// vanillaPorts are the example's with TLS and WebSocket on.
var vanillaPorts = ports{SIP: []uint16{5060, 5080}, TLS: []uint16{5061}, WS: []uint16{5066, 7443}}

func TestTheRulesKnowPortsAndTrustedSources(t *testing.T) {
	p := plan.Default()
	p.SIPAllowFrom = []string{"203.0.113.0/24", "2001:db8:c::/48"}
	p.Fail2ban.IgnoreIP = []string{"198.51.100.7"}
	text := mustRuleset(t, p, vanillaPorts)
	for _, want := range []string{
		"\t\tmeta nfproto ipv4 udp dport { 5060, 5080 } jump limit_v4\n",
		"\t\tmeta nfproto ipv6 udp dport { 5060, 5080 } jump limit_v6\n",
		"\t\tmeta nfproto ipv4 tcp dport { 5060, 5061, 5066, 5080, 7443 } tcp flags",
		"\t\tip saddr { 127.0.0.0/8, 203.0.113.0/24, 198.51.100.7 } return\n",
		"\t\tip6 saddr { 2001:db8:c::/48, ::1 } return\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the rules lack %q", want)
		}
	}
	if i := strings.Index(text, "@TRUSTED"); i >= 0 || strings.Contains(text, "@PORTS") {
		t.Error("a blank was not filled in")
	}
}

// nft has no empty set: no port, no rule.
func TestWithoutAPortThereIsNoRuleForIt(t *testing.T) {
	for name, tt := range map[string]struct {
		listen   ports
		udp, tcp int
	}{
		"nothing listens": {},
		"TLS only":        {ports{TLS: []uint16{5061}}, 0, 2},
		"SIP only":        {ports{SIP: []uint16{5060}}, 2, 2},
	} {
		rules := portRules(tt.listen)
		if udp, tcp := strings.Count(rules, "udp dport"), strings.Count(rules, "tcp dport"); udp != tt.udp || tcp != tt.tcp || strings.Contains(rules, "{  }") {
			t.Errorf("%s: %d rules for UDP, %d for TCP, want %d, %d:\n%s", name, udp, tcp, tt.udp, tt.tcp, rules)
		}
	}
}

// Loading our file must not touch what is not ours, nor lose a ban.
func TestTheFileTouchesOurTableOnly(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		p := plan.Default()
		p.RateLimit.Enabled = enabled
		for _, line := range strings.Split(mustRuleset(t, p, vanillaPorts), "\n") {
			fields := strings.Fields(line)
			if len(fields) == 0 || fields[0][0] == '#' || line[0] == '\t' || line == "}" {
				continue
			}
			ours := slices.Contains([]string{"table inet fs_harden {"}, line) ||
				strings.HasPrefix(line, "flush chain inet fs_harden ") || strings.HasPrefix(line, "delete chain inet fs_harden ")
			if !ours {
				t.Errorf("rate limit %v: %q is none of ours", enabled, line)
			}
		}
	}
}

// The listings are of the file that this makes, loaded by nft of Ubuntu 22.04,
// Debian 12 and Debian 13.
func TestTheKernelsTableIsCompared(t *testing.T) {
	want := wantChains(mustRuleset(t, plan.Default(), vanillaPorts))
	files, err := filepath.Glob("testdata/nft/*.json")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		listing, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		have, err := haveChains(listing)
		if err != nil {
			t.Fatal(err)
		}
		if err := have.differs(want); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		for name, spoil := range map[string]func(string) string{
			"the chain bans is hooked":    func(s string) string { return strings.Replace(s, `"prio": -150`, `"prio": 150`, 1) },
			"the chain bans lacks":        func(s string) string { return strings.Replace(s, `{"drop": null}`, `{"accept": null}`, 1) },
			"the chain limit_v6 is":       func(s string) string { return strings.ReplaceAll(s, `"limit_v6"`, `"other"`) },
			"the chain limit_v4 lacks":    func(s string) string { return strings.ReplaceAll(s, `"@register_v4"`, `"@options_v4"`) },
			"the chain sip_limits has":    func(s string) string { return strings.Replace(s, `"chain": "limit_v6"`, `"chain": "sip_limits"`, 1) },
			"the chain sip_limits lacks ": func(s string) string { return strings.ReplaceAll(s, `"jump": {"target": "limit_v4"}`, `"drop": null`) },
		} {
			have, err := haveChains([]byte(spoil(string(listing))))
			if err != nil {
				t.Fatal(err)
			}
			if err := have.differs(want); err == nil || (!strings.HasPrefix(err.Error(), name) && !strings.HasPrefix(name, "the chain sip_limits has")) {
				t.Errorf("%s: %q: %v", f, name, err)
			}
		}
	}
	if _, err := haveChains([]byte("nft: no such table")); err == nil {
		t.Error("words were taken for a listing")
	}
}

func mustRuleset(t testing.TB, p *plan.Plan, listen ports) string {
	t.Helper()
	text, err := ruleset(p, listen)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTheTableIsLoadedAtBoot(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	unit := tr.read("/etc/systemd/system/fs-harden-nft.service")
	for _, want := range []string{"ExecStart=/usr/sbin/nft -f /etc/fs-harden/nftables.nft\n", "Before=fail2ban.service", "After=nftables.service\nPartOf=nftables.service\n"} {
		if !strings.Contains(unit, want) {
			t.Errorf("the unit lacks %q", want)
		}
	}
	for _, wants := range []string{"sysinit.target.wants", "nftables.service.wants"} {
		if to, err := os.Readlink(tr.path("/etc/systemd/system/" + wants + "/fs-harden-nft.service")); err != nil || to != "/etc/systemd/system/fs-harden-nft.service" {
			t.Errorf("%s: %q, %v", wants, to, err)
		}
	}
	if rules := tr.read("/etc/fs-harden/nftables.nft"); !strings.Contains(rules, "udp dport { 5060, 5080 }") {
		t.Error("the rules do not know the vanilla ports")
	}
	tr.read("/etc/fail2ban/action.d/fs-harden.py")
}

func TestWhatIsNotWantedIsNotWrittenAndGoes(t *testing.T) {
	const rules, action, link = "/etc/fs-harden/nftables.nft", "/etc/fail2ban/action.d/fs-harden.py", "/etc/systemd/system/sysinit.target.wants/fs-harden-nft.service"
	for name, tt := range map[string]struct {
		plan  func(*plan.Plan)
		there []string
		limit bool
	}{
		"all":             {func(*plan.Plan) {}, []string{rules, action, link}, true},
		"limits only":     {func(p *plan.Plan) { p.SkipFail2ban = true }, []string{rules, link}, true},
		"iptables":        {func(p *plan.Plan) { p.Fail2ban.BanAction = "iptables-allports" }, []string{rules, link}, true},
		"bans only":       {func(p *plan.Plan) { p.RateLimit.Enabled = false }, []string{rules, action, link}, false},
		"nothing of this": {func(p *plan.Plan) { p.RateLimit.Enabled, p.SkipFail2ban = false, true }, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fresh, second := newTree(t), newTree(t)
			second.apply() // with everything, and now it is taken back
			p := plan.Default()
			tt.plan(p)
			for _, tr := range []tree{fresh, second} {
				rep, err := tr.runner().Apply(t.Context(), p, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range []string{rules, action, link} {
					if _, err := os.Lstat(tr.path(f)); (err == nil) != slices.Contains(tt.there, f) {
						t.Errorf("%s: %v", f, err)
					}
				}
				if slices.Contains(tt.there, rules) && strings.Contains(tr.read(rules), "limited_invite") != tt.limit {
					t.Error("limits in the rules:", !tt.limit)
				}
				for _, c := range slices.Concat(checksOf(rep, "rate-limit"), checksOf(mustVerify(t, tr), "rate-limit")) {
					if want := map[bool]report.CheckStatus{true: report.CheckDeferred, false: report.CheckSkipped}[tt.there != nil]; c.Status != want {
						t.Errorf("check %+v, want %s", c, want)
					}
				}
			}
		})
	}
}

// FreeSWITCH was told another port, nobody told the kernel.
func TestAPortThatTheRulesDoNotKnowFailsTheCheck(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	tr.write("/etc/freeswitch/sip_profiles/site.xml", siteProfile)
	rep, err := tr.runner().Verify(t.Context())
	if err == nil {
		t.Error("verify was content")
	}
	if c := checksOf(rep, "rate-limit"); len(c) != 1 || c[0].Status != report.Fail || !strings.Contains(c[0].Detail, "run fs-harden apply") {
		t.Errorf("got %+v", c)
	}
}

func checksOf(rep *report.Report, step string) []report.Check {
	for _, s := range rep.Steps {
		if s.Name == step {
			return s.Checks
		}
	}
	return nil
}

func mustVerify(t *testing.T, tr tree) *report.Report {
	t.Helper()
	rep, err := tr.runner().Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}
