//go:build linux && acceptance

package acctest

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

func TestPackerBakesTheImage(t *testing.T) {
	image := baked(t)
	var rep report.Report
	if err := json.Unmarshal(shop.report, &rep); err != nil {
		t.Fatal(err)
	}
	if rep.Result != report.OK || rep.Phase != report.Bake || rep.FailedChecks() != 0 {
		t.Errorf("report:\n%s", shop.report)
	}
	for _, want := range []string{"sip-password", "event-socket", "log-auth-failures", "gate"} {
		if !strings.Contains(shop.output, want) {
			t.Errorf("Packer's output does not tell of %s:\n%s", want, shop.output)
		}
	}
	err := image.View(shop.ctx, func(root string) error {
		for pattern, why := range map[string]string{
			"tmp/*fs-harden*":                   "an upload was left behind",
			"root/freeswitch-credentials.txt":   "secrets were made in the bake",
			"etc/fs_cli.conf":                   "secrets were made in the bake",
			"var/lib/fs-harden/pending.json":    "secrets were made in the bake",
			"var/lib/fs-harden/journal":         "the journal was left behind",
			"etc/freeswitch/*.fs-harden-tmp-*":  "a temporary file was left behind",
			"home/debian/.fs_cli_conf":          "secrets were made in the bake",
			"etc/freeswitch/.*.fs-harden-tmp-*": "a temporary file was left behind",
		} {
			if found := globbed(t, root, pattern); len(found) > 0 {
				t.Errorf("%s: %v", why, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Two instances of one image: the point of it all.
func TestInstancesHaveSecretsOfTheirOwn(t *testing.T) {
	image := baked(t)
	a := boot(t, image, "one", lab.BootOptions{InstanceID: "i-0aaaaaaaaaaaaaaaa"})
	b := boot(t, image, "two", lab.BootOptions{}) // no cloud-init: its machine-id tells
	imageSIP, imageESL := imageSecrets(t, image)
	sipA, eslA := a.secrets()
	sipB, eslB := b.secrets()
	seen := map[string]bool{}
	for _, s := range []string{imageSIP, imageESL, sipA, eslA, sipB, eslB} {
		seen[s] = true
	}
	if len(seen) != 6 {
		t.Error("the image and its two instances do not have six different secrets")
	}
	if id := a.sh("fs-harden status --json"); !strings.Contains(id, `"i-0aaaaaaaaaaaaaaaa"`) || !strings.Contains(id, `"cloud-init"`) {
		t.Errorf("the first is bound to %s", id)
	}
	if id := b.sh("fs-harden status --json"); !strings.Contains(id, b.run("cat", "/etc/machine-id")) {
		t.Errorf("the second is bound to %s", id)
	}
	for _, m := range []machine{a, b} {
		t.Run(m.Name(), func(t *testing.T) { m.t = t; checkInstance(m) })
	}
}

// checkInstance proves what every instance is to be after its first boot.
func checkInstance(m machine) {
	t := m.t
	t.Helper()
	_, esl := m.secrets()
	if s := m.property("freeswitch", "ActiveState"); s != "active" {
		t.Fatalf("freeswitch is %s:\n%s", s, m.sh("systemctl status --no-pager freeswitch fs-harden-firstboot || true"))
	}
	made, started := m.micros("fs-harden-firstboot", "ExecMainExitTimestampMonotonic"), m.micros("freeswitch", "ExecMainStartTimestampMonotonic")
	if made == 0 || started == 0 || made > started {
		t.Errorf("secrets made at %d µs, FreeSWITCH started at %d µs", made, started)
	}
	// fs_cli connects for root and for the build's sudo user, without being told.
	m.fsCLI("root")
	m.fsCLI("debian")
	m.fails("fs_cli", "-H", "127.0.0.1", "-P", "8021", "-p", "ClueCon", "-x", "status")
	if l := m.sh("ss -Hlnt 'sport = :8021' | awk '{print $4}'"); l != "127.0.0.1:8021" {
		t.Errorf("the event socket listens on %q", l)
	}
	m.run("fs-harden", "verify")
	m.run("fs-harden", "gate")
	m.sh("for i in $(seq 100); do [ \"$(systemctl show --value -p ActiveState fs-harden-verify)\" != activating ] && break; sleep 0.2; done")
	if r := m.property("fs-harden-verify", "Result"); r != "success" || m.micros("fs-harden-verify", "ExecMainExitTimestampMonotonic") == 0 {
		t.Errorf("fs-harden-verify: %s\n%s", r, m.sh("journalctl --no-pager -u fs-harden-verify"))
	}
	for path, want := range map[string]string{
		"/root/freeswitch-credentials.txt": "600 root:root",
		"/etc/fs_cli.conf":                 "600 root:root",
		"/home/debian/.fs_cli_conf":        "600 debian:debian",
		"/var/lib/fs-harden":               "700 root:root",
		"/etc/fs-harden/plan.json":         "600 root:root",
	} {
		if got := m.run("stat", "-c", "%a %U:%G", path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	journal := m.sh("journalctl --no-pager -b")
	if strings.Contains(journal, "ordering cycle") {
		t.Errorf("systemd broke an ordering cycle:\n%s", m.sh("journalctl --no-pager -b | grep -i -B2 -A4 'ordering cycle'"))
	}
	if strings.Contains(journal, esl) {
		t.Error("the journal holds a secret")
	}
}

func (m machine) micros(unit, name string) int64 {
	m.t.Helper()
	n, err := strconv.ParseInt(m.property(unit, name), 10, 64)
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

// fsCLI calls fs_cli as a user who has logged in.
func (m machine) fsCLI(user string) {
	m.t.Helper()
	if out := m.run("runuser", "-l", user, "-c", "fs_cli -x status"); !strings.Contains(out, "UP ") {
		m.t.Errorf("fs_cli for %s: %s", user, out)
	}
}
