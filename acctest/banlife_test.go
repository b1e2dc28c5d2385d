//go:build linux && acceptance

package acctest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// attackers are those whom data/README.md blames, and nobody else.
var attackers = []string{
	"10.77.0.11", "10.77.0.12", "10.77.0.14", "10.77.0.15", "10.77.0.16", "10.77.0.19",
	"10.77.0.20", "10.77.0.21", "10.77.0.22", "fd77::11", "fd77::12", "fd77::13",
}

// silent are those of them who never gave a password: FreeSWITCH's log has only
// their challenges, and the watch's log says that they are strangers'.
var silent = []string{"10.77.0.11", "10.77.0.14", "10.77.0.16", "10.77.0.21", "fd77::11"}

// The whole life of a ban: exactly those who attacked, both families, and it
// outlasts restarts, rotation and a reboot, until it is lifted.
func TestFail2banBansWhoAttacks(t *testing.T) {
	for _, release := range []lab.Release{lab.Bullseye, lab.Bookworm} {
		t.Run(string(release), func(t *testing.T) { bansWhoAttacks(t, release) })
	}
}

func bansWhoAttacks(t *testing.T, release lab.Release) {
	m := guardedOn(t, release, "guarded-"+string(release), `{"skip_firewall": true, "sip_allow_from": ["198.51.100.0/24"], "fail2ban": {"max_retry": 4}, "rate_limit": {"enabled": false}}`)
	t.Log(m.run("fail2ban-client", "--version"))
	if got := m.jails(); !slices.Equal(got, []string{"freeswitch", "freeswitch-refused", "freeswitch-scanner", "recidive", "sshd"}) {
		t.Fatalf("jails: %s", got)
	}
	began := time.Now()
	m.feed("freeswitch-1.10.12-attack.log")
	for _, source := range silent {
		m.challenge(source, 4)
	}
	m.bans(attackers...)
	t.Logf("%d sources banned %.1f s after their lines were written", len(attackers), time.Since(began).Seconds())

	t.Run("once is enough", func(t *testing.T) {
		m := machine{m.Machine, t}
		pid := m.property("fail2ban", "MainPID")
		if changed := m.harden(); len(changed) > 0 {
			t.Errorf("the second apply changed: %s", changed)
		}
		if now := m.property("fail2ban", "MainPID"); now != pid {
			t.Error("the second apply restarted fail2ban")
		}
	})
	t.Run("victims and the trusted", func(t *testing.T) {
		m := machine{m.Machine, t}
		m.feed("freeswitch-1.10.12-injection.log")
		m.fail("198.51.100.7", 50) // in sip_allow_from
		m.fail("10.99.0.1", 4)     // read behind them
		m.bans(append([]string{"10.99.0.1"}, attackers...)...)
	})
	t.Run("restart", func(t *testing.T) {
		m := machine{m.Machine, t}
		banned := append([]string{"10.99.0.1"}, attackers...)
		before := m.bans(banned...)
		m.sh(countNft)
		m.run("systemctl", "restart", "fail2ban")
		m.waitJails(5)
		for source, left := range m.bans(banned...) {
			if left > before[source]+1 { // both are rounded
				t.Errorf("%s was banned for %d s more, and is for %d s after the restart", source, before[source], left)
			}
		}
		// All bans of a jail in one call.
		if calls := m.sh("grep -cx -e '-f -' /root/nft.calls"); calls != "5" {
			t.Errorf("five jails restored %d bans with %s calls of nft", len(banned), calls)
		}
		m.run("mv", "/usr/sbin/nft.real", "/usr/sbin/nft")
	})
	t.Run("rotation", func(t *testing.T) {
		m := machine{m.Machine, t}
		m.sh("mv " + authLog + " " + authLog + ".1 && install -o freeswitch -g freeswitch -m 640 /dev/null " + authLog)
		m.fail("fd99::1", 4)
		m.bans(append([]string{"10.99.0.1", "fd99::1"}, attackers...)...)
	})
	t.Run("sshd comes and goes", func(t *testing.T) {
		m := machine{m.Machine, t}
		m.run("mv", "/usr/sbin/sshd", "/usr/sbin/sshd.away")
		m.harden()
		if got := m.jails(); slices.Contains(got, "sshd") {
			t.Errorf("jails without sshd: %s", got)
		}
		m.run("mv", "/usr/sbin/sshd.away", "/usr/sbin/sshd")
		m.harden()
		// As the journal has it from OpenSSH of Debian 12, and of Debian 13.
		for n, name := range []string{"sshd", "sshd-session"} {
			// It lives until journald has looked at it.
			m.sh(fmt.Sprintf("cp /usr/bin/logger /root/%[1]s && (for i in 1 2 3 4 5; do echo 'Failed password for root from 10.99.0.%[2]d port 4711 ssh2'; done; sleep 2) | /root/%[1]s -i -t %[1]s", name, 200+n))
		}
		m.soon("sshd", "10.99.0.200", "10.99.0.201")
	})
	t.Run("reboot, the logs cleaned away", func(t *testing.T) {
		m := machine{m.Machine, t}
		m.run("rm", "-f", authLog, "/var/log/fail2ban.log")
		if err := m.Reboot(shop.ctx); err != nil {
			t.Fatal(err)
		}
		m.waitBoot()
		m.waitJails(5)
		m.bans(append([]string{"10.99.0.1", "fd99::1"}, attackers...)...)
		if owner := m.sh("stat -c %U:%a " + authLog); owner != "freeswitch:640" && owner != "freeswitch:660" {
			t.Errorf("the log is of %s", owner)
		}
	})
	t.Run("lifted", func(t *testing.T) {
		m := machine{m.Machine, t}
		m.sh("fail2ban-client set freeswitch unbanip " + strings.Join(attackers, " "))
		m.bans("10.99.0.1", "fd99::1")
		m.run("fail2ban-client", "unban", "--all")
		m.bans()
	})
}

// bans waits until the jail freeswitch has banned exactly these, and the kernel
// bans them too, for what is left of a day. It gives those seconds.
func (m machine) bans(want ...string) map[string]int {
	m.t.Helper()
	m.soon("freeswitch", want...)
	slices.Sort(want)
	var left map[string]int
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		left = m.inKernel("freeswitch")
		if slices.Equal(slices.Sorted(maps.Keys(left)), want) {
			for source, seconds := range left {
				if seconds > 86400 || seconds < 86400-int(wholeRun.Seconds()) {
					m.t.Errorf("the kernel bans %s for %d s", source, seconds)
				}
			}
			return left
		}
	}
	m.t.Fatalf("the kernel bans %v, want %s\n%s", left, want, m.sh("tail -30 /var/log/fail2ban.log"))
	return nil
}

// inKernel are the sources in a jail's two sets, with the seconds that are left
// to each (libnftables-json(5)).
func (m machine) inKernel(jail string) map[string]int {
	m.t.Helper()
	left := map[string]int{}
	for _, family := range []string{"v4", "v6"} {
		var listing struct {
			Nftables []struct {
				Set struct {
					Elem []struct {
						Elem struct {
							Val     string
							Expires int
						}
					}
				}
			}
		}
		out := m.run("nft", "-j", "list", "set", "inet", "fs_harden", "ban_"+jail+"_"+family)
		if err := json.Unmarshal([]byte(out), &listing); err != nil {
			m.t.Fatalf("%v in %s", err, out)
		}
		for _, object := range listing.Nftables {
			for _, e := range object.Set.Elem {
				left[e.Elem.Val] = e.Elem.Expires
			}
		}
	}
	return left
}

// countNft has /root/nft.calls name the arguments of every call of nft, a line
// each.
const countNft = `mv /usr/sbin/nft /usr/sbin/nft.real && cat >/usr/sbin/nft <<'EOF' && chmod 755 /usr/sbin/nft
#!/bin/sh
echo "$*" >>/root/nft.calls
exec /usr/sbin/nft.real "$@"
EOF`

func (m machine) waitJails(n int) {
	m.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if out, err := m.Exec(shop.ctx, "fail2ban-client", "status"); err == nil && strings.Contains(out, fmt.Sprintf("Number of jail:\t%d", n)) {
			return
		}
	}
	m.t.Fatalf("no %d jails:\n%s", n, m.sh("tail -30 /var/log/fail2ban.log; journalctl --no-pager -n 20 -u fail2ban"))
}
