//go:build linux && acceptance

package acctest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A power cut at any write: the helper is killed at every such call in turn, and
// the machine comes up again. It has one set of secrets, in every file the same,
// none of the image's, and FreeSWITCH may not start before that.
func TestKilledAtEveryWrite(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal("strace is not installed: apt-get install strace")
	}
	helper, err := filepath.Abs("../.build/fs-harden-linux-amd64")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		command string
		before  []string // what was run on the tree already
		after   func(t *testing.T, tr tree, n int)
		atLeast int // so many kills
	}{
		{"apply", nil, afterApply, 400},
		{"firstboot", []string{"apply"}, afterBoot, 50},
		{"rotate", []string{"apply", "firstboot"}, afterBoot, 50},
		{"forget", []string{"apply", "firstboot"}, afterForget, 50},
	} {
		t.Run(c.command, func(t *testing.T) {
			t.Parallel()
			base := newTree(t, helper)
			for _, command := range c.before {
				base.must(command)
				base.withAdmin()
			}
			kills := 0
			for _, call := range writing {
				for _, n := range base.count(c.command, call) {
					tr := base.copy()
					if tr.kill(c.command, call, n) {
						kills++
					}
					c.after(t, tr, kills)
					if t.Failed() {
						t.Fatalf("killed at %s %d; the tree is %s", call, n, tr.dir)
					}
					tr.remove()
				}
			}
			if kills < c.atLeast {
				t.Errorf("only %d kills: this looks past something", kills)
			}
			t.Logf("killed %d times", kills)
		})
	}
}

// afterApply runs the bake again, or takes it back: every second time.
func afterApply(t *testing.T, tr tree, n int) {
	if tr.run("gate") == nil {
		t.Error("FreeSWITCH might start after half a bake")
	}
	if n%2 == 0 {
		tr.must("rollback")
		tr.withoutTraces()
		if d := tr.differences(); len(d) > 0 {
			t.Errorf("not put back: %s", d)
		}
		return
	}
	tr.must("apply")
	tr.must("firstboot")
	tr.consistent()
}

// afterBoot boots.
func afterBoot(t *testing.T, tr tree, _ int) {
	if tr.run("gate") == nil {
		tr.consistent() // if FreeSWITCH may start now, all is well already
	}
	tr.must("firstboot")
	tr.must("gate")
	tr.consistent()
	tr.must("verify")
}

// afterForget makes the image again, and boots an instance of it.
func afterForget(t *testing.T, tr tree, _ int) {
	if tr.run("gate") == nil {
		tr.consistent() // it is the instance that it was
	}
	tr.must("forget")
	if tr.run("gate") == nil {
		t.Error("FreeSWITCH might start with an instance's secrets in an image")
	}
	tr.must("firstboot")
	tr.must("gate")
	tr.consistent()
}

// tree is a machine's file system with a vanilla FreeSWITCH.
type tree struct {
	t      *testing.T
	dir    string
	base   string // a copy of it as it was before anything
	helper string
}

func newTree(t *testing.T, helper string) tree {
	t.Helper()
	shm, err := os.MkdirTemp("/dev/shm", "crash") // a thousand copies are no work for a disk
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(shm) })
	tr := tree{t, filepath.Join(shm, "tree"), filepath.Join(shm, "base"), helper}
	for _, dir := range []string{"etc/systemd/system/multi-user.target.wants", "etc/freeswitch", "root", "var/lib", "usr/local/sbin", "lib/systemd/system", "run/cloud-init"} {
		if err := os.MkdirAll(filepath.Join(tr.base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// The files that are edited, and what leads to them: the 190 others would only
	// be read, a thousand times.
	const vanilla = "../../shared/data/vanilla-conf-1.10.12"
	for _, name := range []string{"freeswitch.xml", "vars.xml", "autoload_configs/event_socket.conf.xml", "autoload_configs/sofia.conf.xml", "sip_profiles/internal.xml", "sip_profiles/external-ipv6.xml", "directory/default/1000.xml", "directory/default.xml"} {
		b, err := os.ReadFile(filepath.Join(vanilla, name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(tr.base, "etc/freeswitch", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o640)); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{
		"run/cloud-init/.instance-id":           "i-0123456789abcdef0\n",
		"lib/systemd/system/freeswitch.service": "[Service]\n",
		"etc/passwd":                            "root:x:0:0:root:/root:/bin/sh\n",
		traces[0]:                               "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n",
		traces[1]:                               "a call\n",
		traces[2]:                               "a registration\n",
	} {
		path = filepath.Join(tr.base, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	copyTree(t, tr.base, tr.dir)
	return tr
}

const adminFile = "home/alice/.fs_cli_conf"

// withAdmin gives a baked tree an admin user, who has a home.
func (tr tree) withAdmin() {
	tr.t.Helper()
	const uid = 1001
	home, plan := filepath.Join(tr.dir, filepath.Dir(adminFile)), filepath.Join(tr.dir, "etc/fs-harden/plan.json")
	b, err := os.ReadFile(plan)
	if err == nil {
		err = os.WriteFile(plan, bytes.Replace(b, []byte(`"admin_users": []`), []byte(`"admin_users": ["alice"]`), 1), 0o600)
	}
	if err := errors.Join(err, os.MkdirAll(home, 0o700), os.Chown(home, uid, uid),
		os.WriteFile(filepath.Join(tr.dir, "etc/passwd"), []byte("root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1001::/home/alice:/bin/sh\n"), 0o644)); err != nil {
		tr.t.Fatal(err)
	}
}

// traces are what a bake removes for good.
var traces = [...]string{"etc/freeswitch/tls/wss.pem", "var/log/freeswitch/freeswitch.log", "var/lib/freeswitch/db/core.db"}

// withoutTraces proves that all traces are there, or that all are gone because
// the bake had become final, and then puts them back for a comparison.
func (tr tree) withoutTraces() {
	tr.t.Helper()
	gone := 0
	for _, path := range traces {
		if _, err := os.Lstat(filepath.Join(tr.dir, path)); err != nil {
			gone++
		}
	}
	switch gone {
	case 0:
	case len(traces):
		for _, path := range traces {
			if out, err := exec.Command("cp", "-a", filepath.Join(tr.base, path), filepath.Join(tr.dir, path)).CombinedOutput(); err != nil {
				tr.t.Errorf("%v: %s", err, out)
			}
		}
	default:
		tr.t.Errorf("%d of %d traces are gone", gone, len(traces))
	}
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", from+"/.", to+"/").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func (tr tree) copy() tree {
	tr.t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(tr.base), "copy")
	if err != nil {
		tr.t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", tr.dir+"/.", dir+"/").CombinedOutput(); err != nil {
		tr.t.Fatalf("%v: %s", err, out)
	}
	tr.dir = dir
	return tr
}

func (tr tree) remove() { _ = os.RemoveAll(tr.dir) }

func (tr tree) run(command string) error {
	out, err := exec.Command(tr.helper, command, "--root", tr.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", command, err, out)
	}
	return nil
}

func (tr tree) must(command string) {
	tr.t.Helper()
	if err := tr.run(command); err != nil {
		tr.t.Error(err)
	}
}

// consistent proves that every file holds the same pair of secrets, and that it
// is none of the image.
func (tr tree) consistent() {
	tr.t.Helper()
	read := func(path string, what string) string {
		b, err := os.ReadFile(filepath.Join(tr.dir, path))
		if err != nil {
			tr.t.Error(err)
			return ""
		}
		m := regexp.MustCompile(what).FindSubmatch(b)
		if m == nil || len(m[1]) != 28 {
			tr.t.Errorf("%s holds no secret of 28 characters", path)
			return ""
		}
		return string(m[1])
	}
	sip := read("etc/freeswitch/vars.xml", `default_password=([^"]*)`)
	esl := read("etc/freeswitch/autoload_configs/event_socket.conf.xml", `name="password" value="([^"]*)"`)
	if sip != read("root/freeswitch-credentials.txt", `sip_default_password = (\S*)`) ||
		esl != read("root/freeswitch-credentials.txt", `event_socket_password = (\S*)`) ||
		esl != read("etc/fs_cli.conf", `password => (\S*)`) {
		tr.t.Error("the files hold different secrets")
	}
	if _, err := os.Stat(filepath.Join(tr.dir, filepath.Dir(adminFile))); err == nil && esl != read(adminFile, `password => (\S*)`) {
		tr.t.Error("the admin user's file holds another secret")
	}
	if err := filepath.WalkDir(tr.dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".fs-harden-aside-") {
			tr.t.Errorf("what was removed is still there: %s", p)
		}
		if err == nil && strings.Contains(d.Name(), ".fs-harden-tmp-") {
			if b, _ := os.ReadFile(p); bytes.Contains(b, []byte(sip)) || bytes.Contains(b, []byte(esl)) {
				tr.t.Errorf("a temporary file with a secret was left: %s", p)
			}
		}
		return err
	}); err != nil {
		tr.t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(tr.dir, "var/lib/fs-harden/pending.json")); !errors.Is(err, fs.ErrNotExist) {
		tr.t.Error("the secrets in clear were kept")
	}
}

// differences compares with the tree before anything.
func (tr tree) differences() string {
	out, err := exec.Command("diff", "-r", "--no-dereference", tr.base, tr.dir).CombinedOutput()
	if err == nil {
		return ""
	}
	return string(out)
}
