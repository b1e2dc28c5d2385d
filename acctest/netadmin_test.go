//go:build linux && acceptance

package acctest

import (
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// A container that may not change its network gets every file, and nothing of it
// is started: it comes up where it may.
func TestWithoutNetAdmin(t *testing.T) {
	m := boot(t, undefended(t), "no-net-admin", lab.BootOptions{NoNetAdmin: true})
	m.bringHelper()
	const services = "systemctl is-active fail2ban ufw nftables fs-harden-nft || true"
	before := m.sh(services)
	// As a service, for what enters from outside keeps the rights of the host's root.
	const apply = "systemd-run --quiet --wait --pipe --collect /root/fs-harden apply 2>&1"
	out := m.sh(apply)
	for _, check := range []string{"kernel-table", "fail2ban-jails", "firewall", "ban-ipv4", "ban-ipv6"} {
		if line := lineWith(out, "deferred "+check+":"); !strings.Contains(line, "no CAP_NET_ADMIN") {
			t.Errorf("%s is not deferred:\n%s", check, out)
		}
	}
	if after := m.sh(services); after != before {
		t.Errorf("active before: %s, and now: %s", before, after)
	}
	for _, file := range []string{"/etc/fs-harden/nftables.nft", "/etc/fail2ban/jail.d/fs-harden.local", "/etc/systemd/system/sysinit.target.wants/fs-harden-nft.service"} {
		m.run("test", "-e", file)
	}
	if conf := m.run("cat", "/etc/ufw/ufw.conf"); !strings.Contains(conf, "ENABLED=yes") {
		t.Errorf("UFW does not come up at boot:\n%s", conf)
	}
	if out := m.sh(apply); strings.Contains("\n"+out, "\nchanged") {
		t.Errorf("the second apply changed something:\n%s", out)
	}
}
