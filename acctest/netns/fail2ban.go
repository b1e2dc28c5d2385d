//go:build linux

package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Fail2ban is a real fail2ban in a namespace: its configuration, socket and
// database lie in a folder of its own, and its one jail is "freeswitch".
type Fail2ban struct {
	ns  *NS
	dir string
}

// HaveFail2ban tells whether there is a fail2ban to start.
func HaveFail2ban() bool {
	_, err := exec.LookPath("fail2ban-server")
	return err == nil
}

// NewFail2ban configures one, from the package's configuration, whose jail has
// this action. Files are added below action.d.
func NewFail2ban(ns *NS, dir, action string, actions map[string]string) (*Fail2ban, error) {
	f := &Fail2ban{ns, filepath.Join(dir, "fail2ban")}
	if _, err := ns.Run("", "cp", "-r", "/etc/fail2ban", f.dir); err != nil {
		return nil, err
	}
	for _, mine := range []string{"jail.d", "jail.local", "fail2ban.d", "fail2ban.local"} {
		if err := os.RemoveAll(filepath.Join(f.dir, mine)); err != nil {
			return nil, err
		}
	}
	files := map[string]string{
		"log": "",
		"fail2ban.local": fmt.Sprintf("[Definition]\nallowipv6 = yes\nlogtarget = %[1]s/fail2ban.log\nsocket = %[1]s/socket\n"+
			"pidfile = %[1]s/pid\ndbfile = %[1]s/fail2ban.sqlite3\n", f.dir),
		"filter.d/hit.conf": "[Definition]\nfailregex = ^.*hit <ADDR>$\n",
		"jail.local": fmt.Sprintf("[DEFAULT]\nignoreip = 127.0.0.1/8 ::1\nignoreself = false\nusedns = no\nbackend = polling\n[freeswitch]\nenabled = true\nfilter = hit\n"+
			"action = %s\nlogpath = %s/log\nmaxretry = 1\nfindtime = 600\nbantime = 86400\n", action, f.dir),
	}
	for name, text := range actions {
		files["action.d/"+name] = text
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Client runs fail2ban-client.
func (f *Fail2ban) Client(args ...string) (string, error) {
	return f.ns.Run("", "fail2ban-client", append([]string{"-c", f.dir, "-s", f.dir + "/socket", "-p", f.dir + "/pid"}, args...)...)
}

// Write adds lines to the log that the jail reads; "hit ADDRESS" is a failure.
func (f *Fail2ban) Write(lines ...string) error {
	log, err := os.OpenFile(f.dir+"/log", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	now := time.Now().Format(time.DateTime)
	for _, line := range lines {
		if _, err = fmt.Fprintln(log, now, line); err != nil {
			break
		}
	}
	return errors.Join(err, log.Close())
}

// Log is what it has logged.
func (f *Fail2ban) Log() string {
	b, err := os.ReadFile(f.dir + "/fail2ban.log")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Ignore adds to ignoreip, from the next start.
func (f *Fail2ban) Ignore(address string) error {
	name := filepath.Join(f.dir, "jail.local")
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, []byte(strings.Replace(string(b), " ::1", " ::1 "+address, 1)), 0o600)
}

// remember writes bans into fail2ban's database, half of them IPv6.
const remember = `
import sqlite3, sys, time
db, now = sqlite3.connect(sys.argv[1]), int(time.time())
for i in range(int(sys.argv[2])):
    ip = "198.18.%d.%d" % (i // 250, i % 250 + 1) if i % 2 else "2001:db8:%x::1" % i
    for table in ("bans", "bips"):
        db.execute("insert into %s(jail, ip, timeofban, bantime, bancount, data) values('freeswitch', ?, ?, 86400, 1, ?)" % table,
                   (ip, now - i % 600, '{"matches": [], "failures": 20}'))
db.commit()
`

// Remember makes a fail2ban that does not run believe that it had banned n
// sources in the last ten minutes.
func (f *Fail2ban) Remember(n int) error {
	// Its first start makes the database.
	for _, command := range []string{"start", "stop"} {
		if _, err := f.Client(command); err != nil {
			return err
		}
	}
	if err := f.gone(); err != nil {
		return err
	}
	_, err := f.ns.Run(remember, "/usr/bin/python3", "-", f.dir+"/fail2ban.sqlite3", fmt.Sprint(n))
	return err
}

// Stop ends it and waits for its end.
func (f *Fail2ban) Stop() error {
	if _, err := f.Client("stop"); err != nil {
		return err
	}
	return f.gone()
}

func (f *Fail2ban) gone() error {
	for range 600 {
		if _, err := os.Stat(f.dir + "/pid"); os.IsNotExist(err) {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("fail2ban does not end: see %s/pid", f.dir)
}
