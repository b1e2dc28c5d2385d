//go:build linux && acceptance

package acctest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// trustingPlan is what the machines of TestAttacks were baked with.
const trustingPlan = `{"fail2ban": {"ignore_ip": ["` + trustedCarrier + `"]}}`

// inService is what happens to a machine in the years after its bake: services
// are restarted, somebody flushes rules, it reboots. The kernel goes on banning,
// and verify tells the truth each time.
func inService(m machine) {
	m.bringHelper()
	m.applyPlan(trustingPlan)
	if changed := m.harden(); len(changed) > 0 {
		m.t.Errorf("the second apply changed: %s", changed)
	}
	// No addresses from the documentation's ranges: verify lifts those.
	m.run("fail2ban-client", "set", "freeswitch", "banip", "198.18.0.7")
	m.run("fail2ban-client", "set", "recidive", "banip", "fd77::7")
	for _, what := range []string{
		"systemctl restart fail2ban", "systemctl reload fs-harden-nft", "systemctl restart fs-harden-nft",
		"systemctl stop fail2ban", "systemctl start fail2ban", "ufw reload",
	} {
		m.sh(what)
		m.bothBanned(what)
	}
	m.verified("services were restarted and reloaded")

	// It flushes every table, UFW's too. Ours is loaded again with it: the second
	// command but waits for that.
	m.sh("systemctl restart nftables && systemctl start fs-harden-nft")
	m.verified("the distribution's nftables was restarted", "firewall")
	m.sh("systemctl stop fail2ban && nft flush ruleset")
	m.verified("all was flushed, and fail2ban stopped", "kernel-table", "watch", "fail2ban-jails", "firewall", "ban-ipv4", "ban-ipv6")
	m.sh("systemctl restart fs-harden-nft fail2ban") // as the check says
	m.bothBanned("mended")
	m.applyPlan(trustingPlan)

	m.rebooted()
	m.bothBanned("after a reboot")
	if order := m.property("fs-harden-nft", "Before"); !strings.Contains(order, "network-pre.target") || !strings.Contains(order, "fail2ban.service") {
		m.t.Errorf("the table is loaded before %s", order)
	}
}

// rebooted reboots, and finds all in order.
func (m machine) rebooted() {
	m.t.Helper()
	if err := m.Reboot(shop.ctx); err != nil {
		m.t.Fatal(err)
	}
	m.waitBoot()
	m.waitJails(5)
	m.verified("after a reboot")
	m.letsIn(map[string]bool{"tcp 22": true, "udp 5060": true, "tcp 1235": false})
	if out := m.sh("journalctl -b --no-pager | grep -iE 'ordering cycle|breaking' || true"); out != "" {
		m.t.Errorf("systemd found a cycle: %s", out)
	}
}

// verified asks verify, and expects these checks to fail and no other.
func (m machine) verified(when string, failing ...string) {
	m.t.Helper()
	out, err := m.Exec(shop.ctx, "/root/fs-harden", "verify", "--json")
	var failed *lab.ExecError
	if err != nil && (!errors.As(err, &failed) || failed.Code != 3) {
		m.t.Fatalf("%s: verify: %v", when, err)
	}
	if (failed != nil) != (len(failing) > 0) {
		m.t.Errorf("%s: verify ends with %v", when, err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var rep struct {
		Steps []struct {
			Checks []struct{ Name, Status, Detail string }
		}
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &rep); err != nil {
		m.t.Fatalf("%s: the last line is not the report: %v\n%s", when, err, out)
	}
	var names, details []string
	for _, s := range rep.Steps {
		for _, c := range s.Checks {
			if c.Status == "fail" {
				names = append(names, c.Name)
				details = append(details, c.Name+": "+c.Detail)
			}
		}
	}
	slices.Sort(names)
	slices.Sort(failing)
	if !slices.Equal(names, failing) {
		m.t.Errorf("%s: these checks fail: %s, want %s\n%s", when, names, failing, strings.Join(details, "\n"))
	}
}

// bothBanned waits until the kernel bans what fail2ban was told to ban.
func (m machine) bothBanned(when string) {
	m.t.Helper()
	const sets = "nft list set inet fs_harden ban_freeswitch_v4; nft list set inet fs_harden ban_recidive_v6"
	var out string
	for range 50 {
		out, _ = m.Exec(shop.ctx, "sh", "-c", sets)
		if strings.Contains(out, "198.18.0.7 ") && strings.Contains(out, "fd77::7 ") {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	m.t.Errorf("%s: the kernel bans only\n%s\n%s", when, out, m.sh("tail -n 40 /var/log/fail2ban.log"))
}

// operatorsUFW is a rule that somebody gave to UFW: kept where the plan says so,
// dropped and told of where it does not. What verify finds beside ours, it tells.
func operatorsUFW(m machine) {
	m.bringHelper()
	m.run("ufw", "allow", "1234/tcp")
	m.applyPlan(`{"keep_rules": true, ` + trustingPlan[1:])
	m.letsIn(map[string]bool{"tcp 1234": true, "tcp 1235": false, "udp 5060": true})
	m.verified("with a rule of the operator's")
	m.rebooted()
	m.letsIn(map[string]bool{"tcp 1234": true})
	if out := m.applyPlan(trustingPlan); !strings.Contains(out, "drops 1 of before") || !strings.Contains(out, "1234") {
		m.t.Errorf("the report does not tell of the rule that it drops:\n%s", out)
	}
	m.letsIn(map[string]bool{"tcp 1234": false, "udp 5060": true})
}

// challengesApart is whoever never answers a challenge, where those are counted
// apart: banned after so many, by a jail of its own.
func challengesApart(m machine) {
	const scanner, most = "10.99.0.50", 600 // what docs/fail2ban.md says for an office of fifty phones
	m.applyPlan(fmt.Sprintf(`{"fail2ban": {"ignore_ip": [%q], "challenge_max_retry": %d}}`, trustedCarrier, most))
	line := fmt.Sprintf("@DAY@ 22:00:00.000001 50.00%% [WARNING] sofia_reg.c:1842 SIP auth challenge (REGISTER) on sofia profile 'internal' for [1@2] from ip %s\n", scanner)
	m.write(strings.Repeat(line, most-1))
	m.fail("10.99.0.1", 20) // read behind them
	m.soonBans("freeswitch", "10.99.0.1")
	if got := m.banned("freeswitch-challenge"); len(got) > 0 {
		m.t.Errorf("banned before %d challenges: %s", most, got)
	}
	m.write(line)
	m.soonBans("freeswitch-challenge", scanner)
}

// soonBans waits until a jail has banned this one, whoever else it bans.
func (m machine) soonBans(jail, address string) {
	m.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if slices.Contains(m.banned(jail), address) {
			return
		}
	}
	m.t.Fatalf("%s does not ban %s\n%s", jail, address, m.sh("tail -30 /var/log/fail2ban.log"))
}
