//go:build linux && acceptance

package acctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/netns"
)

const vanillaConf = "../../shared/data/vanilla-conf-1.10.12"

// kernel is a machine that is nothing but netfilter, with an attacker beside it.
type kernel struct {
	t                *testing.T
	server, attacker *netns.NS
	rules            string // our file, as fs-harden wrote it
	tree             string // where
}

const (
	serverV4, serverV6 = "10.77.0.2", "2001:db8:77::2"
	// sourceV6 and twinV6 are in one /64, otherV6 is in the next.
	source, other, carrier             = "10.77.0.11", "10.77.0.12", "10.77.0.13"
	sourceV6, twinV6, otherV6, friend6 = "2001:db8:77:1::11", "2001:db8:77:1::12", "2001:db8:77:2::11", "2001:db8:77:3::11"
)

// hardened has the rules of this plan loaded.
func hardened(t *testing.T, plan string) *kernel {
	t.Helper()
	if os.Geteuid() != 0 {
		lab.Require(t)
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Fatal("nft is not installed: apt-get install nftables")
	}
	k := &kernel{t: t, tree: t.TempDir()}
	var err error
	if k.server, err = netns.New(); err != nil {
		t.Fatal(err)
	}
	if k.attacker, err = netns.New(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = k.server.Close(), k.attacker.Close() })
	k.must(netns.Link(k.server, k.attacker,
		[]string{serverV4 + "/24", serverV6 + "/48"},
		[]string{source + "/24", other + "/24", carrier + "/24", sourceV6 + "/48", twinV6 + "/48", otherV6 + "/48", friend6 + "/48"}))
	k.must(os.CopyFS(filepath.Join(k.tree, "etc/freeswitch"), os.DirFS(vanillaConf)))
	k.must(filepath.WalkDir(k.tree, func(p string, d os.DirEntry, err error) error {
		if err == nil {
			err = os.Chmod(p, map[bool]os.FileMode{true: 0o755, false: 0o644}[d.IsDir()])
		}
		return err
	}))
	units := filepath.Join(k.tree, "lib/systemd/system")
	k.must(os.MkdirAll(units, 0o755))
	k.must(os.WriteFile(filepath.Join(units, "freeswitch.service"), []byte("[Service]\nExecStart=/usr/bin/freeswitch\n"), 0o644))
	k.plan(plan)
	k.load()
	return k
}

func (k *kernel) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// plan has fs-harden write the rules of a plan.
func (k *kernel) plan(plan string) {
	k.t.Helper()
	file := filepath.Join(k.tree, "plan.json")
	k.must(os.WriteFile(file, []byte(plan), 0o600))
	helper, err := filepath.Abs("../.build/fs-harden-linux-amd64")
	k.must(err)
	if out, err := exec.Command(helper, "apply", "--root", k.tree, "--plan", file).CombinedOutput(); err != nil {
		k.t.Fatalf("fs-harden apply: %v\n%s", err, out)
	}
	k.rules = filepath.Join(k.tree, "etc/fs-harden/nftables.nft")
}

func (k *kernel) load() { k.t.Helper(); k.run("nft", "-f", k.rules) }

// run runs a command on the server.
func (k *kernel) run(argv ...string) string {
	k.t.Helper()
	out, err := k.server.Run("", argv[0], argv[1:]...)
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}

func (k *kernel) nft(script string) {
	k.t.Helper()
	if _, err := k.server.Run(script, "nft", "-f", "-"); err != nil {
		k.t.Fatal(err)
	}
}

// ask sends n packets and tells how many of them FreeSWITCH would see.
func (k *kernel) ask(from, method string, n int) int {
	k.t.Helper()
	to := serverV4
	if strings.Contains(from, ":") {
		to = "[" + serverV6 + "]"
	}
	arrived, err := netns.Flood(k.attacker, k.server, from, to+":5060", method+" sip:1000@example.com SIP/2.0\r\n", n)
	if err != nil {
		k.t.Fatal(err)
	}
	return arrived
}

// between is what passes of a flood: the burst, and what the rate adds while
// the flood lasts, which on a slow machine may be seconds.
func (k *kernel) between(what string, got, least, most int) {
	k.t.Helper()
	if got < least || got > most {
		k.t.Errorf("%s: %d passed, want %d to %d", what, got, least, most)
	}
}

func TestLimitsOfAStranger(t *testing.T) {
	for method, tt := range map[string]struct{ burst, most int }{
		"INVITE": {100, 300}, "REGISTER": {200, 300}, "OPTIONS": {60, 160}, "SUBSCRIBE": {600, 990}, "MESSAGE": {100, 200},
		// What hides a method from a plain look at the first bytes.
		"\r\n\r\nINVITE": {50, 150}, " REGISTER": {50, 150}, "\tINVITE": {50, 150},
		// FreeSWITCH takes a tab behind the method.
		"INVITE\t": {100, 300},
		// What ends or answers a call is never limited.
		"ACK": {1000, 1000}, "BYE": {1000, 1000}, "CANCEL": {1000, 1000}, "SIP/2.0 200 OK": {1000, 1000}, "INFO": {1000, 1000},
	} {
		t.Run(strings.Trim(strings.ReplaceAll(strings.ReplaceAll(method, "\r\n", "CRLF "), "\t", " TAB "), " "), func(t *testing.T) {
			t.Parallel()
			k := hardened(t, `{}`)
			k.between("IPv4", k.ask(source, method, 1000), tt.burst, tt.most)
			k.between("another source", k.ask(other, method, 20), 20, 20)
			k.between("IPv6", k.ask(sourceV6, method, 1000), tt.burst, tt.most)
			// One customer's /64 is one source.
			if tt.burst < 1000 {
				k.between("its twin", k.ask(twinV6, method, 1000), 0, min(tt.most-tt.burst, tt.burst-1))
			}
			k.between("the next /64", k.ask(otherV6, method, 20), 20, 20)
		})
	}
}

func TestWhatIsNeverLimited(t *testing.T) {
	k := hardened(t, `{"sip_allow_from":["`+carrier+`"],"fail2ban":{"ignore_ip":["2001:db8:77:3::/64"]}}`)
	for _, from := range []string{carrier, friend6} {
		for _, method := range []string{"INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE", "\r\nINVITE"} {
			k.between("trusted "+from+" "+method, k.ask(from, method, 1000), 1000, 1000)
		}
	}
	// Keep-alives of phones, and media that looks like a method on another port.
	for _, alive := range []string{"\r\n\r\n", "\x00\x00\x00\x00", "\r\n"} {
		n, err := netns.Flood(k.attacker, k.server, source, serverV4+":5060", alive, 1000)
		k.must(err)
		k.between("a keep-alive", n, 1000, 1000)
	}
	n, err := netns.Flood(k.attacker, k.server, source, serverV4+":20000", "INVITE sip:1000@example.com SIP/2.0\r\n", 1000)
	k.must(err)
	k.between("another port", n, 1000, 1000)
}

// The office of fifty phones behind one address, at power-on, all in one second.
func TestAnOfficeOfFiftyPhones(t *testing.T) {
	k := hardened(t, `{}`)
	for _, step := range []struct {
		method string
		n      int
	}{
		{"REGISTER", 50 * 2 * 2},  // two lines, challenged
		{"SUBSCRIBE", 50 * 6 * 2}, // five lamp keys and a mailbox, challenged
		{"OPTIONS", 50},           // one keep-alive each
		{"INVITE", 50 * 2},        // everybody calls, challenged
		{"ACK", 100},
		{"BYE", 50},
	} {
		k.between(step.method, k.ask(source, step.method, step.n), step.n, step.n)
	}
}

// A flood from more sources than a set can hold limits nobody who comes later.
func TestAFullSetFailsOpen(t *testing.T) {
	k := hardened(t, `{}`)
	// The same set, with room for one: 65,535 sources take a while.
	text, err := os.ReadFile(k.rules)
	k.must(err)
	small := strings.ReplaceAll(string(text), "size 65535", "size 1")
	k.run("nft", "delete", "table", "inet", "fs_harden")
	k.nft(small)
	k.between("who came first", k.ask(source, "OPTIONS", 1000), 60, 160)
	k.between("who came later", k.ask(other, "OPTIONS", 1000), 1000, 1000)
}

func TestNewConnectionsAreLimited(t *testing.T) {
	k := hardened(t, `{}`)
	// Nothing listens: each try is one SYN and one RST.
	k.must(k.attacker.Do(func() error { return connectMany(source, serverV4+":5060", 600) }))
	over := k.run("nft", "list", "counter", "inet", "fs_harden", "limited_connect")
	if strings.Contains(over, "packets 0 ") {
		t.Error("600 connections at once, and none was over the limit")
	}
	k.must(k.attacker.Do(func() error { return connectMany(other, serverV4+":22", 600) }))
	if now := k.run("nft", "list", "counter", "inet", "fs_harden", "limited_connect"); now != over {
		t.Error("connections to another port were limited")
	}
}

// A ban stops a flow that is under way and was accepted as established, for
// every protocol and port, and only that source's.
func TestABanStopsAFlowUnderWay(t *testing.T) {
	for _, limits := range []string{"true", "false"} {
		k := hardened(t, `{"rate_limit":{"enabled":`+limits+`}}`)
		k.nft("table inet operator {\n counter seen { }\n chain input {\n type filter hook input priority 0; policy drop;\n counter name seen\n ct state established,related accept\n udp dport 5060 accept\n meta l4proto { icmp, ipv6-icmp } accept\n }\n}\n")
		for _, tt := range []struct{ from, set, to, ping string }{
			{source, "ban_freeswitch_v4", serverV4, "-4"},
			{sourceV6, "ban_recidive_v6", serverV6, "-6"},
		} {
			before := k.ask(tt.from, "BYE", 3)
			k.run("nft", "add", "element", "inet", "fs_harden", tt.set, "{ "+tt.from+" timeout 1h }")
			seen := k.run("nft", "list", "counter", "inet", "operator", "seen")
			after := k.ask(tt.from, "BYE", 3)
			if now := k.run("nft", "list", "counter", "inet", "operator", "seen"); now != seen {
				t.Errorf("the operator's chain still saw the banned: %s, then %s", seen, now)
			}
			if before != 3 || after != 0 {
				t.Errorf("limits %s: %s: %d of 3 before the ban, %d after", limits, tt.from, before, after)
			}
			if c := k.run("nft", "list", "counter", "inet", "fs_harden", tt.set); !strings.Contains(c, "packets 3 ") {
				t.Errorf("the ban's counter: %s", c)
			}
			if out, err := k.attacker.Run("", "ping", tt.ping, "-c1", "-W1", "-I", tt.from, tt.to); err == nil {
				t.Errorf("a banned source is answered: %s", out)
			}
		}
		k.between("another source", k.ask(other, "BYE", 3), 3, 3)
	}
}

const operatorsTables = `
table inet operator {
	set friends { type ipv4_addr; elements = { 192.0.2.77 }; }
	chain input { type filter hook input priority 0; policy drop; udp dport 5060 accept; ip saddr @friends accept; }
}
table ip nat { chain post { type nat hook postrouting priority 100; masquerade; }
}
`

// Loading, loading again and taking away our table leaves what is an operator's,
// a default of DROP included, and loading again loses no ban.
func TestTheOperatorsRulesStand(t *testing.T) {
	k := hardened(t, `{}`)
	k.run("nft", "flush", "ruleset")
	k.nft(operatorsTables)
	if _, err := exec.LookPath("iptables"); err == nil {
		k.run("iptables", "-P", "INPUT", "DROP")
		k.run("iptables", "-A", "INPUT", "-p", "udp", "--dport", "5060", "-j", "ACCEPT")
	}
	theirs := func() string {
		var b strings.Builder
		for line := range strings.Lines(k.run("nft", "list", "tables")) {
			if table := strings.Fields(line); table[2] != "fs_harden" {
				b.WriteString(k.run("nft", "list", "table", table[1], table[2]))
			}
		}
		return b.String()
	}
	before := theirs()
	k.load()
	k.run("nft", "add", "element", "inet", "fs_harden", "ban_sshd_v4", "{ "+source+" timeout 1h }")
	k.run("nft", "add", "element", "inet", "fs_harden", "ban_recidive_v6", "{ "+sourceV6+" }")
	for _, plan := range []string{`{}`, `{"rate_limit":{"enabled":false}}`, `{"sip_allow_from":["0.0.0.0/0","::/0"]}`, `{"sip_allow_from":["10.0.0.0/8"]}`, `{}`} {
		k.plan(plan)
		k.load()
		for set, address := range map[string]string{"ban_sshd_v4": source, "ban_recidive_v6": sourceV6} {
			if out := k.run("nft", "list", "set", "inet", "fs_harden", set); !strings.Contains(out, address) {
				t.Errorf("%s: the ban of %s was lost:\n%s", plan, address, out)
			}
		}
		if got := k.ask(source, "BYE", 3); got != 0 {
			t.Errorf("%s: %d packets of a banned source passed", plan, got)
		}
		if has := strings.Contains(k.run("nft", "list", "table", "inet", "fs_harden"), "chain sip_limits"); has == strings.Contains(plan, "false") {
			t.Errorf("%s: there are limits: %v", plan, has)
		}
		if now := withoutCounts(theirs()); now != withoutCounts(before) {
			t.Errorf("%s: the operator's rules were\n%s\nand are\n%s", plan, before, now)
		}
	}
	k.run("nft", "delete", "table", "inet", "fs_harden")
	if now := withoutCounts(theirs()); now != withoutCounts(before) {
		t.Errorf("the operator's rules were\n%s\nand are\n%s", before, now)
	}
	if got := k.ask(source, "BYE", 3); got != 3 {
		t.Errorf("%d of 3 packets pass without our table", got)
	}
}
