package harden

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/listen"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// Whom a plan trusts, the firewall, the jails, the limits and the proof take from
// one place; the world is not among them, whatever was put into sip_allow_from.
func TestTheWholeMachineAgreesOnWhomItTrusts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		allow []string
		// what is let in to 5060 by UDP, per family; empty: nobody
		open4, open6 string
		ignored      string   // the jails' list, behind the loopbacks
		trusted      []string // by the limits, the same
		warns        string
	}{
		"carriers": {
			[]string{"203.0.113.0/24", "2001:db8::/32"}, "-s 203.0.113.0/24", "-s 2001:db8::/32",
			"203.0.113.0/24 2001:db8::/32", []string{"203.0.113.0/24", "2001:db8::/32"}, "",
		},
		"everybody":        {[]string{"0.0.0.0/0", "::/0"}, "anywhere", "anywhere", "", nil, "so much of IPv4 and of IPv6"},
		"everybody by /1":  {[]string{"0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"}, "anywhere", "anywhere", "", nil, "so much of IPv4 and of IPv6"},
		"everybody's IPv4": {[]string{"0.0.0.0/0", "2001:db8::/32"}, "anywhere", "-s 2001:db8::/32", "2001:db8::/32", []string{"2001:db8::/32"}, "so much of IPv4 that"},
		"IPv4 alone":       {[]string{"0.0.0.0/0"}, "anywhere", "", "", nil, "so much of IPv4 that"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			p := plan.Default()
			p.SIPAllowFrom = tt.allow
			rep, err := tr.runner().Apply(context.Background(), p, nil)
			if err != nil {
				t.Fatal(err)
			}
			for file, want := range map[string]string{"user": tt.open4, "user6": tt.open6} {
				if got := sipRule(tr.read("/etc/ufw/" + file + ".rules")); got != want {
					t.Errorf("%s.rules opens SIP to %q, want %q", file, got, want)
				}
			}
			if want := strings.TrimSpace("ignoreip = 127.0.0.0/8 ::1 " + tt.ignored); !strings.Contains(tr.read("/etc/fail2ban/jail.d/fs-harden.local"), want+"\n") {
				t.Errorf("the jails lack %q", want)
			}
			rules := tr.read("/etc/fs-harden/nftables.nft")
			for _, n := range tt.trusted {
				if !strings.Contains(rules, n) {
					t.Errorf("the limits do not know %s", n)
				}
			}
			for _, n := range tt.allow {
				if !slices.Contains(tt.trusted, n) && strings.Contains(rules, n) {
					t.Errorf("the limits trust %s", n)
				}
			}
			checkWarnings(t, rep.Warnings, tt.warns)
		})
	}
}

// sipRule is whom a file of UFW's lets in to SIP.
func sipRule(rules string) string {
	for line := range strings.Lines(rules) {
		_, rest, ok := strings.Cut(line, "-user-input -p udp -m multiport --dports 5060,5080 ")
		if from, accepts := strings.CutSuffix(rest, "-j ACCEPT\n"); ok && accepts {
			return cmp.Or(strings.TrimSpace(from), "anywhere")
		}
	}
	return ""
}

func checkWarnings(t *testing.T, warnings []string, want string) {
	t.Helper()
	var world []string
	for _, w := range warnings {
		if strings.Contains(w, "the whole world") {
			world = append(world, w)
		}
	}
	switch {
	case want == "" && len(world) > 0:
		t.Errorf("warned: %s", world)
	case want != "" && (len(world) != 1 || !strings.Contains(world[0], want)):
		t.Errorf("warned %q, want one with %q", world, want)
	}
}

// It is told also where the firewall is somebody else's: bans depend on it.
func TestAListThatTrustsNobodyIsToldWithoutAFirewall(t *testing.T) {
	t.Parallel()
	for allow, want := range map[string]string{"0.0.0.0/0": "nobody is exempt from bans", "203.0.113.0/24": ""} {
		tr := newTree(t)
		p := plan.Default()
		p.SkipFirewall, p.SIPAllowFrom = true, []string{allow}
		rep, err := tr.runner().Apply(context.Background(), p, nil)
		if err != nil {
			t.Fatal(err)
		}
		checkWarnings(t, rep.Warnings, want)
	}
}

// A proof that took the world for trusted would find no address to ban, and be
// left out.
func TestTheProofTrustsWhomTheJailsTrust(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		allow []string
		want  string
	}{
		"everybody": {[]string{"0.0.0.0/0", "::/0"}, "127.0.0.0/8 ::1/128 198.51.100.7/32"},
		"carriers":  {[]string{"203.0.113.0/24"}, "127.0.0.0/8 ::1/128 198.51.100.7/32 203.0.113.0/24"},
	} {
		p := plan.Default()
		p.SIPAllowFrom, p.Fail2ban.IgnoreIP = tt.allow, []string{"198.51.100.7"}
		got := banProof(newTree(t).machine(p), listen.Ports{SIP: []uint16{5070}})
		if s := joinPrefixes(got.Trusted); s != tt.want || !got.Table || !slices.Equal(got.SIP, []uint16{5070}) {
			t.Errorf("%s: %+v, want %s", name, got, tt.want)
		}
	}
}

func joinPrefixes(list []netip.Prefix) string {
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = p.String()
	}
	return strings.Join(words, " ")
}
