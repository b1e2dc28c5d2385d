//go:build linux && acceptance

package acctest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/netns"
)

// A machine that calls itself by its own address is not banned, by either action:
// its jails know its addresses, which no name tells them, and no ban stops what comes
// by lo.
func TestTheMachineNeverBansItself(t *testing.T) {
	for name, tt := range map[string]struct{ plan, action, file string }{
		"nftables": {`{}`, "fs-harden.py", "fs-harden.py"},
		"iptables": {`{"fail2ban": {"ban_action": "iptables-allports"}}`, "fs-harden-iptables[name=freeswitch]", "fs-harden-iptables.conf"},
	} {
		t.Run(name, func(t *testing.T) {
			k := hardened(t, tt.plan)
			f := k.fail2ban(tt.action, tt.file)
			j := jail{k, f}
			j.client("start")
			t.Cleanup(func() { _, _ = f.Client("stop") })
			j.neverBansItself()
			j.tellsItsLag()
			j.letsItselfIn()
		})
	}
}

// fail2ban is one with the action, and the action that every jail of ours has.
func (k *kernel) fail2ban(action string, file string) *netns.Fail2ban {
	k.t.Helper()
	if !netns.HaveFail2ban() {
		k.t.Fatal("fail2ban is not installed: apt-get install fail2ban; its service need not run")
	}
	files := map[string]string{}
	for _, name := range []string{file, "fs-harden-jail.py"} {
		text, err := os.ReadFile(filepath.Join(k.tree, "etc/fail2ban/action.d", name))
		k.must(err)
		// The rules lie in the tree, not on the machine that runs this.
		files[name] = strings.Replace(string(text), `"/etc/fs-harden/nftables.nft"`, fmt.Sprintf("%q", k.rules), 1)
	}
	f, err := netns.NewFail2ban(k.server, k.t.TempDir(), action+"\n         fs-harden-jail.py", files)
	k.must(err)
	return f
}

// A jail is that of a fail2ban, and the kernel in which it bans.
type jail struct {
	*kernel
	f *netns.Fail2ban
}

func (j jail) client(args ...string) string {
	j.t.Helper()
	out, err := j.f.Client(args...)
	if err != nil {
		j.t.Fatalf("%v\n%s\n%s", err, out, j.f.Log())
	}
	return strings.TrimSpace(out)
}

func (j jail) lag() string {
	j.t.Helper()
	return j.client("get", "freeswitch", "action", "fs-harden-jail", "lag")
}

// fails writes failures of these, and waits until the last of them is banned.
func (j jail) fails(addresses ...string) {
	j.t.Helper()
	for _, a := range addresses {
		j.must(j.f.Write("hit " + a))
	}
	last := addresses[len(addresses)-1]
	for range 100 {
		if j.banned(last) > 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	j.t.Fatalf("%s is not banned:\n%s", last, j.f.Log())
}

// banned is how often an address was banned.
func (j jail) banned(address string) int {
	return strings.Count(j.f.Log(), "[freeswitch] Ban "+address+"\n")
}

func (j jail) neverBansItself() {
	const late = "10.77.0.3"
	j.fails(serverV4, serverV6, "127.0.0.1", source)
	j.client("reload")
	j.fails(serverV4, serverV6, other)
	j.run("ip", "addr", "add", late+"/24", "dev", "eth0")
	j.client("set", "freeswitch", "banip", late)
	j.fails(late, sourceV6, otherV6)
	for address, want := range map[string]int{serverV4: 0, serverV6: 0, "127.0.0.1": 0, source: 1, other: 1, sourceV6: 1, otherV6: 1} {
		if n := j.banned(address); n != want {
			j.t.Errorf("%s was banned %d times, want %d", address, n, want)
		}
	}
	if n := j.banned(late); n != 1 || !strings.Contains(j.f.Log(), late+" is this machine's own, and not banned") {
		j.t.Errorf("an address that came up after fail2ban was banned %d times, want the one by hand\n%s", n, j.f.Log())
	}
	if list := strings.Fields(j.client("get", "freeswitch", "banip")); len(list) != 4 {
		j.t.Errorf("banned are %q", list)
	}
}

func (j jail) tellsItsLag() {
	if got := j.lag(); got != "0.0 s, 0 bytes" {
		j.t.Errorf("it has read all, and tells %q", got)
	}
	j.client("set", "freeswitch", "idle", "on")
	time.Sleep(2500 * time.Millisecond) // it looks for new lines every two seconds
	j.must(j.f.Write("nothing"))
	time.Sleep(2 * time.Second)
	if got := j.lag(); !strings.HasSuffix(got, fmt.Sprintf(" s, %d bytes", len("2006-01-02 15:04:05 nothing\n"))) || got[0] < '1' || got[0] > '5' {
		j.t.Errorf("it reads nothing, and tells %q", got)
	}
	j.client("set", "freeswitch", "idle", "off")
	j.fails(carrier)
	if got := j.lag(); got != "0.0 s, 0 bytes" {
		j.t.Errorf("it reads again, and tells %q", got)
	}
}

// letsItselfIn has it banned all the same.
func (j jail) letsItselfIn() {
	j.client("set", "freeswitch", "delaction", "fs-harden-jail")
	j.client("set", "freeswitch", "banip", serverV4, serverV6)
	const port = "4000"
	for _, c := range []struct {
		from           *netns.NS
		source, target string
		want           int
	}{
		{j.server, serverV4, serverV4 + ":" + port, 1},
		{j.server, serverV6, "[" + serverV6 + "]:" + port, 1},
		{j.server, "127.0.0.1", serverV4 + ":" + port, 1},
		{j.attacker, source, serverV4 + ":" + port, 0},
		{j.attacker, sourceV6, "[" + serverV6 + "]:" + port, 0},
	} {
		n, err := netns.Flood(c.from, j.server, c.source, c.target, "x", 1)
		j.must(err)
		if n != c.want {
			j.t.Errorf("%d packets from %s arrive, want %d\n%s", n, c.source, c.want, j.f.Log())
		}
	}
}
