//go:build linux && acceptance

package acctest

import (
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// wholeState is every file that fs-harden writes, with inode, mode, time and
// content: a file written anew, with the same content, shows.
const wholeState = `find /var/lib/fs-harden /etc/fs-harden /etc/fs_cli.conf /root/freeswitch-credentials.txt /home/debian/.fs_cli_conf ` +
	`/etc/freeswitch /etc/systemd/system /etc/cloud/clean.d ` +
	`-type f -printf '%p %i %m %T@ ' -exec sha256sum {} \;`

const (
	originID = "i-0cccccccccccccccc"
	cloneID  = "i-0dddddddddddddddd"
	seed     = "/var/lib/cloud/seed/nocloud"
)

// Whose secrets these are, whatever becomes of the machine. The table over all
// sources of an identity, with nothing booted, is harden's TestWhoseSecrets.
func TestWhoseSecretsTheseAre(t *testing.T) {
	origin := boot(t, baked(t), "origin", lab.BootOptions{InstanceID: originID})
	sip, esl := origin.secrets()
	same := origin.sh(wholeState)

	// The same instance: nothing changes, and nothing is written.
	for _, c := range []struct{ name, before, proof string }{
		{"stopped and started", ":", ":"},
		{
			"stopped and started, its metadata service down", "mv " + seed + " /var/lib/cloud/seed/away",
			"test ! -e /run/cloud-init/.instance-id",
		},
		{
			"stopped and started, its metadata service back", "mv /var/lib/cloud/seed/away " + seed,
			"grep -q " + originID + " /run/cloud-init/.instance-id",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := machine{origin.Machine, t}
			m.sh(c.before)
			m.powerCycle()
			m.sh(c.proof)
			if now := m.sh(wholeState); now != same {
				t.Errorf("before:\n%s\nafter:\n%s", same, now)
			}
			checkStarted(m)
		})
	}

	image, err := origin.Machine.(*lab.Container).Snapshot(shop.ctx, "copied")
	if err != nil {
		t.Fatal(err)
	}
	clone := boot(t, image, "clone", lab.BootOptions{InstanceID: cloneID})
	cloneSIP, cloneESL := clone.secrets()
	t.Run("a snapshot of it, started as another", func(t *testing.T) {
		if cloneSIP == sip || cloneESL == esl {
			t.Error("the clone has a secret of its origin")
		}
		checkInstance(machine{clone.Machine, t})
	})
	t.Run("cloud-init clean makes an image of it", func(t *testing.T) {
		m := machine{clone.Machine, t}
		m.run("cloud-init", "clean")
		m.foundOnly("in the image", []string{cloneSIP, cloneESL}, nil)
		// Until it boots again, FreeSWITCH may not start.
		if out := m.fails("fs-harden", "gate"); !strings.Contains(out, "image is being made") {
			t.Errorf("the gate says %s", out)
		}
		m.fails("systemctl", "restart", "freeswitch")
		m.run("cloud-init", "clean") // again: nothing left to forget

		m.powerCycle() // the same instance id
		m.sh("grep -q " + cloneID + " /run/cloud-init/.instance-id")
		if s, e := m.secrets(); s == cloneSIP || e == cloneESL {
			t.Error("the instance has a secret of before the image")
		}
		checkInstance(m)
	})
	t.Run("no cloud-init: its machine-id tells", func(t *testing.T) {
		m := boot(t, baked(t), "by-machine-id", lab.BootOptions{})
		before := m.sh(wholeState)
		if err := m.Reboot(shop.ctx); err != nil {
			t.Fatal(err)
		}
		m.waitBoot()
		if after := m.sh(wholeState); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
		checkStarted(m)
	})
}

// powerCycle shuts the machine down in order and starts it again.
func (m machine) powerCycle() {
	m.t.Helper()
	if err := m.Poweroff(shop.ctx); err != nil {
		m.t.Fatal(err)
	}
	if err := m.Start(shop.ctx); err != nil {
		m.t.Fatal(err)
	}
	m.waitBoot()
}

// checkStarted proves that FreeSWITCH runs and takes this instance's password.
func checkStarted(m machine) {
	m.t.Helper()
	if s := m.property("freeswitch", "ActiveState"); s != "active" {
		m.t.Fatalf("freeswitch is %s:\n%s", s, m.sh("systemctl status --no-pager freeswitch fs-harden-firstboot || true"))
	}
	m.fsCLI("root")
}
