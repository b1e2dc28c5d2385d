package nft

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/listen"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// nft takes no name, no mask on a single address, and refuses a set in which one
// member lies in another; and nobody passes the limits because everybody may call.
func TestWhoPassesTheLimits(t *testing.T) {
	const own4, own6 = "127.0.0.0/8", "::1"
	for name, tt := range map[string]struct{ sip, ignore, v4, v6 []string }{
		"nobody": {nil, nil, nil, nil},
		"both families": {
			[]string{"203.0.113.7", "2001:db8::/32", "198.51.100.0/24"}, []string{"192.0.2.1"},
			[]string{"192.0.2.1", "203.0.113.7", "198.51.100.0/24"}, []string{"2001:db8::/32"},
		},
		"one in another":     {[]string{"203.0.113.7"}, []string{"203.0.113.0/24", "203.0.113.128/25"}, []string{"203.0.113.0/24"}, nil},
		"twice":              {[]string{"::1", "::1/128", "192.0.2.1/32"}, []string{"192.0.2.1"}, []string{"192.0.2.1"}, nil},
		"everybody":          {[]string{"198.51.100.1", "0.0.0.0/0", "::/0", "2001:db8::1"}, nil, nil, nil},
		"everybody in parts": {[]string{"0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"}, []string{"192.0.2.1"}, []string{"192.0.2.1"}, nil},
		"one family's all":   {[]string{"::/0", "198.51.100.1"}, nil, []string{"198.51.100.1"}, nil},
	} {
		p := plan.Default()
		p.SIPAllowFrom, p.Fail2ban.IgnoreIP = tt.sip, tt.ignore
		text := mustRuleset(t, p, vanillaPorts)
		v4, v6 := strings.Join(append([]string{own4}, tt.v4...), ", "), strings.Join(append([]string{own6}, tt.v6...), ", ")
		for _, want := range []string{"ip saddr { " + v4 + " } return", "ip6 saddr { " + v6 + " } return", "ip6 saddr != { " + v6 + " } exthdr frag"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the rules lack %q", name, want)
			}
		}
	}
}

// vanillaPorts are the example's with TLS and WebSocket on.
var vanillaPorts = listen.Ports{SIP: []uint16{5060, 5080}, TLS: []uint16{5061}, WS: []uint16{5066, 7443}}

func TestTheRulesKnowPortsAndTrustedSources(t *testing.T) {
	p := plan.Default()
	p.SIPAllowFrom = []string{"203.0.113.0/24", "2001:db8:c::/48"}
	p.Fail2ban.IgnoreIP = []string{"198.51.100.7"}
	text := mustRuleset(t, p, vanillaPorts)
	for _, want := range []string{
		"\t\tmeta nfproto ipv4 udp dport { 5060, 5080 } jump limit_v4\n",
		"\t\tmeta nfproto ipv6 udp dport { 5060, 5080 } jump limit_v6\n",
		"\t\tmeta nfproto ipv4 tcp dport { 5060, 5061, 5066, 5080, 7443 } tcp flags",
		"\t\tmeta nfproto ipv4 tcp dport { 5060, 5061, 5066, 5080, 7443 } jump stream_v4\n",
		"\t\tmeta nfproto ipv6 tcp dport { 5060, 5061, 5066, 5080, 7443 } jump stream_v6\n",
		"\t\tip saddr { 127.0.0.0/8, 198.51.100.7, 203.0.113.0/24 } return\n",
		"\t\tip6 saddr { ::1, 2001:db8:c::/48 } return\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the rules lack %q", want)
		}
	}
	if i := strings.Index(text, "@TRUSTED"); i >= 0 || strings.Contains(text, "@PORTS") {
		t.Error("a blank was not filled in")
	}
}

// A trunk is exempt on the ports of its own profile, in its own family, and trusted
// nowhere else.
func TestTrunksPassTheLimitsOnTheirOwnPorts(t *testing.T) {
	p, err := plan.Parse([]byte(`{"trunk":{"a":{"from":["203.0.113.0/24","198.51.100.7","2001:db8::/32"]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	open := vanillaPorts
	open.Trunks = []listen.TrunkPort{
		{Port: 5080, From: prefixes("203.0.113.0/24", "198.51.100.7/32")},
		{Port: 5081, Shared: "internal", From: prefixes("203.0.113.0/24")},
		{Port: 5066, IPv6: true},
		{Port: 5080, IPv6: true, From: prefixes("2001:db8::/32")},
	}
	text := mustRuleset(t, p, open)
	_, rules, _ := strings.Cut(text, "counter name \"limited_fragment\" drop\n")
	const want = "\t\tip saddr { 203.0.113.0/24, 198.51.100.7 } meta l4proto { tcp, udp } th dport 5080 return\n" +
		"\t\tip saddr { 203.0.113.0/24 } meta l4proto { tcp, udp } th dport 5081 return\n" +
		"\t\tip6 saddr { 2001:db8::/32 } meta l4proto { tcp, udp } th dport 5080 return\n" +
		"\t\tmeta nfproto ipv4 udp dport"
	if !strings.HasPrefix(rules, want) {
		t.Errorf("the rules begin\n%.600s\nwant\n%s", rules, want)
	}
	if strings.Count(text, "203.0.113.0/24") != 2 || strings.Count(text, "2001:db8::") != 1 {
		t.Error("trunks are trusted elsewhere too")
	}
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// nft has no empty set: no port, no rule.
func TestWithoutAPortThereIsNoRuleForIt(t *testing.T) {
	for name, tt := range map[string]struct {
		open     listen.Ports
		udp, tcp int
	}{
		"nothing listens": {},
		"TLS only":        {listen.Ports{TLS: []uint16{5061}}, 0, 4},
		"SIP only":        {listen.Ports{SIP: []uint16{5060}}, 2, 4},
	} {
		rules := portRules(tt.open)
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
	files, err := filepath.Glob("testdata/*.json")
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
			"the chain bans is hooked":                      func(s string) string { return strings.Replace(s, `"prio": -150`, `"prio": 150`, 1) },
			`the chain bans is hooked at "input -150 drop"`: func(s string) string { return strings.Replace(s, `"policy": "accept"`, `"policy": "drop"`, 1) },
			`the chain bans is hooked at "output`:           func(s string) string { return strings.Replace(s, `"hook": "input"`, `"hook": "output"`, 1) },
			"the chain bans has 14 rules, not 13":           func(s string) string { return addRule(s, "bans") },
			"the chain limit_v4 has ":                       func(s string) string { return addRule(s, "limit_v4") },
			"the chain strangers_v4 has ":                   func(s string) string { return addRule(s, "strangers_v4") },
			"the chain stream_v6 has ":                      func(s string) string { return addRule(s, "stream_v6") },
			"the chain stream_v4 lacks":                     func(s string) string { return strings.ReplaceAll(s, `"@stream_v4"`, `"@options_v4"`) },
			"the chain strangers_v6 lacks":                  func(s string) string { return strings.ReplaceAll(s, `"@probe_v6"`, `"@options_v6"`) },
			"the chain limit_v6 has ":                       func(s string) string { return addRule(s, "limit_v6") },
			"the chain sip_limits has ":                     func(s string) string { return addRule(s, "sip_limits") },
			"the chain bans lacks its rule 1 ":              func(s string) string { return firstRule(s, `{"accept": null}`) },
			"there is a chain mine, which is none of ours": func(s string) string {
				return strings.Replace(s, `{"nftables": [`, `{"nftables": [{"chain": {"family": "inet", "table": "fs_harden", "name": "mine", "hook": "input", "prio": -300, "policy": "accept"}}, `, 1)
			},
			"the chain bans lacks its rule 1 (by lo return)":     func(s string) string { return byOther(s, "bans", "eth0") },
			"the chain limit_v4 lacks its rule 1 (by lo return)": func(s string) string { return byOther(s, "limit_v4", "eth0") },
			"the chain sip_limits lacks its rule 1 (@fragment_v6": func(s string) string {
				return strings.Replace(s, `"op": "!=", "left": {"meta"`, `"op": "==", "left": {"meta"`, 1)
			},
			"the chain bans lacks":        func(s string) string { return strings.Replace(s, `{"drop": null}`, `{"accept": null}`, 1) },
			"the chain limit_v6 is":       func(s string) string { return strings.ReplaceAll(s, `"limit_v6"`, `"other"`) },
			"the chain limit_v4 lacks":    func(s string) string { return strings.ReplaceAll(s, `"@register_v4"`, `"@options_v4"`) },
			"the chain sip_limits lacks ": func(s string) string { return strings.ReplaceAll(s, `"jump": {"target": "limit_v4"}`, `"drop": null`) },
		} {
			have, err := haveChains([]byte(spoil(string(listing))))
			if err != nil {
				t.Fatal(err)
			}
			if err := have.differs(want); err == nil || !strings.HasPrefix(err.Error(), name) {
				t.Errorf("%s: %q: %v", f, name, err)
			}
		}
	}
	if _, err := haveChains([]byte("nft: no such table")); err == nil {
		t.Error("words were taken for a listing")
	}
}

// byOther has a chain's first rule name another interface than lo.
func byOther(listing, chain, name string) string {
	at := strings.Index(listing, `"chain": "`+chain+`"`)
	return listing[:at] + strings.Replace(listing[at:], `"right": "lo"`, `"right": "`+name+`"`, 1)
}

// addRule puts a rule that lets in behind those of a chain.
func addRule(listing, chain string) string {
	end := strings.LastIndex(listing, "]")
	return listing[:end] + `, {"rule": {"family": "inet", "table": "fs_harden", "chain": "` + chain + `", "handle": 999, "expr": [{"accept": null}]}}` + listing[end:]
}

// firstRule puts one in front of those of the chain bans.
func firstRule(listing, verdict string) string {
	return strings.Replace(listing, `{"rule": {`, `{"rule": {"family": "inet", "table": "fs_harden", "chain": "bans", "handle": 998, "expr": [`+verdict+`]}}, {"rule": {`, 1)
}

// What an older run made of limits is none of ours any more once none are wanted.
func TestLimitsThatAreNotWanted(t *testing.T) {
	p := plan.Default()
	p.RateLimit.Enabled = false
	bare := wantChains(mustRuleset(t, p, vanillaPorts))
	if names := sortedNames(bare); !slices.Equal(names, []string{"bans"}) {
		t.Errorf("chains are %q", names)
	}
	if err := bare.differs(bare); err != nil {
		t.Error(err)
	}
	if err := wantChains(mustRuleset(t, plan.Default(), vanillaPorts)).differs(bare); err == nil || !strings.Contains(err.Error(), "limit_v4, which is none of ours") {
		t.Errorf("limits stand that nobody wants: %v", err)
	}
}

func mustRuleset(t testing.TB, p *plan.Plan, open listen.Ports) string {
	t.Helper()
	text, err := Ruleset(p, open)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
