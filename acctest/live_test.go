//go:build linux && acceptance

package acctest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// A rotation reaches the FreeSWITCH that runs: same process, new password.
func TestRotateOnALiveInstance(t *testing.T) {
	m := boot(t, baked(t), "rotated", lab.BootOptions{})
	sip, esl := m.secrets()
	pid := m.property("freeswitch", "MainPID")
	m.run("fs-harden", "rotate")
	s, e := m.secrets()
	if s == sip || e == esl {
		t.Error("a secret survived the rotation")
	}
	if now := m.property("freeswitch", "MainPID"); now != pid {
		t.Errorf("FreeSWITCH was restarted: %s became %s", pid, now)
	}
	m.fsCLI("root")
	m.fsCLI("debian")
	m.fails("fs_cli", "-H", "127.0.0.1", "-p", esl, "-x", "status")
	if got := m.run("fs_cli", "-x", "global_getvar default_password"); got != s {
		t.Error("the running FreeSWITCH has another default_password than the credentials file")
	}
	m.run("fs-harden", "verify")
}

// The helper by hand on a machine whose FreeSWITCH runs with vanilla settings:
// it is told with the password that it started with.
func TestFirstBootByHandOnARunningFreeSWITCH(t *testing.T) {
	lab.Require(t)
	c, err := shop.Machine(shop.ctx, "by-hand")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Kill() })
	m := machine{c, t}
	if err := m.CopyIn(shop.ctx, filepath.Join(shop.Project, ".build/fs-harden-linux-amd64"), "/root/fs-harden"); err != nil {
		t.Fatal(err)
	}
	pid := m.property("freeswitch", "MainPID")
	m.run("/root/fs-harden", "apply")
	m.run("fs_cli", "-H", "127.0.0.1", "-p", "ClueCon", "-x", "status") // still as it started
	m.run("fs-harden", "firstboot")
	_, esl := m.secrets()
	m.fails("fs_cli", "-H", "127.0.0.1", "-p", "ClueCon", "-x", "status")
	m.run("fs_cli", "-H", "127.0.0.1", "-p", esl, "-x", "status")
	if l := m.sh("ss -Hlnt 'sport = :8021' | awk '{print $4}'"); l != "127.0.0.1:8021" {
		t.Errorf("the event socket listens on %q", l)
	}
	if now := m.property("freeswitch", "MainPID"); now != pid {
		t.Errorf("FreeSWITCH was restarted: %s became %s", pid, now)
	}

	// And all the way back.
	m.run("fs-harden", "rollback")
	if out := m.sh("cd /etc/freeswitch && find . -name '*.bak' -o -name '.*tmp*'"); out != "" {
		t.Errorf("left behind: %s", out)
	}
	if out := m.sh("grep -c 'default_password=1234' /etc/freeswitch/vars.xml; ls -d /var/lib/fs-harden /etc/fs-harden /etc/fs_cli.conf /root/freeswitch-* 2>/dev/null || true"); out != "1" {
		t.Errorf("after the rollback: %s", out)
	}
	if tables := m.run("nft", "list", "tables"); strings.Contains(tables, "fs_harden") {
		t.Errorf("the table outlives its file: %s", tables)
	}
	if s := m.run("ufw", "status"); !strings.Contains(s, "inactive") {
		t.Errorf("the firewall is still up: %s", s)
	}
	m.run("systemctl", "restart", "freeswitch")
	m.run("fs_cli", "-H", "127.0.0.1", "-p", "ClueCon", "-x", "status")
}
