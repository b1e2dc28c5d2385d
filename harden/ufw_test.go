package harden

import (
	"context"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// testdata/ufw was written by ufw 0.36.2 itself, told the same rules by its
// command line; the .iptables files are what iptables -S 1.8.9 said then.
var ufwAllowFrom = []string{"203.0.113.0/24", "198.51.100.7", "2001:db8::/32", "2001:db8:1::7"}

func ufwGolden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/ufw/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// rulesOf is what the step wants open on a vanilla tree.
func rulesOf(t *testing.T, p *plan.Plan) []ufwRule {
	t.Helper()
	rules, err := firewallRules(context.Background(), newTree(t).machine(p))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func (tr tree) machine(p *plan.Plan) *Machine {
	return &Machine{View: host.NewView(tr.runner().Host), Plan: p, ConfDir: "/etc/freeswitch", Phase: report.Bake, WhyNot: "a test", warn: func(string) {}}
}

func TestTheFilesAreThoseThatUFWWrites(t *testing.T) {
	t.Parallel()
	for name, allow := range map[string][]string{"world": nil, "some": ufwAllowFrom} {
		p := plan.Default()
		p.SIPAllowFrom = allow
		m := newTree(t).machine(p)
		rules := rulesOf(t, p)
		for _, f := range families {
			golden := name + map[bool]string{true: "6"}[f.six] + ".rules"
			fresh, err := readUFW(m, f)
			if err != nil {
				t.Fatal(err)
			}
			for from, file := range map[string]ufwFile{"nothing": fresh, "ufw's own": parsed(t, ufwGolden(t, golden))} {
				after, dropped := file.replace(f, rules)
				if got, want := after.String(), ufwGolden(t, golden); got != want {
					t.Errorf("%s from %s:\n%s\nwant\n%s", golden, from, got, want)
				}
				if len(dropped) > 0 {
					t.Errorf("%s from %s: dropped %v", golden, from, dropped)
				}
			}
		}
	}
}

func parsed(t *testing.T, text string) ufwFile {
	t.Helper()
	f, ok := parseUFW(text)
	if !ok {
		t.Fatalf("not a file of ufw's:\n%s", text)
	}
	if f.String() != text {
		t.Fatalf("does not write back what it read:\n%s", f)
	}
	return f
}

// withRules is a file as ufw has it, holding these tuples.
func withRules(t *testing.T, f family, entries ...string) ufwFile {
	t.Helper()
	file, err := readUFW(bareMachine(t, nil), f)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		file.entries = append(file.entries, ufwEntry{tuple: tupleMark + " " + e, lines: []string{"-A " + f.chain + "-user-input -j SOMETHING"}})
	}
	return parsed(t, file.String())
}

func TestEveryDroppedRuleIsTold(t *testing.T) {
	t.Parallel()
	f := families[0]
	file := withRules(t, f,
		"allow tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 in",
		"limit tcp 22 0.0.0.0/0 any 10.0.0.0/8 in comment=6f6666696365",
		"allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in",
		"route:allow tcp 80 192.0.2.1 any 0.0.0.0/0 in_eth0!out_eth1",
		"deny any 25 0.0.0.0/0 53 0.0.0.0/0 out",
		"allow udp 5060 0.0.0.0/0 any 0.0.0.0/0 in comment=66732d68617264656e3a20736970", // an earlier run's
	)
	after, dropped := file.replace(f, rulesOf(t, plan.Default()))
	want := "lets in SSH, SIP and media: 4 rules; drops 5 of before: " +
		"allow in 80,443/tcp; limit in 22/tcp from 10.0.0.0/8 (office); allow in OpenSSH; " +
		"route:allow in_eth0!out_eth1 80/tcp to 192.0.2.1; deny out 25 port 53"
	if got := rulesSummary(after, dropped); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestKeptRules(t *testing.T) {
	t.Parallel()
	rules := rulesOf(t, plan.Default())
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
			f := families[0]
			after, dropped := withRules(t, f, c.before...).merge(f, rules, client)
			var got []string
			for _, e := range after.entries {
				tp, ok := e.parse()
				if !ok {
					t.Fatalf("%+v", e)
				}
				got = append(got, tp.action+" "+tp.dport)
			}
			if !reflect.DeepEqual(got, c.want) || len(dropped) != c.dropped {
				t.Errorf("got %q, dropped %v; want %q", got, dropped, c.want)
			}
			again, dropped := parsed(t, after.String()).merge(f, rules, client)
			if again.String() != after.String() || len(dropped) > 0 {
				t.Errorf("the second time:\n%s\nafter the first:\n%s", again, after)
			}
		})
	}
}

func TestShellSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, after string }{
		{"", "K=new\n"},
		{"A=1", "A=1\nK=new\n"},
		{"# K=no\nK=\"old\"\n", "# K=no\nK=\"new\"\n"},
		{"K=old # why\nK='other'\n", "K=new\nK='new'\n"},
		{"KK=old\n", "KK=old\nK=new\n"},
	} {
		got := shellSettings(c.before).set("K", "new")
		if string(got) != c.after || got.get("K") != "new" {
			t.Errorf("%q became %q, want %q", c.before, got, c.after)
		}
	}
}

func TestTheFirewallOfATree(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  map[string]string // path and what stands in it
	}{
		"before the package": {
			want: map[string]string{ufwConf: "\nENABLED=yes\n", "/etc/ufw/user.rules": "-A ufw-user-input -p tcp --dport 22 -j ACCEPT"},
		},
		"with the package": {
			files: map[string]string{
				ufwConf:     "# theirs\nENABLED=no\nLOGLEVEL=off\n",
				ufwDefaults: "IPV6=no\nDEFAULT_INPUT_POLICY=\"ACCEPT\"\nDEFAULT_OUTPUT_POLICY=\"DROP\"\nDEFAULT_FORWARD_POLICY=\"ACCEPT\"\nMANAGE_BUILTINS=yes\n",
			},
			want: map[string]string{
				ufwConf:     "# theirs\nENABLED=yes\nLOGLEVEL=off\n",
				ufwDefaults: "IPV6=yes\nDEFAULT_INPUT_POLICY=\"DROP\"\nDEFAULT_OUTPUT_POLICY=\"ACCEPT\"\nDEFAULT_FORWARD_POLICY=\"ACCEPT\"\nMANAGE_BUILTINS=no\n",
			},
		},
		"sshd elsewhere": {
			files: map[string]string{"/etc/ssh/sshd_config": "Port 2222\n"},
			want:  map[string]string{"/etc/ufw/user6.rules": "-A ufw6-user-input -p tcp --dport 2222 -j ACCEPT"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			for p, text := range c.files {
				tr.write(p, text)
			}
			rep := tr.apply()
			for p, want := range c.want {
				if got := tr.read(p); !strings.Contains(got, want) {
					t.Errorf("%s lacks %q:\n%s", p, want, got)
				}
			}
			if _, exists := c.files[ufwDefaults]; !exists {
				if _, err := os.Lstat(tr.path(ufwDefaults)); err == nil {
					t.Errorf("%s was written before its package: dpkg will stop and ask", ufwDefaults)
				}
			}
			if link, err := os.Readlink(tr.path(ufwWanted)); err != nil || link != ufwUnit {
				t.Errorf("ufw.service is not enabled: %s %v", link, err)
			}
			checks := map[string]report.CheckStatus{}
			for _, st := range rep.Steps {
				for _, ch := range st.Checks {
					checks[ch.Name] = ch.Status
				}
			}
			if checks["firewall-files"] != report.Pass || checks["firewall"] != report.CheckDeferred {
				t.Errorf("checks: %v", checks)
			}
		})
	}
}

func TestSkipFirewallTouchesNothing(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	p := plan.Default()
	p.SkipFirewall = true
	if _, err := tr.runner().Apply(context.Background(), p, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/etc/ufw", ufwDefaults, ufwWanted} {
		if _, err := os.Lstat(tr.path(path)); err == nil {
			t.Errorf("%s was written", path)
		}
	}
}

func TestVerifySeesAFirewallThatWillNotComeUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(tree)
		want  string
	}{
		"disabled": {func(tr tree) { tr.write(ufwConf, "ENABLED=no\n") }, "ufw enable"},
		"no rules": {func(tr tree) { tr.remove("/etc/ufw/user6.rules") }, "user6.rules"},
		"a rule less": {func(tr tree) {
			tr.write("/etc/ufw/user.rules", strings.ReplaceAll(tr.read("/etc/ufw/user.rules"), "tcp 22", "tcp 23"))
		}, "does not let in 22/tcp"},
		"not enabled":     {func(tr tree) { tr.remove(ufwWanted) }, "systemctl enable ufw"},
		"masked":          {func(tr tree) { _ = os.Symlink("/dev/null", tr.path(ufwMask)) }, "masked"},
		"no IPv6":         {func(tr tree) { tr.write(ufwDefaults, "IPV6=no\nDEFAULT_INPUT_POLICY=DROP\n") }, "IPV6=no"},
		"another policy":  {func(tr tree) { tr.write(ufwDefaults, "IPV6=yes\nDEFAULT_INPUT_POLICY=ACCEPT\n") }, "ACCEPT"},
		"sshd moved away": {func(tr tree) { tr.write("/etc/ssh/sshd_config", "Port 2222\n") }, "does not let in 2222/tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			tr.apply()
			c.spoil(tr)
			m := tr.machine(plan.Default())
			for _, ch := range checkFirewall(context.Background(), m) {
				if ch.Name == "firewall-files" {
					if ch.Status != report.Fail || !strings.Contains(ch.Detail, c.want) {
						t.Errorf("%+v, want a failure with %q", ch, c.want)
					}
					return
				}
			}
			t.Error("no check of the files")
		})
	}
}

func TestTheKernelsRules(t *testing.T) {
	t.Parallel()
	p := plan.Default()
	p.SIPAllowFrom = ufwAllowFrom
	rules := rulesOf(t, p)
	for _, f := range families {
		listing := ufwGolden(t, "some."+f.iptables)
		for name, c := range map[string]struct {
			edit func(string) string
			fail string
			also string
		}{
			"as loaded":                   {edit: func(s string) string { return s }},
			"flushed":                     {edit: func(s string) string { return onlyLines(s, "-P ", "-N ") }, fail: "do not reach UFW's rules, the policy for the rest is DROP"},
			"never loaded":                {edit: func(string) string { return "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n" }, fail: "do not reach UFW's rules, the policy for the rest is ACCEPT"},
			"open policy":                 {edit: func(s string) string { return strings.Replace(s, "-P INPUT DROP", "-P INPUT ACCEPT", 1) }, fail: "policy ACCEPT"},
			"everything let in before it": {edit: func(s string) string { return strings.Replace(s, "-A INPUT ", "-A INPUT -j ACCEPT\n-A INPUT ", 1) }, fail: "lets everything in"},
			"one rule gone":               {edit: func(s string) string { return strings.Replace(s, "--dports 16384:32768", "--dports 16384:32767", 1) }, fail: "does not let in 16384:32768/udp"},
			"SSH gone":                    {edit: func(s string) string { return strings.Replace(s, "--dport 22 -j ACCEPT", "--dport 22 -j DROP", 1) }, fail: "does not let in 22/tcp"},
			"one source gone": {edit: func(s string) string {
				return strings.Replace(s, p.SIPAllowFrom[map[bool]int{true: 2}[f.six]], "192.0.2.0/24", 1)
			}, fail: "from " + p.SIPAllowFrom[map[bool]int{true: 2}[f.six]]},
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
