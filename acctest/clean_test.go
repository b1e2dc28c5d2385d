//go:build linux && acceptance

package acctest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// tracesOfFreeSWITCH lists what a FreeSWITCH that ran has written.
const tracesOfFreeSWITCH = `find /etc/freeswitch/tls /var/lib/freeswitch/db /var/log/freeswitch -type f -size +0 ! -name fs-harden-auth.log | sort`

// The life of one machine whose FreeSWITCH has run: a bake that fails, one that
// Packer ends well, an instance of it, and an image of that instance.
func TestABakeLeavesTheImageClean(t *testing.T) {
	lab.Require(t)
	c, err := shop.Machine(shop.ctx, "cleaned")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Kill() })
	m := machine{c, t}
	helper := filepath.Join(shop.Project, ".build/fs-harden-linux-amd64")
	if err := m.CopyIn(shop.ctx, helper, "/root/fs-harden"); err != nil {
		t.Fatal(err)
	}
	traces := m.sh(tracesOfFreeSWITCH)
	for _, want := range []string{"dtls-srtp.pem", "wss.pem", "freeswitch.log", ".fsxml"} {
		if !strings.Contains(traces, want) {
			t.Fatalf("FreeSWITCH has not written its %s: this would prove nothing:\n%s", want, traces)
		}
	}

	t.Run("a bake that fails", func(t *testing.T) {
		m := machine{c, t}
		keys := m.sh("cd /etc/freeswitch && sha256sum tls/* && stat -c '%n %a %U %Y' tls/*")
		pid := m.property("freeswitch", "MainPID")
		m.sh(`echo '{"strict_image": true}' >/root/strict.json`)
		if out := m.fails("/root/fs-harden", "apply", "--image", "--plan", "/root/strict.json"); !strings.Contains(out, "not fit to be an image") {
			t.Errorf("it failed for another reason:\n%s", out)
		}
		if now := m.sh("cd /etc/freeswitch && sha256sum tls/* && stat -c '%n %a %U %Y' tls/*"); now != keys {
			t.Errorf("keys before:\n%s\nafter:\n%s", keys, now)
		}
		if now := m.property("freeswitch", "MainPID"); now == pid || now == "0" {
			t.Errorf("FreeSWITCH was process %s and is %s: it was to be stopped and started again", pid, now)
		}
		m.eventuallyCLI("-H", "127.0.0.1", "-p", "ClueCon", "-x", "status")
	})

	report := filepath.Join(t.TempDir(), "report.json")
	out, err := shop.Bake(shop.ctx, c, report)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("a bake", func(t *testing.T) {
		m := machine{c, t}
		if left := m.sh(tracesOfFreeSWITCH); left != "" {
			t.Errorf("left in the image:\n%s", left)
		}
		if s, err := m.Exec(shop.ctx, "systemctl", "is-active", "freeswitch"); err == nil {
			t.Errorf("FreeSWITCH is %s", s)
		}
		m.run("fs-harden", "inspect")
		if again := m.run("fs-harden", "apply", "--image", "--plan", "/etc/fs-harden/plan.json"); strings.Contains("\n"+again, "\nchanged") {
			t.Errorf("the second bake changed something:\n%s", again)
		}
		if n := strings.Count(out, "warning: "); n == 0 || n > 40 {
			t.Errorf("%d lines of warnings:\n%s", n, out)
		}
	})
	if t.Failed() {
		t.FailNow()
	}

	// The mark that holds the first boot back lies in /run.
	if err := c.Reboot(shop.ctx); err != nil {
		t.Fatal(err)
	}
	m.waitBoot()
	t.Run("an instance", func(t *testing.T) {
		m := machine{c, t}
		checkInstance(m)
		for _, key := range []string{"dtls-srtp.pem", "wss.pem"} {
			m.run("test", "-s", "/etc/freeswitch/tls/"+key)
		}
	})
	t.Run("an image of the instance", func(t *testing.T) {
		m := machine{c, t}
		sip, esl := m.secrets()
		m.run("fs-harden", "apply", "--image")
		m.run("fs-harden", "inspect")
		if left := m.sh(tracesOfFreeSWITCH); left != "" {
			t.Errorf("left in the image:\n%s", left)
		}
		if found := m.sh("grep -rlFe " + sip + " -e " + esl + " /etc /root /var/lib /var/log/freeswitch /home 2>/dev/null || true"); found != "" {
			t.Errorf("a secret of the instance is in the image's %s", found)
		}
		m.fails("systemctl", "start", "freeswitch")
	})
}

// eventuallyCLI calls fs_cli until it succeeds: FreeSWITCH's unit is up before
// its event socket is.
func (m machine) eventuallyCLI(args ...string) {
	m.t.Helper()
	m.run(append([]string{"sh", "-c", `for i in $(seq 100); do fs_cli "$@" >/dev/null 2>&1 && exit 0; sleep 0.2; done; exit 1`, "fs_cli"}, args...)...)
}
