//go:build linux && acceptance

package acctest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// bare is a plan for machines on which only the first boot is of interest.
const bare = `"skip_firewall": true, "skip_fail2ban": true, "rate_limit": {"enabled": false}`

// systemd takes the units as they are and drops none of them for a cycle, on
// both releases, with cloud-init and without.
func TestTheUnitsInTheirOrder(t *testing.T) {
	for _, release := range []lab.Release{lab.Bookworm, lab.Trixie} {
		t.Run(string(release), func(t *testing.T) {
			image, err := undefendedOn(t, release).Derive(shop.ctx, "with-cloud-init-"+string(release), func(root string) error {
				_, err := lab.Chroot(shop.ctx, root, "sh", "-c", "command -v cloud-init || { apt-get -q update && apt-get -q -y --no-install-recommends install cloud-init; }")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			m := boot(t, image, "units-"+string(release), lab.BootOptions{InstanceID: "i-0eeeeeeeeeeeeeeee"})
			m.bringHelper()
			m.sh("cat >/root/plan.json <<'EOF'\n{" + bare + "}\nEOF")
			m.harden()
			m.restart()
			m.inOrder()
			if id := m.sh("fs-harden status --json"); !strings.Contains(id, `"i-0eeeeeeeeeeeeeeee"`) || !strings.Contains(id, `"cloud-init"`) {
				t.Errorf("with cloud-init, bound to %s", id)
			}
			order := m.property("fs-harden-firstboot", "After")
			for _, unit := range []string{"cloud-init-local.service", "systemd-random-seed.service", "local-fs.target"} {
				if !strings.Contains(order, unit) {
					t.Errorf("the first boot does not wait for %s", unit)
				}
			}
			m.run("systemd-analyze", "security", "--no-pager", "--threshold=25", "fs-harden-firstboot.service")
			t.Log(m.sh("systemd-analyze security --no-pager fs-harden-firstboot | tail -1; systemd-analyze blame --no-pager | grep -E 'fs-harden|freeswitch' || true"))

			m.sh("dpkg --purge --force-depends cloud-init >/dev/null 2>&1; rm -rf /var/lib/fs-harden/committed.json")
			m.restart()
			m.inOrder()
			if id := m.sh("fs-harden status --json"); !strings.Contains(id, `"instance"`) || strings.Contains(id, "i-0eeeeeeeeeeeeeeee") {
				t.Errorf("without cloud-init, bound to %s", id)
			}
		})
	}
}

func (m machine) restart() {
	m.t.Helper()
	if err := m.Reboot(shop.ctx); err != nil {
		m.t.Fatal(err)
	}
	m.waitBoot()
}

// inOrder proves that this boot made the secrets before it started FreeSWITCH,
// and that systemd had nothing to complain about.
func (m machine) inOrder() {
	t := m.t
	t.Helper()
	m.madeBefore("freeswitch")
	if journal := m.sh("journalctl --no-pager -b"); strings.Contains(journal, "ordering cycle") || strings.Contains(journal, "deleted to break") {
		t.Errorf("systemd broke an ordering cycle:\n%s", m.sh("journalctl --no-pager -b | grep -iE -B2 -A4 'ordering cycle|deleted to break'"))
	}
	if out := m.sh("systemd-analyze verify multi-user.target fs-harden-firstboot.service fs-harden-failed.service fs-harden-verify.service freeswitch.service 2>&1 || true"); strings.Contains(out, "cycle") || strings.Contains(out, "fs-harden") {
		t.Errorf("systemd-analyze verify:\n%s", out)
	}
}

// madeBefore proves that a service came up in this boot, after the secrets.
func (m machine) madeBefore(service string) {
	m.t.Helper()
	made, started := m.micros("fs-harden-firstboot", "ExecMainExitTimestampMonotonic"), m.micros(service, "ExecMainStartTimestampMonotonic")
	if s := m.property(service, "ActiveState"); s != "active" || made == 0 || made > started {
		m.t.Errorf("%s is %s; secrets made at %d µs, it was started at %d µs\n%s", service, s, made, started,
			m.sh("journalctl --no-pager -b -u fs-harden-firstboot -u "+service))
	}
}

// FreeSWITCH's unit under another name, as a template's instance, and changed by
// its operator: it is held back all the same, or verify says that it is not.
func TestAnyUnitIsHeldBack(t *testing.T) {
	m := boot(t, undefended(t), "held-back", lab.BootOptions{})
	m.bringHelper()
	m.run("systemctl", "disable", "--now", "freeswitch")
	for _, c := range []struct{ name, unit string }{
		{"freeswitch", ""},
		{"fs-main", "/etc/systemd/system/fs-main.service"},
		{"freeswitch@pbx1", "/etc/systemd/system/freeswitch@.service"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := machine{m.Machine, t}
			if c.unit != "" {
				m.run("cp", "/lib/systemd/system/freeswitch.service", c.unit)
				m.run("systemctl", "daemon-reload")
			}
			m.sh(fmt.Sprintf("cat >/root/plan.json <<'EOF'\n{\"service_name\": %q, %s}\nEOF", c.name, bare))
			m.harden()
			m.sh("rm -f /run/fs-harden/baking /var/lib/fs-harden/committed.json; systemctl stop fs-harden-firstboot") // as after a boot
			m.run("systemctl", "start", c.name)
			m.madeBefore(c.name)
			m.run("fs-harden", "verify")
			m.overridden(c.name)
			m.run("systemctl", "stop", c.name)
		})
	}
	// And at a real boot.
	m.sh("systemctl enable freeswitch@pbx1; rm /var/lib/fs-harden/committed.json")
	m.restart()
	m.madeBefore("freeswitch@pbx1")
	m.fsCLI("root")
}

// overridden tries what an operator may write into a drop-in that systemd reads
// after ours.
func (m machine) overridden(service string) {
	t := m.t
	t.Helper()
	dir := "/etc/systemd/system/" + service + ".service.d"
	for _, c := range []struct{ name, text, told string }{
		{"Requires= and After= with nothing", "[Unit]\nRequires=\nAfter=\n", ""},
		{"another type", "[Service]\nType=forking\nRestart=no\nUser=root\n", ""},
		{"another command", "[Service]\nExecStart=\nExecStart=/usr/bin/freeswitch -u freeswitch -g freeswitch -ncwait\n", ""},
		{"one more command before", "[Service]\nExecStartPre=/bin/true\n", ""},
		{"no commands before", "[Service]\nExecStartPre=\n", "does not ask /usr/local/sbin/fs-harden gate"},
		{"only its own before", "[Service]\nExecStartPre=\nExecStartPre=/bin/true\n", "does not ask /usr/local/sbin/fs-harden gate"},
		{"the gate's word ignored", "[Service]\nExecStartPre=\nExecStartPre=-/usr/local/sbin/fs-harden gate\n", "does not ask /usr/local/sbin/fs-harden gate"},
	} {
		m.sh(fmt.Sprintf("mkdir -p '%s' && printf '%%s' '%s' >'%[1]s/override.conf' && systemctl daemon-reload", dir, c.text))
		m.sh("systemctl stop " + service + "; systemctl reset-failed")
		if c.told != "" {
			if out := m.fails("fs-harden", "verify"); !strings.Contains(out, c.told) {
				t.Errorf("%s: %s: verify says\n%s", service, c.name, out)
			}
		} else {
			m.run("fs-harden", "verify")
			// The unit that makes the secrets has run in this boot: only the gate is left.
			m.run("mv", "/var/lib/fs-harden/committed.json", "/root/committed.json")
			m.fails("systemctl", "start", service)
			if s := m.property(service, "ActiveState"); s == "active" {
				t.Errorf("%s: %s: it started without secrets", service, c.name)
			}
			m.run("mv", "/root/committed.json", "/var/lib/fs-harden/committed.json")
			m.sh("systemctl stop " + service + "; systemctl reset-failed; systemctl start " + service)
		}
	}
	m.sh("rm -r '" + dir + "/override.conf' && systemctl daemon-reload")
	m.run("fs-harden", "verify")
}
