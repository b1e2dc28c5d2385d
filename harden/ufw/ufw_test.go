package ufw

import (
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/listen"
)

// testdata was written by ufw 0.36.2 itself, told the same rules by its
// command line; the .iptables files are what iptables -S 1.8.9 said then.
var someSources = []netip.Prefix{
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("198.51.100.7/32"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2001:db8:1::7/128"),
}

// everybody may speak SIP.
var everybody = []netip.Prefix{{}}

// rules are for the ports of a vanilla FreeSWITCH.
func rules(sources []netip.Prefix) []Rule {
	return Rules([]uint16{22}, listen.Ports{SIP: []uint16{5060, 5080}, WS: []uint16{5066, 7443}, RTPFirst: 16384, RTPLast: 32768}, sources)
}

// empty is a machine that has no file of ufw's.
func empty(t *testing.T) *host.View {
	t.Helper()
	h, err := host.Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return host.NewView(h)
}

func golden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheFilesAreThoseThatUFWWrites(t *testing.T) {
	t.Parallel()
	for name, sources := range map[string][]netip.Prefix{"world": everybody, "some": someSources} {
		rules := rules(sources)
		for _, f := range Families {
			name := name + map[bool]string{true: "6"}[f.six] + ".rules"
			fresh, err := Read(empty(t), f)
			if err != nil {
				t.Fatal(err)
			}
			for from, file := range map[string]File{"nothing": fresh, "ufw's own": parsed(t, golden(t, name))} {
				after, dropped := file.Replace(f, rules)
				if got, want := after.String(), golden(t, name); got != want {
					t.Errorf("%s from %s:\n%s\nwant\n%s", name, from, got, want)
				}
				if len(dropped) > 0 {
					t.Errorf("%s from %s: dropped %v", name, from, dropped)
				}
			}
		}
	}
}

func parsed(t *testing.T, text string) File {
	t.Helper()
	f, ok := parse(text)
	if !ok {
		t.Fatalf("not a file of ufw's:\n%s", text)
	}
	if f.String() != text {
		t.Fatalf("does not write back what it read:\n%s", f)
	}
	return f
}

// withRules is a file as ufw has it, holding these tuples.
func withRules(t *testing.T, f Family, entries ...string) File {
	t.Helper()
	file, err := Read(empty(t), f)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		file.Entries = append(file.Entries, Entry{tuple: tupleMark + " " + e, lines: []string{"-A " + f.chain + "-user-input -j SOMETHING"}})
	}
	return parsed(t, file.String())
}

func TestEveryDroppedRuleIsTold(t *testing.T) {
	t.Parallel()
	f := Families[0]
	file := withRules(t, f,
		"allow tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 in",
		"limit tcp 22 0.0.0.0/0 any 10.0.0.0/8 in comment=6f6666696365",
		"allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in",
		"route:allow tcp 80 192.0.2.1 any 0.0.0.0/0 in_eth0!out_eth1",
		"deny any 25 0.0.0.0/0 53 0.0.0.0/0 out",
		"allow udp 5060 0.0.0.0/0 any 0.0.0.0/0 in comment=66732d68617264656e3a20736970", // an earlier run's
	)
	after, dropped := file.Replace(f, rules(everybody))
	want := "lets in SSH, SIP and media: 4 rules; drops 5 of before: " +
		"allow in 80,443/tcp; limit in 22/tcp from 10.0.0.0/8 (office); allow in OpenSSH; " +
		"route:allow in_eth0!out_eth1 80/tcp to 192.0.2.1; deny out 25 port 53"
	if got := Summary(after, dropped); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestKeptRules(t *testing.T) {
	t.Parallel()
	rules := rules(everybody)
	for name, c := range map[string]struct {
		before  []string
		client  string
		want    []string // the actions and ports, in order
		dropped int
	}{
		"a rule of theirs stays, between the way in and the rest": {
			before: []string{"deny any any 0.0.0.0/0 any 192.0.2.66 in"},
			want:   []string{"allow 22", "deny any", "allow 5060,5080", "allow 5060,5066,5080,7443", "allow 16384:32768"},
		},
		"a denial of the same goes": {
			before:  []string{"deny tcp 22 0.0.0.0/0 any 0.0.0.0/0 in"},
			want:    []string{"allow 22", "allow 5060,5080", "allow 5060,5066,5080,7443", "allow 16384:32768"},
			dropped: 1,
		},
		"a limit of the same stays": {
			before: []string{"limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in"},
			want:   []string{"limit 22", "allow 5060,5080", "allow 5060,5066,5080,7443", "allow 16384:32768"},
		},
		"SSH for some stays so": {
			before: []string{"allow tcp 22 0.0.0.0/0 any 10.0.0.0/8 in"}, client: "10.1.2.3",
			want: []string{"allow 22", "allow 5060,5080", "allow 5060,5066,5080,7443", "allow 16384:32768"},
		},
		"unless that would shut this build out": {
			before: []string{"allow tcp 22 0.0.0.0/0 any 10.0.0.0/8 in"}, client: "192.0.2.1",
			want: []string{"allow 22", "allow 22", "allow 5060,5080", "allow 5060,5066,5080,7443", "allow 16384:32768"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var client netip.Addr
			if c.client != "" {
				client = netip.MustParseAddr(c.client)
			}
			f := Families[0]
			after, dropped := withRules(t, f, c.before...).Merge(f, rules, client)
			var got []string
			for _, e := range after.Entries {
				tp, ok := e.parse()
				if !ok {
					t.Fatalf("%+v", e)
				}
				got = append(got, tp.action+" "+tp.dport)
			}
			if !reflect.DeepEqual(got, c.want) || len(dropped) != c.dropped {
				t.Errorf("got %q, dropped %v; want %q", got, dropped, c.want)
			}
			again, dropped := parsed(t, after.String()).Merge(f, rules, client)
			if again.String() != after.String() || len(dropped) > 0 {
				t.Errorf("the second time:\n%s\nafter the first:\n%s", again, after)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, after string }{
		{"", "K=new\n"},
		{"A=1", "A=1\nK=new\n"},
		{"# K=no\nK=\"old\"\n", "# K=no\nK=\"new\"\n"},
		{"K=old # why\nK='other'\n", "K=new\nK='new'\n"},
		{"KK=old\n", "KK=old\nK=new\n"},
	} {
		got := Settings(c.before).Set("K", "new")
		if string(got) != c.after || got.Get("K") != "new" {
			t.Errorf("%q became %q, want %q", c.before, got, c.after)
		}
	}
}

func TestTheKernelsRules(t *testing.T) {
	t.Parallel()
	rules := rules(someSources)
	source := func(f Family) string { return someSources[map[bool]int{true: 2}[f.six]].String() }
	for _, f := range Families {
		listing := golden(t, "some."+f.iptables)
		for name, c := range map[string]struct {
			edit func(string) string
			fail string
			also string
		}{
			"as loaded":                  {edit: func(s string) string { return s }},
			"flushed":                    {edit: func(s string) string { return onlyLines(s, "-P ", "-N ") }, fail: "do not reach UFW's rules, the policy for the rest is DROP"},
			"never loaded":               {edit: func(string) string { return "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n" }, fail: "do not reach UFW's rules, the policy for the rest is ACCEPT"},
			"its rules are not reached":  {edit: func(s string) string { return without(s, "-A "+f.chain+"-before-input -j "+f.chain+"-user-input") }, fail: "do not reach UFW's rules"},
			"its chains are not reached": {edit: func(s string) string { return without(s, "-A INPUT -j "+f.chain+"-before-input") }, fail: "do not reach UFW's rules"},
			"reached by forwarding alone": {edit: func(s string) string {
				return strings.Replace(s, "-A INPUT -j "+f.chain+"-before-input", "-A FORWARD -j "+f.chain+"-before-input", 1)
			}, fail: "do not reach UFW's rules"},
			"reached for one protocol": {edit: func(s string) string {
				return strings.Replace(s, "-A INPUT -j "+f.chain+"-before-input", "-A INPUT -p tcp -j "+f.chain+"-before-input", 1)
			}, fail: "do not reach UFW's rules"},
			"everything let in behind it": {edit: func(s string) string { return s + "-A INPUT -j ACCEPT\n" }},
			"an open policy that rejects": {edit: func(s string) string {
				return strings.Replace(s, "-P INPUT DROP", "-P INPUT ACCEPT", 1) + "-A " + f.chain + "-reject-input -j REJECT --reject-with icmp-port-unreachable\n"
			}},
			"no policy": {edit: func(s string) string { return without(s, "-P INPUT DROP") }, fail: "shows no policy"},
			"SSH at a limited rate": {edit: func(s string) string {
				return strings.Replace(s, "--dport 22 -j ACCEPT", "--dport 22 -j "+f.chain+"-user-limit-accept", 1)
			}},
			"SSH for one network": {edit: func(s string) string {
				return strings.Replace(s, "--dport 22 -j ACCEPT", "--dport 22 -j ACCEPT -s "+source(f), 1)
			}, also: "22/tcp from " + source(f)},
			"SSH by UDP": {edit: func(s string) string {
				return strings.Replace(s, "-p tcp -m tcp --dport 22", "-p udp -m udp --dport 22", 1)
			}, fail: "does not let in 22/tcp", also: ""},
			"an operator's rule, new": {edit: func(s string) string {
				return s + "-A " + f.chain + "-user-input -p tcp -m tcp --dport 80 -m conntrack --ctstate NEW -j ACCEPT\n"
			}, also: "80/tcp -m conntrack --ctstate NEW"},
			"open policy":                 {edit: func(s string) string { return strings.Replace(s, "-P INPUT DROP", "-P INPUT ACCEPT", 1) }, fail: "policy ACCEPT"},
			"everything let in before it": {edit: func(s string) string { return strings.Replace(s, "-A INPUT ", "-A INPUT -j ACCEPT\n-A INPUT ", 1) }, fail: "lets everything in"},
			"one rule gone":               {edit: func(s string) string { return strings.Replace(s, "--dports 16384:32768", "--dports 16384:32767", 1) }, fail: "does not let in 16384:32768/udp"},
			"SSH gone":                    {edit: func(s string) string { return strings.Replace(s, "--dport 22 -j ACCEPT", "--dport 22 -j DROP", 1) }, fail: "does not let in 22/tcp"},
			"one source gone": {edit: func(s string) string {
				return strings.Replace(s, source(f), "192.0.2.0/24", 1)
			}, fail: "from " + source(f)},
			"an operator's rule": {edit: func(s string) string {
				return s + "-A " + f.chain + "-user-input -p tcp -m tcp --dport 1234 -j ACCEPT\n"
			}, also: "1234/tcp"},
			"an operator's denial": {edit: func(s string) string { return s + "-A " + f.chain + "-user-input -s 192.0.2.66/32 -j DROP\n" }},
		} {
			t.Run(f.iptables+"/"+name, func(t *testing.T) {
				t.Parallel()
				others, err := compare(f, c.edit(listing), rules)
				switch {
				case c.fail == "" && err != nil:
					t.Error(err)
				case c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)):
					t.Errorf("error %v, want one with %q", err, c.fail)
				}
				if strings.Join(others, ", ") != c.also {
					t.Errorf("others: %q, want %q", others, c.also)
				}
			})
		}
	}
}

// without is a listing without a line of it.
func without(s, line string) string { return strings.Replace(s, line+"\n", "", 1) }

func onlyLines(s string, prefixes ...string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		for _, p := range prefixes {
			if strings.HasPrefix(line, p) {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// Who is let in to which port, where profiles have trunks. Port 5080 is external's,
// in both families.
func TestTrunksAloneAreLetIn(t *testing.T) {
	t.Parallel()
	const ssh, media = "22/tcp", "16384:32768/udp"
	four, six := netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:9::/48")
	alone := []listen.TrunkPort{{Port: 5080, From: []netip.Prefix{four}}}
	for name, tt := range map[string]struct {
		trunks []listen.TrunkPort
		sip    []netip.Prefix
		want   string
	}{
		"no trunks": {nil, everybody, "5060,5080/udp, 5060,5066,5080/tcp"},
		"phones from everywhere": {alone, everybody, "5060/udp from 0.0.0.0/0, 5060,5066/tcp from 0.0.0.0/0, 5060,5080/udp from ::/0, 5060,5066,5080/tcp from ::/0, " +
			"5080/udp from 203.0.113.0/24, 5080/tcp from 203.0.113.0/24"},
		"phones of an allowlist": {alone, someSources[:1:1], "5060/udp from 203.0.113.0/24, 5060,5066/tcp from 203.0.113.0/24, 5080/udp from 203.0.113.0/24, 5080/tcp from 203.0.113.0/24"},
		"both families": {
			append(alone[:1:1], listen.TrunkPort{Port: 5080, IPv6: true, From: []netip.Prefix{six}}), someSources[1:3:3],
			"5060/udp from 198.51.100.7/32, 5060,5066/tcp from 198.51.100.7/32, 5060/udp from 2001:db8::/32, 5060,5066/tcp from 2001:db8::/32, " +
				"5080/udp from 203.0.113.0/24, 5080/tcp from 203.0.113.0/24, 5080/udp from 2001:db8:9::/48, 5080/tcp from 2001:db8:9::/48",
		},
		"nobody in a family":                {append(alone[:1:1], listen.TrunkPort{Port: 5080, IPv6: true}), someSources[2:3:3], "5060/udp from 2001:db8::/32, 5060,5066/tcp from 2001:db8::/32, 5080/udp from 203.0.113.0/24, 5080/tcp from 203.0.113.0/24"},
		"shared with phones":                {[]listen.TrunkPort{{Port: 5080, From: []netip.Prefix{four}, Shared: "office"}}, everybody, "5060,5080/udp, 5060,5066,5080/tcp"},
		"shared with phones of elsewhere":   {[]listen.TrunkPort{{Port: 5080, From: []netip.Prefix{four}, Shared: "office"}}, someSources[1:2:2], "5060,5080/udp from 198.51.100.7/32, 5060,5066,5080/tcp from 198.51.100.7/32, 5080/udp from 203.0.113.0/24, 5080/tcp from 203.0.113.0/24"},
		"shared with phones of its own":     {[]listen.TrunkPort{{Port: 5080, From: []netip.Prefix{four}, Shared: "office"}}, someSources[:1:1], "5060,5080/udp from 203.0.113.0/24, 5060,5066,5080/tcp from 203.0.113.0/24"},
		"a port that is spoken by TCP only": {[]listen.TrunkPort{{Port: 5066, From: []netip.Prefix{four}}}, someSources[1:2:2], "5060,5080/udp from 198.51.100.7/32, 5060,5080/tcp from 198.51.100.7/32, 5066/tcp from 203.0.113.0/24"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			open := listen.Ports{SIP: []uint16{5060, 5080}, WS: []uint16{5066}, RTPFirst: 16384, RTPLast: 32768, Trunks: tt.trunks}
			rules := Rules([]uint16{22}, open, tt.sip)
			var words []string
			for _, r := range rules {
				words = append(words, Describe([]Rule{r}))
			}
			if got, want := strings.Join(words, ", "), strings.Join([]string{ssh, tt.want, media}, ", "); got != want {
				t.Errorf("let in are\n%s\nwant\n%s", got, want)
			}
			for _, f := range Families {
				fresh, err := Read(empty(t), f)
				if err != nil {
					t.Fatal(err)
				}
				after, _ := fresh.Replace(f, rules)
				for _, line := range strings.Split(after.String(), "\n") {
					if strings.Contains(line, "tuple") && (strings.Contains(line, "0.0.0.0/0 any ::") || strings.Contains(line, "::/0 any 0.0.0.0")) {
						t.Errorf("%s has a rule of the other family: %s", f.Rules, line)
					}
				}
			}
		})
	}
}
