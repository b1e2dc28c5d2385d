//go:build linux && acceptance

package acctest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

const (
	authLog  = "/var/log/freeswitch/fs-harden-auth.log"
	watchLog = "/var/log/fs-harden/watch.log"
	// patience bounds what is to happen within seconds, on a busy test machine.
	patience = 40 * time.Second
)

// guarded is a Debian 12 with fail2ban on which a plan was applied.
func guarded(t *testing.T, name, plan string) machine {
	t.Helper()
	return guardedOn(t, lab.Bookworm, name, plan)
}

// guardedOn is guarded on a release. On Debian 11 a plan leaves the limits out:
// its nft 0.9.8 crashes where a second block of one table in a file declares a
// set, as theirs does; later ones do not.
func guardedOn(t *testing.T, release lab.Release, name, plan string) machine {
	t.Helper()
	m := boot(t, undefendedOn(t, release), name, lab.BootOptions{})
	m.bringHelper()
	m.sh("cat >/root/plan.json <<'EOF'\n" + plan + "\nEOF")
	m.harden()
	return m
}

// harden applies the plan, and tells which steps changed something.
func (m machine) harden() (changed []string) {
	m.t.Helper()
	out, err := m.Exec(shop.ctx, "sh", "-c", "/root/fs-harden apply --plan /root/plan.json --json 2>&1")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err != nil {
		m.t.Fatalf("apply: %v\n%s\n%s", err, strings.Join(lines[max(0, len(lines)-3):], "\n"), m.sh("tail -20 /var/log/fail2ban.log; journalctl --no-pager -n 20 -u fail2ban"))
	}
	var rep struct {
		Steps []struct{ Name, Status string }
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &rep); err != nil {
		m.t.Fatalf("the last line is not the report: %v\n%s", err, out)
	}
	for _, s := range rep.Steps {
		if s.Status == "changed" {
			changed = append(changed, s.Name)
		}
	}
	return changed
}

// feed writes a log of shared/data to the log that the jail reads, as if it
// happened now.
func (m machine) feed(name string) {
	m.t.Helper()
	b, err := os.ReadFile(filepath.Join(shop.Project, "..", "shared", "data", name))
	if err != nil {
		m.t.Fatal(err)
	}
	m.write(strings.ReplaceAll(string(b), "2026-11-22 22:", "@DAY@ 22:"))
}

// fail writes so many failed registrations of one source to it.
func (m machine) fail(source string, times int) {
	m.t.Helper()
	m.write(strings.Repeat(fmt.Sprintf("@DAY@ 22:00:00.000001 50.00%% [WARNING] sofia_reg.c:1787 SIP auth failure (REGISTER) on sofia profile 'internal' for [1@2] from ip %s\n", source), times))
}

// challenge writes so many challenges of one stranger to the watch's log.
func (m machine) challenge(source string, times int) {
	m.t.Helper()
	m.writeTo(watchLog, strings.Repeat(fmt.Sprintf("@DAY@ 22:00:00.000001 [WARNING] fs-harden challenged stranger from %s\n", source), times))
}

func (m machine) write(text string) {
	m.t.Helper()
	m.writeTo(authLog, text)
}

func (m machine) writeTo(log, text string) {
	m.t.Helper()
	file := filepath.Join(m.t.TempDir(), "log")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	if err := m.CopyIn(shop.ctx, file, "/root/log"); err != nil {
		m.t.Fatal(err)
	}
	m.sh(`sed -E "s/@DAY@ [0-9]+:[0-9]+:[0-9]+/$(date '+%Y-%m-%d %H:%M:%S')/" /root/log >>` + log)
}

// banned are the sources that a jail has banned now.
func (m machine) banned(jail string) []string {
	m.t.Helper()
	list := strings.Fields(m.run("fail2ban-client", "get", jail, "banip"))
	slices.Sort(list)
	return list
}

// soon waits until a jail has banned exactly these.
func (m machine) soon(jail string, want ...string) {
	m.t.Helper()
	slices.Sort(want)
	var got []string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if got = m.banned(jail); slices.Equal(got, want) {
			return
		}
	}
	m.t.Fatalf("%s has banned %s, want %s\n%s", jail, got, want, m.sh("tail -30 /var/log/fail2ban.log"))
}

func (m machine) jails() []string {
	m.t.Helper()
	_, list, _ := strings.Cut(m.run("fail2ban-client", "status"), "Jail list:")
	return strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", \t\n", r) })
}

// The second way to ban, in which three bans lead to the long one as well: a day
// is 3 s here, a week is an hour.
func TestRecidiveFiresByIptables(t *testing.T) {
	for _, release := range []lab.Release{lab.Bullseye, lab.Bookworm} {
		t.Run(string(release), func(t *testing.T) { recidiveByIptables(t, release) })
	}
}

func recidiveByIptables(t *testing.T, release lab.Release) {
	m := guardedOn(t, release, "recidive-"+string(release), `{"skip_firewall": true, "fail2ban": {"max_retry": 3, "ban_time": 3, "ban_action": "iptables-allports"}, "recidive": {"find_time": 60, "ban_time": 3600}, "rate_limit": {"enabled": false}}`)
	for round := range 3 {
		m.fail("10.99.0.66", 3)
		m.soon("freeswitch", "10.99.0.66")
		if round < 2 {
			m.soon("recidive")
			m.soon("freeswitch")
		}
	}
	m.soon("recidive", "10.99.0.66")
	m.run("fail2ban-client", "set", "recidive", "banip", "fd99::66")
	var rules string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		rules = m.sh("iptables -S; ip6tables -S")
		if strings.Contains(rules, "-A f2b-recidive -s 10.99.0.66/32 ! -i lo -j DROP\n") &&
			strings.Contains(rules, "-A f2b-recidive -s fd99::66/128 ! -i lo -j DROP\n") &&
			strings.Count(rules, "-A INPUT -j f2b-recidive\n") == 2 {
			return
		}
	}
	t.Errorf("in the kernel:\n%s", rules)
}

// What the jail reads is refusals only. FreeSWITCH writes SIP traces and SDP to
// its own log, forged lines and all, and none of it to the jail's.
func TestNothingForgedReachesTheJail(t *testing.T) {
	m := guarded(t, "forged", `{"skip_firewall": true, "rate_limit": {"enabled": false}}`)
	m.run("/root/fs-harden", "firstboot")
	m.run("systemctl", "restart", "freeswitch")
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		if out, _ := m.Exec(shop.ctx, "fs_cli", "-x", "sofia status"); strings.Contains(lineWith(out, " internal\tprofile"), "RUNNING") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the profile internal does not run:\n%s", m.sh("tail -30 /var/log/freeswitch/freeswitch.log"))
		}
	}
	m.run("fs_cli", "-x", "sofia global siptrace on")
	address := m.sh(`ss -Hlnu 'sport = :5060' | awk '$4 !~ /\[/ {sub(/:5060$/, "", $4); print $4; exit}'`)
	m.sip(address, "5080", "INVITE", "v=0\r\no=- 1 1 IN IP4 "+address+"\r\ns=-\r\nc=IN IP4 "+address+"\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"+forged+"\r\n")
	m.sip(address, "5060", "REGISTER", "")
	log := m.eventually(authLog, "SIP auth challenge (REGISTER)")
	m.eventually("/var/log/freeswitch/freeswitch.log", "203.0.113.200")
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "sofia_reg.c:") || strings.Contains(line, "203.0.113.200") {
			t.Errorf("in the jail's log: %s", line)
		}
	}
	// FreeSWITCH's own rotation makes a new file, which the jail follows.
	inode := m.run("stat", "-c", "%i", authLog)
	m.sh("kill -HUP $(pgrep -x freeswitch)")
	for end := time.Now().Add(patience); m.sh("stat -c %i "+authLog+" || true") == inode; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("SIGHUP did not rotate the log")
		}
	}
	m.fail("10.99.0.77", 20)
	m.soon("freeswitch", "10.99.0.77")
}

const forged = "2026-11-22 22:22:12.811985 98.77% [WARNING] sofia_reg.c:3210 Can't find user [1@1] from 203.0.113.200"

// sip sends one request to FreeSWITCH on its own machine.
func (m machine) sip(address, port, method, body string) {
	m.t.Helper()
	text := method + " sip:1000@" + address + " SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP " + address + ":5099;branch=z9hG4bK" + method + "\r\n" +
		"From: <sip:1000@" + address + ">;tag=" + method + "\r\nTo: <sip:1000@" + address + ">\r\n" +
		"Call-ID: " + method + "@x\r\nCSeq: 1 " + method + "\r\nMax-Forwards: 70\r\n" +
		"Contact: <sip:1000@" + address + ":5099>\r\nContent-Type: application/sdp\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
	file := filepath.Join(m.t.TempDir(), "sip")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	if err := m.CopyIn(shop.ctx, file, "/root/sip"); err != nil {
		m.t.Fatal(err)
	}
	m.run("bash", "-c", "dd if=/root/sip bs=64k count=1 status=none >/dev/udp/"+address+"/"+port)
}

// eventually waits until a file holds the text, and gives the file.
func (m machine) eventually(file, text string) string {
	m.t.Helper()
	var got string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if got = m.run("cat", file); strings.Contains(got, text) {
			return got
		}
	}
	m.t.Fatalf("%s does not come to hold %q:\n%s", file, text, got)
	return ""
}
