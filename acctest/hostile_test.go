//go:build linux && acceptance

package acctest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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
	const memory = 1 << 30
	cmd := exec.CommandContext(ctx, "prlimit", append([]string{fmt.Sprintf("--data=%d", memory)}, argv...)...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	e := ended{cmd.ProcessState.ExitCode(), string(out)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		e.code = -1
		tr.t.Errorf("%s: it hangs\n%s", strings.Join(argv, " "), out)
	case err != nil && !errors.As(err, &exit):
		tr.t.Errorf("%s: %v", strings.Join(argv, " "), err)
	case e.code == 2, strings.Contains(e.output, "goroutine "):
		tr.t.Errorf("%s: it came to no end of its own, status %d\n%s", strings.Join(argv, " "), e.code, out)
	case strings.Contains(e.output, rootsSecret):
		tr.t.Errorf("%s: it tells what is in /etc/shadow\n%s", strings.Join(argv, " "), out)
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

// contract is what a command may change: patterns as path.Match has them, or a
// folder with all below it, by "/**".
type contract []string

// ours are the files that docs/fs-harden.md names, wherever a run may write one.
var ours = contract{
	"/var/lib/fs-harden/**", "/etc/fs-harden/**", "/run/fs-harden/**",
	"/root/freeswitch-credentials.txt", "/root/freeswitch-config-backup-*.tgz",
	"/root/fs-harden-rollback-*/**", "/root/fs-harden-recovered-*/**",
	"/etc/fs_cli.conf", "/usr/local/sbin/fs-harden",
	"/etc/fail2ban/*.d/fs-harden.*", "/etc/ufw/user.rules", "/etc/ufw/user6.rules", "/etc/ufw/ufw.conf", "/var/log/fail2ban.log",
	"/etc/tmpfiles.d/fs-harden.conf", "/etc/cloud/clean.d/50-fs-harden", "/etc/issue.d/fs-harden.issue",
	"/etc/systemd/system/fs-harden-*", "/etc/systemd/system/*.wants/fs-harden-*",
	"/etc/systemd/system/multi-user.target.wants/fail2ban.service", "/etc/systemd/system/multi-user.target.wants/ufw.service",
	"/etc/systemd/system/freeswitch.service.d/50-fs-harden*.conf",
}

// records are what a command that only looks writes down.
var records = contract{"/var/lib/fs-harden/lock", "/run/fs-harden/**"}

// names tells whether a command may make, change or remove what is at the path.
func (c contract) names(p string) bool {
	return slices.ContainsFunc(c, func(pattern string) bool {
		if dir, ok := strings.CutSuffix(pattern, "/**"); ok {
			for at := p; at != "/"; at = path.Dir(at) {
				if matches(dir, at) {
					return true
				}
			}
			return false
		}
		return matches(pattern, p)
	})
}

// leadsThrough tells a folder in which the contract names something: its time
// changes, and it may have to be made.
func (c contract) leadsThrough(dir string) bool {
	return slices.ContainsFunc(c, func(pattern string) bool {
		for pattern = path.Dir(strings.TrimSuffix(pattern, "/**")); pattern != "/"; pattern = path.Dir(pattern) {
			if matches(pattern, dir) {
				return true
			}
		}
		return dir == "/"
	})
}

func matches(pattern, p string) bool {
	ok, err := path.Match(pattern, p)
	return ok && err == nil
}

// sight is what stands at a path, times of change apart.
type sight struct {
	st     syscall.Stat_t
	target string
}

func (s sight) kind() uint32 { return s.st.Mode & syscall.S_IFMT }

func (s sight) String() string {
	return fmt.Sprintf("%o %d:%d inode %d, %d bytes %s", s.st.Mode, s.st.Uid, s.st.Gid, s.st.Ino, s.st.Size, s.target)
}

// sights is all of a tree, and what lies outside of it. No file is read: whatever
// is done to one changes its time of change (inode(7)).
func (tr tree) sights() map[string]sight {
	tr.t.Helper()
	all := map[string]sight{}
	for _, top := range []string{tr.dir, filepath.Join(filepath.Dir(tr.base), "outside")} {
		err := filepath.WalkDir(top, func(p string, _ fs.DirEntry, err error) error {
			var s sight
			if err == nil {
				err = syscall.Lstat(p, &s.st)
			}
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
				return nil // a user is at work on it
			}
			if err == nil && s.kind() == syscall.S_IFLNK {
				s.target, _ = os.Readlink(p)
			}
			name := strings.TrimPrefix(p, tr.dir)
			if name == "" {
				name = "/"
			}
			all[name] = s
			return err
		})
		if err != nil {
			tr.t.Fatal(err)
		}
	}
	return all
}

// trespasses are the changes that the contract does not name. theirs tells the
// paths at which users were at work themselves.
func (c contract) trespasses(before, after map[string]sight, theirs func(string) bool) []string {
	var out []string
	for p, b := range before {
		a, there := after[p]
		switch {
		case theirs(p) || c.names(p):
		case !there && c.leadsThrough(p) && b.kind() == syscall.S_IFDIR: // made by a run, empty again
		case !there:
			out = append(out, "gone: "+p)
		case c.leadsThrough(p) && b.kind() == syscall.S_IFDIR:
			b.st.Ctim, b.st.Mtim, b.st.Nlink, b.st.Size, b.st.Ino = a.st.Ctim, a.st.Mtim, a.st.Nlink, a.st.Size, a.st.Ino
			fallthrough
		default:
			a.st.Atim, b.st.Atim = syscall.Timespec{}, syscall.Timespec{}
			if a != b {
				out = append(out, fmt.Sprintf("changed: %s: %s, it was %s", p, a, b))
			}
		}
	}
	for p, a := range after {
		b, before := before[p]
		switch {
		case theirs(p):
		case !before && !c.names(p) && !(c.leadsThrough(p) && a.kind() == syscall.S_IFDIR):
			out = append(out, fmt.Sprintf("new: %s: %s", p, a))
		case before && a.st.Ctim == b.st.Ctim || isUsers(p):
		case a.st.Uid != 0 || a.kind() != syscall.S_IFLNK && a.st.Mode&0o022 != 0:
			out = append(out, fmt.Sprintf("not root's alone: %s: %s", p, a))
		}
	}
	slices.Sort(out)
	return out
}

// isUsers tells what belongs to one of the two users.
func isUsers(p string) bool {
	return slices.ContainsFunc(append(switchFolders, adminHome), func(dir string) bool {
		return strings.HasPrefix(p+"/", dir+"/")
	})
}

// isKept tells what is a user's, and no business of any command.
func isKept(p string) bool {
	return slices.ContainsFunc([]string{"/var/lib/freeswitch/storage", adminHome + "/papers"}, func(dir string) bool {
		return strings.HasPrefix(p+"/", dir+"/")
	})
}
