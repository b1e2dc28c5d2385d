//go:build linux && acceptance

package acctest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// walled is a machine on which a plan was applied.
func walled(t *testing.T, name, plan string) machine {
	t.Helper()
	m := boot(t, undefended(t), name, lab.BootOptions{})
	m.bringHelper()
	m.applyPlan(plan)
	return m
}

func (m machine) bringHelper() {
	m.t.Helper()
	if err := m.CopyIn(shop.ctx, filepath.Join(shop.Project, ".build/fs-harden-linux-amd64"), "/root/fs-harden"); err != nil {
		m.t.Fatal(err)
	}
}

// applyPlan gives what the helper said.
func (m machine) applyPlan(plan string) string {
	m.t.Helper()
	out, err := m.tryPlan(plan)
	if err != nil {
		m.t.Fatalf("apply: %v\n%s", err, out)
	}
	return out
}

func (m machine) tryPlan(plan string) (string, error) {
	m.t.Helper()
	if err := m.WriteFile(shop.ctx, "/root/plan.json", []byte(plan), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return m.Exec(shop.ctx, "sh", "-c", "/root/fs-harden apply --plan /root/plan.json 2>&1")
}

// What came of knocking at a port from the lab's network.
const (
	open    = "open"
	closed  = "closed" // let in, and nobody listens
	dropped = "dropped"
)

// knockWait is how long an answer over the lab's bridge may take.
const knockWait = 2 * time.Second

// knocking says hello to NETWORK ADDRESS PORT with bash's own redirections, and
// shows what the kernel thinks of it. A proof of life from a SIP server is its
// first byte, from anything on TCP that it takes the connection.
const knocking = `exec 3<>"/dev/$1/$2/$3" || exit 1
[ "$1" = tcp ] && { echo taken; exit; }
printf 'OPTIONS sip:knock SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.0.1:9;branch=z9hG4bKknock;rport\r\nMax-Forwards: 1\r\nFrom: <sip:knock@198.18.0.1>;tag=1\r\nTo: <sip:knock>\r\nCall-ID: knock@198.18.0.1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n' | dd bs=4096 iflag=fullblock status=none >&3 # in one datagram
read -r -N 1 -u 3 && echo taken`

// knock tries a port from outside. The kernel's word that nobody listens on it
// proves that the firewall let the packet in.
func (m machine) knock(network string, six bool, port int) (string, error) {
	c := m.container()
	ip := c.IPv4.String()
	if six {
		ip = c.IPv6.String()
	}
	ctx, cancel := context.WithTimeout(shop.ctx, knockWait)
	defer cancel()
	out, _ := shop.Lab.Command(ctx, "bash", "-c", knocking, "knock", network, ip, strconv.Itoa(port)).CombinedOutput()
	switch {
	case strings.Contains(string(out), "taken"):
		return open, nil
	case strings.Contains(string(out), "Connection refused"):
		return closed, nil
	case ctx.Err() != nil:
		return dropped, nil
	default:
		return "", fmt.Errorf("knocking at %s %s %d: %s", network, ip, port, out)
	}
}

// letsIn checks what is let in over both families, all at once: "tcp 22".
func (m machine) letsIn(want map[string]bool) {
	m.t.Helper()
	var all sync.WaitGroup
	for service, in := range want {
		network, port, _ := strings.Cut(service, " ")
		n, err := strconv.Atoi(port)
		if err != nil {
			m.t.Fatal(err)
		}
		for _, six := range []bool{false, true} {
			all.Go(func() {
				if got, err := m.knock(network, six, n); err != nil || (got != dropped) != in {
					m.t.Errorf("%s, IPv6 %t: %s, %v", service, six, got, err)
				}
			})
		}
	}
	all.Wait()
}

// standing is what a machine may have of its own before it is baked: rules by
// hand, a table of nft's, and chains as Docker makes them.
const standing = `
iptables -N DOCKER-USER; iptables -A FORWARD -j DOCKER-USER; iptables -A DOCKER-USER -s 192.0.2.9 -j DROP
iptables -t nat -N DOCKER; iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables -A INPUT -s 192.0.2.66 -j DROP; ip6tables -A INPUT -s 2001:db8::66 -j DROP
nft add table inet operator; nft add chain inet operator mine '{ type filter hook input priority 10; }'; nft add rule inet operator mine ip saddr 192.0.2.67 drop
`

func (m machine) operatorsRules() {
	m.t.Helper()
	for command, want := range map[string][]string{
		"iptables-save":                {"-A FORWARD -j DOCKER-USER", "-A DOCKER-USER -s 192.0.2.9/32 -j DROP", "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER", "-A INPUT -s 192.0.2.66/32 -j DROP"},
		"ip6tables-save":               {"-A INPUT -s 2001:db8::66/128 -j DROP"},
		"nft list table inet operator": {"ip saddr 192.0.2.67 drop"},
	} {
		out := m.sh(command)
		for _, w := range want {
			if !strings.Contains(out, w) {
				m.t.Errorf("the operator's rule %q is gone:\n%s", w, out)
			}
		}
	}
}

// Packer bakes over SSH, and the machine is reached by it ever after.
func TestABakeIsNotShutOut(t *testing.T) {
	image := undefended(t)
	for _, port := range []int{22, 2222} {
		t.Run(strconv.Itoa(port), func(t *testing.T) {
			m := boot(t, image, "ssh-"+strconv.Itoa(port), lab.BootOptions{})
			m.sh(fmt.Sprintf("echo Port %d >/etc/ssh/sshd_config.d/port.conf; systemctl restart ssh", port))
			m.sh(standing)
			m.bakeOver(port)
			m.letsIn(map[string]bool{
				"tcp " + strconv.Itoa(port): true, "tcp 2223": false, "tcp 8021": false, "tcp 80": false, "udp 53": false,
				"udp 5060": true, "tcp 5060": true, "udp 5080": true, "tcp 7443": true, "udp 16384": true, "udp 32768": true, "udp 32769": false,
			})
			if port != 22 {
				m.letsIn(map[string]bool{"tcp 22": false})
			}
			m.operatorsRules()
			m.bakeOver(port) // new connections as well
			m.operatorsRules()
		})
	}
}

func (m machine) bakeOver(port int) {
	m.t.Helper()
	ssh := m.SSH()
	report := filepath.Join(m.t.TempDir(), "report.json")
	if out, err := shop.Packer.RunInside(shop.ctx, filepath.Join(shop.Project, "example"), "build",
		"-var", "host="+ssh.Host, "-var", fmt.Sprintf("port=%d", port), "-var", "user=debian",
		"-var", "private_key_file="+ssh.KeyFile, "-var", "report="+report, "."); err != nil {
		text, _ := os.ReadFile(report)
		m.t.Fatalf("%v\n%s\n%s", err, out, text)
	}
}

func TestOnlySomeMaySpeakSIP(t *testing.T) {
	// The lab's own addresses on its network, which knock comes from.
	m := walled(t, "sip-for-some", `{"sip_allow_from":["198.18.0.1","fd19:8180::/64"]}`)
	sip := func(in bool) map[string]bool {
		return map[string]bool{"udp 5060": in, "tcp 5080": in, "tcp 7443": in, "udp 20000": true, "tcp 22": true}
	}
	m.letsIn(sip(true))
	m.applyPlan(`{"sip_allow_from":["203.0.113.0/24","2001:db8::7"]}`)
	m.letsIn(sip(false))
	if out := m.run("ufw", "status"); !strings.Contains(out, "203.0.113.0/24") || !strings.Contains(out, "2001:db8::7") || strings.Contains(out, "198.18.0.1") {
		t.Errorf("ufw status:\n%s", out)
	}
}

// firewallOnly spares a test the proof of bans, which takes seconds each time.
const firewallOnly = `{"skip_fail2ban":true,"rate_limit":{"enabled":false}}`

func TestTheFirewallLives(t *testing.T) {
	m := walled(t, "firewall", firewallOnly)
	m.run("/root/fs-harden", "firstboot")
	state := func() string {
		return m.sh("cat /etc/ufw/*.rules /etc/ufw/ufw.conf /etc/default/ufw; iptables -S; ip6tables -S; stat -c '%n %i %Y' /etc/ufw/user*.rules")
	}
	before := state()
	m.applyPlan(firewallOnly)
	if after := state(); after != before {
		t.Errorf("the second apply changed something:\n%s\nbefore:\n%s", after, before)
	}
	m.run("/root/fs-harden", "verify")

	// UFW's own command goes on from the files, and verify tells of it.
	m.run("ufw", "allow", "1234/tcp")
	m.letsIn(map[string]bool{"tcp 1234": true, "tcp 1235": false, "udp 5060": true})
	if out := m.run("/root/fs-harden", "verify"); !strings.Contains(out, "not ours: 1234/tcp") {
		t.Errorf("verify does not tell of the operator's rule:\n%s", out)
	}
	m.run("ufw", "delete", "allow", "1234/tcp")
	if now := m.sh("cat /etc/ufw/user.rules /etc/ufw/user6.rules"); !strings.Contains(before, now[:len(now)/2]) {
		t.Errorf("ufw writes its file in another form:\n%s", now)
	}

	// A reboot keeps it.
	if err := m.Reboot(shop.ctx); err != nil {
		t.Fatal(err)
	}
	m.waitBoot()
	m.letsIn(map[string]bool{"tcp 22": true, "udp 5060": true, "tcp 1234": false})
	m.run("/root/fs-harden", "verify")

	// Flushed rules are seen, and mended, which ufw reload would not.
	for _, flush := range []string{"iptables -P INPUT ACCEPT; iptables -F", "ip6tables -P INPUT ACCEPT; ip6tables -F", "ufw --force disable", "iptables -I INPUT -j ACCEPT"} {
		m.sh(flush)
		if out := m.fails("/root/fs-harden", "verify"); !strings.Contains(out, "firewall") {
			t.Errorf("after %s, verify says:\n%s", flush, out)
		}
		if flush == "iptables -I INPUT -j ACCEPT" {
			m.run("iptables", "-D", "INPUT", "-j", "ACCEPT")
		}
		m.applyPlan(firewallOnly)
		m.run("/root/fs-harden", "verify")
		m.letsIn(map[string]bool{"tcp 22": true, "tcp 1234": false})
	}
}

// A bake that fails leaves the firewall and the operator's rules as they were,
// and takes its own table with it.
func TestAFailedBakeTakesTheFirewallBack(t *testing.T) {
	m := boot(t, undefended(t), "failed-bake", lab.BootOptions{})
	m.bringHelper()
	m.sh(standing)
	m.sh("iptables -P FORWARD DROP; iptables -I INPUT -j ACCEPT")
	rules := m.sh("iptables -S INPUT; iptables -S FORWARD")
	const everything = "find /etc/ufw /etc/default/ufw* /etc/systemd/system -printf '%p %y %m %U %l ' -type f -printf '%T@ ' -exec sha256sum {} + -o -printf '\\n'"
	files := m.sh(everything)
	if out, err := m.tryPlan(`{}`); err == nil || !strings.Contains(out, "lets everything in") {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	if tables := m.run("nft", "list", "tables"); strings.Contains(tables, "fs_harden") {
		t.Errorf("the table of bans is still there: %s", tables)
	}
	if now := m.sh(everything); now != files {
		t.Errorf("UFW's files are\n%s\nnot\n%s", now, files)
	}
	var kept []string
	for line := range strings.Lines(m.sh("iptables -S INPUT; iptables -S FORWARD")) {
		if !strings.Contains(line, "-j ufw-") {
			kept = append(kept, strings.TrimSpace(line))
		}
	}
	if now := strings.Join(kept, "\n"); now != rules {
		t.Errorf("the rules are\n%s\nnot\n%s", now, rules)
	}
	m.operatorsRules()
	m.letsIn(map[string]bool{"tcp 22": true, "tcp 1234": true})
}

// The proof leaves nothing behind, also where it is killed in the middle.
func TestTheProofOfABan(t *testing.T) {
	for _, action := range []string{"nftables", "iptables-allports"} {
		t.Run(action, func(t *testing.T) {
			m := walled(t, "proof-"+action[:3], `{"fail2ban":{"ban_action":"`+action+`"}}`)
			m.run("/root/fs-harden", "firstboot")
			out := m.run("/root/fs-harden", "verify")
			for _, want := range []string{"ban-ipv4", "ban-ipv6"} {
				if line := lineWith(out, want); !strings.Contains(line, "counted") || !strings.Contains(line, "had answered before the ban") {
					t.Errorf("%s: %q\n%s", want, line, out)
				}
			}
			m.nothingOfTheProof()
			// The same in the sandbox of the unit.
			m.run("systemctl", "start", "fs-harden-verify.service")
			if out := m.sh("journalctl --no-pager -u fs-harden-verify | tail -50"); !strings.Contains(lineWith(out, "ban-ipv4"), "counted") || !strings.Contains(lineWith(out, "ban-ipv6"), "counted") {
				t.Errorf("the unit:\n%s", out)
			}
			// Killed in the middle, and swept by the next.
			m.sh(`for try in $(seq 10); do
					/root/fs-harden verify >/dev/null 2>&1 & pid=$!
					while kill -0 $pid 2>/dev/null; do
						{ nft list ruleset; iptables-save; } 2>/dev/null | grep -q '203\.0\.113\.' && kill -9 $pid
					done
					wait $pid; [ $? = 137 ] && break
				done
				[ $try != 10 ] || { echo "never killed while the ban stood"; exit 1; }
				for i in $(seq 100); do ip link show type veth | grep -q ' fsh' || exit 0; sleep 0.1; done; exit 1`)
			m.run("/root/fs-harden", "verify")
			m.nothingOfTheProof()
			// Two at once do not meet.
			m.sh(`/root/fs-harden verify >/tmp/a 2>&1 & a=$!; /root/fs-harden verify >/tmp/b 2>&1 & b=$!; wait $a && wait $b || { cat /tmp/a /tmp/b; exit 1; }`)
			m.nothingOfTheProof()

			// A ban that is not enforced is seen.
			for what, commands := range map[string][2]string{
				"nftables": {"nft flush chain inet fs_harden bans", "systemctl restart fs-harden-nft"},
				// Not -F, which cuts off loopback too where UFW drops by default.
				"iptables-allports": {"iptables -S INPUT | sed -n '/f2b/s/^-A/iptables -D/p' | sh", "systemctl restart fail2ban"},
			} {
				if what != action {
					continue
				}
				m.sh(commands[0])
				if out := m.fails("/root/fs-harden", "verify"); !strings.Contains(lineWith(out, "ban-ipv4"), "does not enforce") {
					t.Errorf("after %s:\n%s", commands[0], out)
				}
				m.nothingOfTheProof()
			}
		})
	}
}

func (m machine) nothingOfTheProof() {
	m.t.Helper()
	if out := m.sh("ip -o link show type veth | grep fsh || true; ip route show table all | grep -E '192.0.2|198.51.100|203.0.113|2001:db8' || true; fail2ban-client status freeswitch | grep -E 'Banned IP list:.*[0-9]' || true"); out != "" {
		m.t.Errorf("left behind: %s", out)
	}
}

func lineWith(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			return line
		}
	}
	return ""
}
