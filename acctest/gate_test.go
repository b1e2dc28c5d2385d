//go:build linux && acceptance

package acctest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// Whatever is wrong with the first boot: FreeSWITCH does not listen, and the
// person who looks is told why.
func TestTheGateHolds(t *testing.T) {
	image := baked(t)
	for name, c := range map[string]struct {
		spoil func(root string) error
		told  string // in the journal of this boot
	}{
		"masked": {
			spoil: func(root string) error {
				return replaceWithLink(filepath.Join(root, "etc/systemd/system/fs-harden-firstboot.service"), "/dev/null")
			},
			// The masked unit is left out of the boot's transaction without a word:
			// this is what the gate behind it is for.
			told: "fs-harden gate: this instance has no secrets of its own yet",
		},
		"killed": {
			spoil: func(root string) error {
				return os.WriteFile(filepath.Join(root, "usr/local/sbin/fs-harden"), []byte("#!/bin/sh\nkill -9 $$\n"), 0o755)
			},
			told: "code=killed, status=9/KILL",
		},
		"removed": {
			spoil: func(root string) error { return os.Remove(filepath.Join(root, "usr/local/sbin/fs-harden")) },
			told:  "/usr/local/sbin/fs-harden: No such file or directory",
		},
		"skipped": {
			spoil: func(root string) error {
				return dropIn(root, "[Unit]\nConditionPathExists=/nonexistent\n")
			},
			told: "fs-harden gate: this instance has no secrets of its own yet",
		},
		"damaged": {
			spoil: func(root string) error {
				return os.WriteFile(filepath.Join(root, "etc/freeswitch/autoload_configs/event_socket.conf.xml"), []byte("<configuration name=\"event_socket.conf\">\n  <settings>\n"), 0o640)
			},
			told: "event_socket.conf.xml",
		},
		"read-only": {
			spoil: func(root string) error { return dropIn(root, "[Service]\nReadOnlyPaths=/etc\n") },
			told:  "mounted read-only",
		},
	} {
		t.Run(name, func(t *testing.T) {
			spoilt, err := image.Derive(shop.ctx, name, c.spoil)
			if err != nil {
				t.Fatal(err)
			}
			m := boot(t, spoilt, name, lab.BootOptions{})
			stayedDown(m, c.told)
			checkNotice(m)
		})
	}
}

// An instance that was in order and is damaged later stays down at its next boot.
func TestADamagedInstanceStaysDown(t *testing.T) {
	m := boot(t, baked(t), "damaged-later", lab.BootOptions{})
	if s := m.property("freeswitch", "ActiveState"); s != "active" {
		t.Fatalf("freeswitch is %s before the damage", s)
	}
	m.sh("sed -i 's/default_password=[^\"]*/default_password=1234/' /etc/freeswitch/vars.xml")
	if err := m.Reboot(shop.ctx); err != nil {
		t.Fatal(err)
	}
	m.waitBoot()
	stayedDown(m, "run fs-harden rotate")
	checkNotice(m)
	for _, user := range []string{"root", "debian"} {
		if seen := m.logIn(user); strings.Count(seen, held) != 1 || !strings.Contains(seen, "sudo fs-harden status") {
			t.Errorf("%s sees at login:\n%s", user, seen)
		}
	}
	// What the messages say helps, and then there is no notice any more.
	if why := m.run("fs-harden", "status"); !strings.Contains(why, "run fs-harden rotate") {
		t.Errorf("status does not say what helps:\n%s", why)
	}
	m.run("fs-harden", "rotate")
	m.run("systemctl", "start", "freeswitch")
	checkRunning(m)
	if seen := m.logIn("debian") + m.run("script", "-qc", "agetty --show-issue", "/dev/null"); strings.Contains(seen, held) {
		t.Errorf("the notice stays:\n%s", seen)
	}
}

// held is in the first line of the notice.
const held = "FreeSWITCH is held back"

// checkNotice proves that a person is told once on the console and before a
// login there; logIn is the way in through SSH.
func checkNotice(m machine) {
	t := m.t
	t.Helper()
	// Where only the gate holds FreeSWITCH back, systemd first tries a few times.
	m.sh("for i in $(seq 200); do systemctl -q is-failed freeswitch fs-harden-firstboot && [ -e /run/motd.d/fs-harden ] && break; sleep 0.2; done; systemctl start fs-harden-failed")
	// A login prompt that stands there already shows it too; the unit says it once.
	if n := strings.Count(m.Console(), "]: *** "+held); n != 1 {
		t.Errorf("told %d times on the console:\n%s", n, m.Console())
	}
	if issue := m.run("script", "-qc", "agetty --show-issue", "/dev/null"); strings.Count(issue, held) != 1 {
		t.Errorf("a console's login prompt shows\n%s", issue)
	}
	if mode := m.run("stat", "-c", "%a", "/run/motd.d", "/run/motd.d/fs-harden"); mode != "755\n644" {
		t.Errorf("others cannot read the notice: %s", mode)
	}
}

// logIn logs in over SSH as a person does, with a terminal, and gives what is
// shown.
func (m machine) logIn(user string) string {
	m.t.Helper()
	return m.sh(`cd /root && [ -e test-key ] || ssh-keygen -q -t ed25519 -N '' -f test-key
home=$(getent passwd ` + user + ` | cut -d: -f6)
install -d -m 700 -o ` + user + ` "$home/.ssh" && install -m 600 -o ` + user + ` test-key.pub "$home/.ssh/authorized_keys"
echo exit | ssh -tt -i test-key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null ` + user + `@127.0.0.1 2>&1`)
}

func stayedDown(m machine, told string) {
	t := m.t
	t.Helper()
	if s := m.property("freeswitch", "ActiveState"); s == "active" || s == "reloading" {
		t.Errorf("freeswitch is %s", s)
	}
	if out := m.sh("ss -Hlntu 'sport = :8021 or sport = :5060 or sport = :5080'"); out != "" {
		t.Errorf("FreeSWITCH listens:\n%s", out)
	}
	if out, err := m.Exec(shop.ctx, "pgrep", "-x", "freeswitch"); err == nil {
		t.Errorf("FreeSWITCH runs as %s", out)
	}
	if journal := m.sh("journalctl --no-pager -b"); !strings.Contains(journal, told) {
		t.Errorf("the journal does not say %q:\n%s", told, m.sh("journalctl --no-pager -b -u freeswitch -u fs-harden-firstboot; systemctl status --no-pager freeswitch || true"))
	}
}

func checkRunning(m machine) {
	m.t.Helper()
	if s := m.property("freeswitch", "ActiveState"); s != "active" {
		m.t.Errorf("freeswitch is %s:\n%s", s, m.sh("journalctl --no-pager -b -u freeswitch -u fs-harden-firstboot"))
	}
	m.fsCLI("root")
}

func replaceWithLink(path, target string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(target, path)
}

func dropIn(root, text string) error {
	dir := filepath.Join(root, "etc/systemd/system/fs-harden-firstboot.service.d")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "test.conf"), []byte(text), 0o644)
}
