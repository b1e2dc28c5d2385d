//go:build linux && acceptance

package acctest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// What an instance is asked to do once it is in service. One machine: the calls
// of the first case are up in all that follow.
func TestDayTwo(t *testing.T) {
	m := boot(t, baked(t), "daytwo", lab.BootOptions{InstanceID: "i-0daytwo"})
	for _, c := range []struct {
		name string
		run  func(machine)
	}{
		{"a rotation ends no call and no registration", rotationKeepsCalls},
		{"the module is in use", moduleInUse},
		{"FreeSWITCH hangs and dies", hangAndDie},
		{"the disk fills anywhere", diskFills},
		{"drift is told", driftIsTold},
		{"an apply mends it and leaves the passwords", applyInService},
		{"the unit and its timer", unitAndTimer},
		{"nobody reads the expanded configuration", expandedConfiguration},
		{"rolled back", rolledBack},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			c.run(machine{m.Machine, t})
			t.Logf("%.1f s", time.Since(began).Seconds())
		})
	}
}

// until waits until a script succeeds.
func (m machine) until(script string) {
	m.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if _, err := m.Exec(shop.ctx, "sh", "-c", script); err == nil {
			return
		}
	}
	m.t.Fatalf("not within %s: %s", patience, script)
}

func (m machine) pid() string {
	m.t.Helper()
	return m.property("freeswitch", "MainPID")
}

// takes tells whether the event socket takes a password.
func (m machine) takes(password string) bool {
	m.t.Helper()
	if err := m.WriteFile(shop.ctx, "/root/try/.fs_cli_conf", []byte("[default]\npassword => "+password+"\n"), 0o600); err != nil {
		m.t.Fatal(err)
	}
	_, err := m.Exec(shop.ctx, "env", "HOME=/root/try", "fs_cli", "-x", "status")
	return err == nil
}

func rotationKeepsCalls(m machine) {
	t := m.t
	script, err := os.ReadFile("testdata/phone.py")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.WriteFile(shop.ctx, "/root/phone.py", script, 0o644); err != nil {
		t.Fatal(err)
	}
	m.run("mkdir", "/root/try")
	if s := m.status(); s.State != "hardened" || s.Rotated != "" || s.Instance != "i-0daytwo" {
		t.Errorf("status: %+v", s)
	}
	if out, err := m.Exec(shop.ctx, "runuser", "-u", "debian", "--", "fs-harden", "status"); err == nil || !strings.Contains(err.Error(), "sudo fs-harden status") {
		t.Errorf("status as a user: %s %v", out, err)
	}
	sip, esl := m.secrets()
	address := m.sh(`ss -Hlnu 'sport = :5060' | awk '$4 !~ /\[/ {sub(/:5060$/, "", $4); print $4; exit}'`)
	if out := m.sh("sed -n 's/^sip_default_password = //p' /root/freeswitch-credentials.txt | python3 /root/phone.py " + address + " 1000"); out != "SIP/2.0 200 OK" {
		t.Fatalf("the phone is not registered: %s", out)
	}
	m.run("fs_cli", "-x", "originate null/x &park")
	before, pid := m.settled(1, 1), m.pid()
	m.run("fs-harden", "rotate")
	if after := m.inService(); !maps.Equal(after, before) {
		t.Errorf("before the rotation: %v\nafter it: %v", before, after)
	}
	if m.pid() != pid {
		t.Error("FreeSWITCH was restarted")
	}
	if s, e := m.secrets(); s == sip || e == esl || m.takes(esl) {
		t.Error("a secret survived the rotation")
	}
	if s := m.status(); s.State != "hardened" || s.Rotated == "" || s.Rotated != s.Made {
		t.Errorf("status: %+v", s)
	}
}

// applyInService mends what has drifted on an instance that serves callers: its
// passwords, its FreeSWITCH and its next first boot stay as they are.
func applyInService(m machine) {
	t := m.t
	sip, esl := m.secrets()
	pid := m.pid()
	m.run("sed", "-i", "s/loopback.auto/any_v4.auto/", "/etc/freeswitch/autoload_configs/event_socket.conf.xml")
	if out := m.fails("fs-harden", "verify"); !strings.Contains(out, "event-socket-acl") {
		t.Errorf("verify does not tell of the drift:\n%s", out)
	}
	m.run("fs-harden", "apply", "--plan", "/etc/fs-harden/plan.json")
	if s, e := m.secrets(); s != sip || e != esl || m.pid() != pid {
		t.Error("the apply changed a password or FreeSWITCH")
	}
	m.run("grep", "-q", "loopback.auto", "/etc/freeswitch/autoload_configs/event_socket.conf.xml")
	m.sh("test ! -e /run/fs-harden/baking && fs-harden gate && fs-harden firstboot --at-boot")
	m.run("fs-harden", "verify")
}

// inService is who is registered and which calls are up, each with what must stay
// as it is. How far a call has come in its own life, and when it was last told of,
// does not count.
func (m machine) inService() map[string]string {
	m.t.Helper()
	out := map[string]string{}
	for _, r := range rows(m.run("fs_cli", "-x", "show registrations")) {
		out["registration "+r["reg_user"]+"@"+r["realm"]] = r["url"] + " " + r["network_ip"] + ":" + r["network_port"]
	}
	for _, c := range rows(m.run("fs_cli", "-x", "show calls")) {
		answered := c["state"] == "CS_EXECUTE" // the stand-in shows no call state
		if state, ok := c["callstate"]; ok {
			answered = answered && state == "ACTIVE"
		}
		out["call "+c["uuid"]] = fmt.Sprintf("since %s, answered: %t", c["created_epoch"], answered)
	}
	return out
}

// settled waits until so many are registered and so many calls are answered:
// FreeSWITCH writes both tables in the background, and a call takes its time.
func (m machine) settled(registrations, calls int) map[string]string {
	m.t.Helper()
	var now map[string]string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		now = m.inService()
		registered, answered := 0, 0
		for what, how := range now {
			if strings.HasPrefix(what, "registration ") {
				registered++
			} else if strings.HasSuffix(how, "answered: true") {
				answered++
			}
		}
		if registered == registrations && answered == calls && len(now) == registrations+calls {
			return now
		}
	}
	m.t.Fatalf("not %d registrations and %d answered calls within %s: %v", registrations, calls, patience, now)
	return nil
}

// rows reads the table that FreeSWITCH shows: names, a line each, and how many.
func rows(table string) []map[string]string {
	lines := strings.Split(strings.TrimSpace(table), "\n")
	names := strings.Split(lines[0], ",")
	var out []map[string]string
	for _, l := range lines[1:] {
		values := strings.Split(l, ",")
		if len(values) < len(names) {
			continue // the blank line, and the number
		}
		row := map[string]string{}
		for i, name := range names {
			row[name] = values[i]
		}
		out = append(out, row)
	}
	return out
}

// secretFiles are all that a rotation writes.
const secretFiles = "sha256sum /root/freeswitch-credentials.txt /etc/fs_cli.conf /home/debian/.fs_cli_conf /var/lib/fs-harden/committed.json " +
	"/etc/freeswitch/vars.xml /etc/freeswitch/autoload_configs/event_socket.conf.xml"

// goesBack runs a rotation that is to fail, and proves that nothing of it is
// left in files and process.
func (m machine) goesBack(rotate func() (string, error), says string) {
	m.t.Helper()
	files := m.sh(secretFiles)
	sip, esl := m.secrets()
	out, err := rotate()
	var exit *lab.ExecError
	if !errors.As(err, &exit) || exit.Code != 1 || !strings.Contains(out, says) || !strings.Contains(out, "put back as it was") {
		m.t.Fatalf("the rotation, which was to fail with %q: %v\n%s", says, err, out)
	}
	if now := m.sh(secretFiles + "; ls -d /var/lib/fs-harden/journal* 2>/dev/null || true"); now != files {
		m.t.Errorf("before:\n%s\nafter:\n%s", files, now)
	}
	m.until("fs_cli -x status")
	if !m.takes(esl) {
		m.t.Error("the running FreeSWITCH does not take the old password")
	}
	if got := m.run("fs_cli", "-x", "global_getvar default_password"); got != sip {
		m.t.Error("the running FreeSWITCH has another default_password")
	}
}

func (m machine) rotate() (string, error) {
	return m.Exec(shop.ctx, "sh", "-c", "exec fs-harden rotate 2>&1")
}

// rotates proves that the next one succeeds.
func (m machine) rotates() {
	m.t.Helper()
	_, esl := m.secrets()
	m.run("fs-harden", "rotate")
	if _, now := m.secrets(); m.takes(esl) || !m.takes(now) {
		m.t.Error("the next rotation is not in force")
	}
}

func moduleInUse(m machine) {
	m.run("systemd-run", "--quiet", "--unit=application", "python3", "-c", "import socket; s = socket.create_server(('127.0.0.1', 9999)); c = s.accept()[0]; c.send(b'connect\\n\\n'); [None for _ in iter(lambda: c.recv(65536), b'')]")
	m.until("ss -Hlnt 'sport = :9999' | grep -q .")
	m.run("fs_cli", "-x", "originate null/y &socket(127.0.0.1:9999 async full)")
	m.until("fs_cli -x 'show calls' | grep '^2 total'")
	m.goesBack(m.rotate, `"Module in use"`)
	// There and back: both reloads have ended.
	m.until("[ $(grep -c 'mod_event_socket is in use' /var/log/freeswitch/freeswitch.log) -ge 2 ]")
	m.run("systemctl", "stop", "application")
	m.until("fs_cli -x 'show calls' | grep '^1 total'")
	m.rotates()
}

// A rotation that a hanging FreeSWITCH lets wait, until it is killed: the
// rotation ends, and systemd starts FreeSWITCH with the old secrets behind it.
func hangAndDie(m machine) {
	t, pid := m.t, m.pid()
	m.run("kill", "-STOP", pid)
	m.goesBack(func() (string, error) {
		type result struct {
			out string
			err error
		}
		ended := make(chan result)
		go func() {
			out, err := m.rotate()
			ended <- result{out, err}
		}()
		m.until("test -e /var/lib/fs-harden/journal")
		m.run("kill", "-KILL", pid)
		r := <-ended
		return r.out, r.err
	}, "has ended")
	if now := m.pid(); now == pid || now == "0" {
		t.Errorf("FreeSWITCH was %s and is %s", pid, now)
	}
	m.rotates()
}

// However much room there is for the records, a rotation is whole or is not.
func diskFills(m machine) {
	const dir = "/var/lib/fs-harden"
	m.sh("cp -a " + dir + " /root/records && mount -t tmpfs -o size=1m,mode=0700 tmpfs " + dir + " && cp -a /root/records/. " + dir)
	told := false
	for pages := 20; ; pages += 6 {
		m.sh(fmt.Sprintf("rm -f %[1]s/filler; free=$(df --output=avail -B4096 %[1]s | tail -1); head -c $(( (free - %[2]d) * 4096 )) /dev/zero >%[1]s/filler", dir, pages))
		files := m.sh(secretFiles)
		_, esl := m.secrets()
		out, err := m.rotate()
		if err == nil {
			break
		}
		told = told || strings.Contains(out, "changed    reload")
		if !strings.Contains(out, "no space left") || m.sh(secretFiles) != files || !m.takes(esl) {
			m.t.Fatalf("with %d pages free: %s", pages, out)
		}
		if pages > 200 {
			m.t.Fatal("there is never enough room")
		}
	}
	if !told {
		m.t.Error("the disk was never full after FreeSWITCH had been told")
	}
	m.sh("rm " + dir + "/filler && rm -rf /root/records/* && cp -a " + dir + "/. /root/records && umount " + dir + " && rm -rf " + dir + "/* && cp -a /root/records/. " + dir)
	m.rotates()
}

func rolledBack(m machine) {
	m.sh("cp /usr/local/sbin/fs-harden /root/ && fs-harden rollback && mv /root/fs-harden /usr/local/sbin/")
	if a := m.property("fs-harden-verify.timer", "ActiveState"); a != "inactive" {
		m.t.Errorf("the timer is %s", a)
	}
	if s := m.status(); s.State != "not hardened" {
		m.t.Errorf("status: %+v", s)
	}
}
