//go:build linux && acceptance

package acctest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// Where a secret may stand, each closed to everybody but its owner and group.
var (
	inUse = []string{
		"/etc/freeswitch/vars.xml", "/etc/freeswitch/autoload_configs/event_socket.conf.xml",
		"/root/freeswitch-credentials.txt", "/etc/fs_cli.conf", "/home/debian/.fs_cli_conf",
		// FreeSWITCH writes down what it has read.
		"/var/log/freeswitch/freeswitch.xml.fsxml",
	}
	underWay = []string{"/var/lib/fs-harden/pending.json"}
	// A journal holds what a run replaces until the run has ended.
	killed = []string{"/var/lib/fs-harden/journal/"}
)

// After a first boot, a rotation, a first boot that failed and one that crashed:
// no generated secret anywhere but where it belongs.
func TestSecretsStaySecret(t *testing.T) {
	m := boot(t, baked(t), "secret", lab.BootOptions{InstanceID: "i-0ffffffffffffffff"})
	first := m.pair()
	m.foundOnly("after the first boot", first, inUse)

	m.run("fs-harden", "rotate")
	m.foundOnly("after a rotation, the old ones", first, nil)
	second := m.pair()
	m.foundOnly("after a rotation", second, inUse)

	// It fails when it writes the configuration, its new secrets drawn already.
	m.sh(`mkdir -p /etc/systemd/system/fs-harden-firstboot.service.d
printf '[Service]\nReadOnlyPaths=/etc\n' >/etc/systemd/system/fs-harden-firstboot.service.d/test.conf
rm /var/lib/fs-harden/committed.json; systemctl daemon-reload`)
	m.fails("systemctl", "restart", "fs-harden-firstboot")
	drawn := m.pending()
	m.foundOnly("after a failed first boot, those drawn", drawn, underWay)
	m.foundOnly("after a failed first boot", second, inUse)

	// It crashes while it waits for a FreeSWITCH that does not listen, everything
	// written already, and asks for a core dump by all means.
	m.sh(`printf '[Service]\nLimitCORE=infinity\nEnvironment=GOTRACEBACK=crash\n' >/etc/systemd/system/fs-harden-firstboot.service.d/test.conf
systemctl daemon-reload; systemctl stop freeswitch
cp /bin/sleep /root/freeswitch; systemd-run -q -u deaf /root/freeswitch 600
systemctl --no-block restart fs-harden-firstboot`)
	m.until("grep -q " + drawn[0] + " /root/freeswitch-credentials.txt && [ -e /var/lib/fs-harden/journal ]")
	m.sh("kill -SEGV $(systemctl show --value -p MainPID fs-harden-firstboot)")
	m.until("systemctl is-failed fs-harden-firstboot")
	if r := m.property("fs-harden-firstboot", "Result"); r != "signal" && r != "core-dump" {
		t.Errorf("the crash was none: %s", r)
	}
	m.foundOnly("after a crash, those drawn", drawn, slices.Concat(inUse, underWay))
	m.foundOnly("after a crash, those before", second, slices.Concat(inUse, killed))
	if cores := m.sh("find / -xdev -type f \\( -name 'core' -o -name 'core.[0-9]*' \\) -newer /root/freeswitch-credentials.txt; ls /var/lib/systemd/coredump 2>/dev/null || :"); cores != "" {
		t.Errorf("core dumps: %s", cores)
	}

	m.sh("systemctl stop deaf; rm -r /etc/systemd/system/fs-harden-firstboot.service.d; systemctl daemon-reload")
	m.run("systemctl", "restart", "fs-harden-firstboot")
	m.run("systemctl", "start", "freeswitch")
	m.foundOnly("when it came to its end, those before", second, nil)
	m.foundOnly("when it came to its end", m.pair(), inUse)
}

func (m machine) pair() []string {
	m.t.Helper()
	sip, esl := m.secrets()
	return []string{sip, esl}
}

// pending are the secrets that a broken-off run had drawn.
func (m machine) pending() []string {
	m.t.Helper()
	var rec struct{ SIP, ESL string }
	if err := json.Unmarshal([]byte(m.run("cat", "/var/lib/fs-harden/pending.json")), &rec); err != nil || len(rec.SIP) != 28 {
		m.t.Fatalf("no pending secrets: %v", err)
	}
	return []string{rec.SIP, rec.ESL}
}

// sought is where the search's own list of secrets lies.
const sought = "/root/sought"

// foundOnly searches everything that a machine keeps or shows, and proves that
// these secrets stand only in the places allowed, a folder with its last slash
// for all in it.
func (m machine) foundOnly(when string, secrets, allowed []string) {
	t := m.t
	t.Helper()
	forms := written(secrets)
	if err := m.WriteFile(shop.ctx, sought, []byte(strings.Join(forms, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	// Every file system but the kernel's own. What has not changed since the bake,
	// by the time that nobody can set, holds nothing made after it.
	files := m.sh(`find / \( -path /proc -o -path /sys -o -path ` + sought + ` \) -prune -o -type f -cnewer /etc/fs-harden/plan.json -print0 | xargs -0r grep -laF -f ` + sought + ` 2>/dev/null || :`)
	for _, path := range strings.Fields(files) {
		found[path] = true
		if !slices.ContainsFunc(allowed, func(a string) bool {
			return path == a || strings.HasSuffix(a, "/") && strings.HasPrefix(path, a)
		}) {
			t.Errorf("%s: a secret is in %s", when, path)
			continue
		}
		m.closed(when, path)
	}
	if len(found) == 0 && len(allowed) > 0 {
		t.Errorf("%s: the search does not even find what is there", when)
	}
	for what, script := range map[string]string{
		"a command line or an environment": `cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n'`,
		"the journal":                      "journalctl --no-pager -o export -a",
		"a packed file":                    `find / -xdev -type f \( -name '*.gz' -o -name '*.tgz' \) -cnewer /etc/fs-harden/plan.json -exec zcat {} + 2>/dev/null`,
	} {
		if out := m.sh(script + " | grep -caF -f " + sought + " || :"); out != "0" {
			t.Errorf("%s: a secret is in %s", when, what)
		}
	}
	console := m.Console()
	if slices.ContainsFunc(forms, func(f string) bool { return strings.Contains(console, f) }) {
		t.Errorf("%s: a secret is on the console", when)
	}
	m.run("rm", sought)
}

// closed proves that others can neither read a file nor come near it.
func (m machine) closed(when, path string) {
	m.t.Helper()
	if mode := m.run("stat", "-c", "%a", path); !slices.Contains([]string{"600", "640", "660"}, mode) {
		m.t.Errorf("%s: %s has mode %s", when, path, mode)
	}
	if _, err := m.Exec(shop.ctx, "runuser", "-u", "nobody", "--", "head", "-c", "1", path); err == nil {
		m.t.Errorf("%s: anybody can read %s", when, path)
	}
}

// written are the forms in which a secret may stand somewhere: as it is, in
// hexadecimal, and in base64 wherever it begins in what was encoded.
func written(secrets []string) (forms []string) {
	for _, s := range secrets {
		forms = append(forms, s, hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s))))
		for before := range 3 {
			text := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s%s", strings.Repeat(" ", before), s))
			// The first characters and the last depend on what is around it.
			forms = append(forms, strings.TrimRight(text, "=")[4:len(text)-4])
		}
	}
	return forms
}
