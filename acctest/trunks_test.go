//go:build linux && acceptance

package acctest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Who is answered on the profile of a trunk, by FreeSWITCH's list alone and then by
// the firewall; and that nobody is cut off for what is done in his name.
func TestAProfileAnswersItsTrunksAlone(t *testing.T) {
	const (
		stranger = "10.77.0.66"
		plan     = `{"trunk":{"carrier":{"from":["` + trunkAddress + `"]},"six":{"from":["2001:db8::/32"],"profile":"external-ipv6"}},"skip_firewall":%t,"fail2ban":{"max_retry":5}}`
	)
	m := guarded(t, "trunks", fmt.Sprintf(plan, true))
	m.run("/root/fs-harden", "firstboot")
	m.run("systemctl", "restart", "freeswitch")
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		if out, _ := m.Exec(shop.ctx, "fs_cli", "-x", "sofia status"); strings.Contains(lineWith(out, " external\tprofile"), "RUNNING") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the profile external does not run:\n%s", m.sh("tail -30 /var/log/freeswitch/freeswitch.log"))
		}
	}
	carrier, other := m.from(t, trunkAddress), m.from(t, stranger)
	invite := request{method: "INVITE", user: "1000", port: external, body: "v=0\r\n"}
	register := request{method: "REGISTER", user: "1000", port: external}
	answers := func(a *attacker, r request, want string) {
		t.Helper()
		if got := statusLine(a.ask(r)); got != want {
			t.Errorf("%s of %s on %d: %q, want %q", r.method, a.address, r.port, got, want)
		}
	}

	// The list. Nobody registers without a password on a profile of trunks, and
	// phones go on to be asked for one on theirs.
	answers(carrier, invite, "480 Temporarily Unavailable")
	answers(carrier, register, "403 Forbidden")
	answers(other, invite, "403 Forbidden")
	answers(other, register, "403 Forbidden")
	answers(other, request{method: "REGISTER", user: "1000", port: internal}, "401 Unauthorized")
	log := m.eventually(authLog, `IP `+stranger+` Rejected by register acl "fs-harden-nobody"`)
	if want := `IP ` + stranger + ` Rejected by acl "fs-harden-trunks-external"`; !strings.Contains(log, want) {
		t.Errorf("the jail's log lacks %q:\n%s", want, log)
	}

	// The jails count it, and never a trunk, on whatever port it fails.
	for range 8 {
		other.send(invite)
		carrier.send(register)
		carrier.send(request{method: "REGISTER", user: "1000", port: internal})
	}
	m.soon("freeswitch", stranger)
	answers(other, request{method: "REGISTER", user: "1000", port: internal}, "")
	answers(carrier, invite, "480 Temporarily Unavailable")
	m.run("/root/fs-harden", "verify")

	// The firewall, from where somebody who is not banned knocks.
	m.sh("cat >/root/plan.json <<'EOF'\n" + fmt.Sprintf(plan, false) + "\nEOF")
	m.harden()
	third := m.from(t, "10.77.0.67")
	answers(carrier, invite, "480 Temporarily Unavailable")
	answers(third, invite, "")
	answers(third, request{method: "REGISTER", user: "1000", port: internal}, "401 Unauthorized")
	if out := m.run("/root/fs-harden", "verify"); !strings.Contains(out, "trunks-alone") {
		t.Errorf("verify says nothing of trunks:\n%s", out)
	}

	// On its own port no limit holds for a trunk; on that of phones it does.
	before := m.limited(t, "options")
	options := request{method: "OPTIONS", user: "x", port: external}
	for range 200 {
		carrier.send(options)
	}
	if after := m.limited(t, "options"); after != before {
		t.Errorf("%d OPTIONS of a trunk were dropped on its own port", after-before)
	}
	// There it is a stranger.
	options.port = internal
	before = m.limited(t, "probe")
	for range 200 {
		carrier.send(options)
	}
	if after := m.limited(t, "probe"); after == before {
		t.Error("no OPTIONS of a trunk was dropped on a port of phones")
	}

	// Without trunks, the profile is as it was.
	m.sh(`echo '{}' >/root/plan.json`)
	m.harden()
	if out := m.sh("grep -r 'fs-harden-\\(trunks\\|nobody\\)' /etc/freeswitch --include=*.xml || true"); out != "" {
		t.Errorf("left is\n%s", out)
	}
}

const trunkAddress = "10.77.0.7"

var counterPackets = regexp.MustCompile(`packets (\d+)`)

// limited is what the kernel's limit of a method has dropped so far.
func (m machine) limited(t *testing.T, method string) int {
	t.Helper()
	out := m.run("nft", "list", "counter", "inet", "fs_harden", "limited_"+method)
	found := counterPackets.FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no packets in %q", out)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
