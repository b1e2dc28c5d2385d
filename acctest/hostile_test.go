//go:build linux && acceptance

package acctest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// underAttack is the program that the tests of this kind run.
const underAttack = "../.build/fs-harden-linux-amd64"

const (
	switchUID = 997  // FreeSWITCH's user: whoever has broken into it
	adminUID  = 1001 // alice, an admin user
	adminHome = "/home/alice"
)

// switchFolders are FreeSWITCH's own: Debian's unit gives them to its user at
// every start.
var switchFolders = []string{"/etc/freeswitch", "/var/log/freeswitch", "/var/lib/freeswitch"}

// rootsSecret stands in /etc/shadow, and is to be seen nowhere else.
const rootsSecret = "$6$nobody$reads.this"

// hostilePlan names the admin user, and has apply remove all that it can.
const hostilePlan = `{"admin_users": ["alice"], "cleanup_system": true}`

// newHostileTree is a machine on which FreeSWITCH's user and an admin user have
// what is theirs, and others something to lose. Beside it lies what is outside of
// the machine.
func newHostileTree(t *testing.T) tree {
	t.Helper()
	helper, err := filepath.Abs(underAttack)
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		t.Fatal("this makes files of several users: run it as root")
	}
	tr := newTree(t, helper)
	const key = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n"
	const published = "<include>\n  <X-PRE-PROCESS cmd=\"set\" data=\"default_password=1234\"/>\n</include>\n"
	for at, text := range map[string]string{
		"/etc/os-release": "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n",
		"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nfreeswitch:x:997:997::/var/lib/freeswitch:/usr/sbin/nologin\n" +
			"alice:x:1001:1001::/home/alice:/bin/bash\n",
		"/etc/shadow":                                 "root:" + rootsSecret + ":19000:0:99999:7:::\nalice:*:19000:0:99999:7:::\n",
		"/etc/profile.d/lang.sh":                      "export LANG=C\n",
		"/etc/cron.d/root.xml":                        published,
		"/etc/cron.d/evil.sh":                         published,
		"/etc/ssh/keys/host.pem":                      key,
		"/etc/letsencrypt/live/x/privkey.pem":         key,
		"/etc/letsencrypt/live/x/agent.pem":           key,
		"/var/lib/mysql/core.db":                      "rows\n",
		"/var/lib/mysql/ib.log":                       "rows\n",
		"/var/lib/pg/fs.log":                          "rows\n",
		"/var/lib/pg/rows.db":                         "rows\n",
		"/lib/systemd/system/freeswitch.service":      "[Service]\nUser=freeswitch\nGroup=freeswitch\nExecStart=/usr/bin/freeswitch -u freeswitch -nonat\n",
		"/run/cloud-init/.instance-id":                "i-0123456789abcdef0\n",
		"/etc/freeswitch/x/evil.sh":                   published,
		"/etc/freeswitch/y/more.sh":                   published,
		"/etc/freeswitch/tls/CA/cakey.pem":            key,
		"/var/log/freeswitch/zz.log":                  "a call\n",
		"/var/log/freeswitch/freeswitch.xml.fsxml":    "<document/>\n",
		"/var/log/freeswitch/xml_cdr/a.cdr.xml":       "<cdr/>\n",
		"/var/lib/freeswitch/storage/voicemail/1.wav": "a voice\n",
		"/var/lib/freeswitch/storage/core.db":         "rows\n",
		"/var/lib/freeswitch/storage/k.pem":           key,
		adminHome + "/.bash_history":                  "ls\n",
		adminHome + "/papers/k.pem":                   key,
		adminHome + "/papers/core.db":                 "rows\n",
		adminHome + "/papers/fs.log":                  "password = 1\n",
		"/../outside/k.pem":                           key,
		"/../outside/core.db":                         "rows\n",
	} {
		at = tr.dir + at
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	vars := tr.dir + "/etc/freeswitch/vars.xml"
	text, err := os.ReadFile(vars)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("</include>"), []byte("  <X-PRE-PROCESS cmd=\"include\" data=\"x/evil.sh\"/>\n  <X-PRE-PROCESS cmd=\"include\" data=\"y/more.sh\"/>\n</include>"), 1)
	// As Debian's packages have them.
	for _, dir := range []string{
		"dev", "etc/cloud/clean.d", "etc/fail2ban/action.d", "etc/fail2ban/fail2ban.d", "etc/fail2ban/filter.d", "etc/fail2ban/jail.d", "etc/issue.d",
		"etc/tmpfiles.d", "etc/ufw",
	} {
		if err := os.MkdirAll(filepath.Join(tr.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		os.WriteFile(vars, text, 0o640),
		unix.Mknod(tr.dir+"/dev/zero", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))),
		os.Chmod(tr.dir+"/etc/shadow", 0o600),
		os.Chmod(tr.dir+"/etc/ssh/keys/host.pem", 0o600),
		give(tr.dir+"/var/lib/mysql", 27),
		give(tr.dir+"/var/lib/pg", 28),
		give(tr.dir+adminHome, adminUID),
		give(tr.dir+"/etc/freeswitch", switchUID),
		give(tr.dir+"/var/log/freeswitch", switchUID),
		give(tr.dir+"/var/lib/freeswitch", switchUID),
		os.WriteFile(tr.plan(), []byte(hostilePlan), 0o644),
		os.Chmod(filepath.Dir(tr.base), 0o711), // users get to what is theirs
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// plan is a file beside all the copies of a tree.
func (tr tree) plan() string { return filepath.Join(filepath.Dir(tr.base), "plan.json") }

// give makes a folder and all in it a user's, as chown -R does.
func give(dir string, uid int) error {
	return filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(p, uid, uid))
	})
}

// ended is how a run came to its end.
type ended struct {
	code   int // -1: it did not, and was killed
	output string
}

// runTime bounds a run. None takes a second, whatever is in the tree.
const runTime = 20 * time.Second

// bounded runs a program that was given a tree, in bounds of time and memory. It
// is to end by itself, with a status that the contract knows.
func (tr tree) bounded(argv ...string) ended {
	tr.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), runTime)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, time.Second
	if err := cmd.Start(); err != nil {
		tr.t.Fatal(err)
	}
	// From outside, which saves a process: it has not come to the tree by then, or
	// it is at its end already.
	const memory = 1 << 30
	limit := unix.Rlimit{Cur: memory, Max: memory}
	limited := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_DATA, &limit, nil)
	err := cmd.Wait()
	e := ended{cmd.ProcessState.ExitCode(), out.String()}
	var exit *exec.ExitError
	what := strings.Join(argv, " ")
	switch {
	case ctx.Err() != nil:
		e.code = -1
		tr.t.Errorf("%s: it hangs\n%s", what, e.output)
	case err != nil && !errors.As(err, &exit):
		tr.t.Errorf("%s: %v", what, err)
	case limited != nil && !errors.Is(limited, unix.ESRCH):
		tr.t.Errorf("limiting its memory: %v", limited)
	case e.code == 2, strings.Contains(e.output, "goroutine "):
		tr.t.Errorf("%s: it came to no end of its own, status %d\n%s", what, e.code, e.output)
	case strings.Contains(e.output, rootsSecret):
		tr.t.Errorf("%s: it tells what is in /etc/shadow\n%s", what, e.output)
	}
	return e
}

// helperFor are a command's program and arguments on this tree.
func (tr tree) helperFor(command string) []string {
	argv := []string{tr.helper, command, "--root", tr.dir}
	if command == "apply" {
		argv = append(argv, "--plan", tr.plan())
	}
	return argv
}
