//go:build linux && acceptance

package acctest

import (
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

const theirTable = "table inet operator"

// What a real machine does to our table: boots, restarts, flushes, an apply
// that fails.
func TestTheTableOnALiveMachine(t *testing.T) {
	m := boot(t, undefended(t), "kernel-table", lab.BootOptions{})
	m.bringHelper()
	m.run("nft", "add", "table", "inet", "operator")
	plan := `{"skip_firewall":true}`

	// An apply that fails takes our table with it, and no other.
	m.sh("mv /usr/bin/fail2ban-client /usr/bin/fail2ban-client.away")
	if out, err := m.tryPlan(plan); err == nil {
		t.Errorf("apply without fail2ban-client succeeded:\n%s", out)
	}
	if tables := m.run("nft", "list", "tables"); strings.Contains(tables, "fs_harden") || !strings.Contains(tables, theirTable) {
		t.Errorf("after an apply that failed: %s", tables)
	}
	m.sh("mv /usr/bin/fail2ban-client.away /usr/bin/fail2ban-client")

	m.applyPlan(plan)
	m.kernelTable("after apply", `"pass"`)
	if tables := m.run("nft", "list", "tables"); !strings.Contains(tables, theirTable) {
		t.Errorf("the operator's table is gone: %s", tables)
	}
	// No addresses from the documentation's ranges: verify lifts those.
	m.run("fail2ban-client", "set", "freeswitch", "banip", "198.18.0.7")
	m.run("fail2ban-client", "set", "recidive", "banip", "fd77::7")
	m.bothBanned("after two bans")

	// The bans are in the kernel however the services are restarted.
	for _, what := range []string{"systemctl restart fail2ban", "systemctl reload fs-harden-nft", "systemctl restart fs-harden-nft", "systemctl stop fail2ban", "systemctl start fail2ban"} {
		m.sh(what)
		m.bothBanned(what)
	}
	m.sh("systemctl restart nftables")
	m.kernelTable("the distribution's service was restarted", `"pass"`)
	m.sh("systemctl restart fail2ban")
	m.bothBanned("and fail2ban")

	// fail2ban would put the table back with its next ban.
	m.sh("systemctl stop fail2ban && nft flush ruleset")
	m.kernelTable("flushed by hand", `"fail"`)
	m.sh("systemctl restart fs-harden-nft fail2ban")
	m.bothBanned("mended as the check says")
	m.sh("nft flush chain inet fs_harden bans")
	m.kernelTable("a chain was emptied", `"fail"`)
	m.sh("systemctl restart fs-harden-nft")

	if err := m.Reboot(shop.ctx); err != nil {
		t.Fatal(err)
	}
	m.waitBoot()
	m.kernelTable("after a reboot", `"pass"`)
	m.bothBanned("after a reboot")
	if order := m.property("fs-harden-nft", "Before"); !strings.Contains(order, "network-pre.target") || !strings.Contains(order, "fail2ban.service") {
		t.Errorf("it is loaded before %s", order)
	}
	if out := m.sh("journalctl -b --no-pager | grep -iE 'ordering cycle|breaking' || true"); out != "" {
		t.Errorf("systemd found a cycle: %s", out)
	}
}

// kernelTable asks verify, whatever its other checks say.
func (m machine) kernelTable(when, status string) {
	m.t.Helper()
	out := m.sh("/root/fs-harden verify --json || true")
	_, check, found := strings.Cut(out, `{"name":"kernel-table","status":`)
	if !found || !strings.HasPrefix(check, status) {
		m.t.Errorf("%s: the check of the table is not %s: %.300s", when, status, check)
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
