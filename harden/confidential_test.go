package harden

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// Who reads a file with a secret afterwards: FreeSWITCH does, others do not.
func TestClosedToOthers(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/sh\nfreeswitch:x:990:980::/var/lib/freeswitch:/bin/false\npbx:x:70:70::/srv:/bin/false\n"
	const noUser = "root:x:0:0:root:/root:/bin/sh\n"
	for name, c := range map[string]struct {
		passwd   string
		unit     string
		mode     fs.FileMode
		uid, gid int
		want     fs.FileMode
		wantGID  int
	}{
		"a build from source":       {passwd, "", 0o644, 0, 0, 0o640, 980},
		"FreeSWITCH's own":          {passwd, "", 0o644, 990, 980, 0o640, 980},
		"FreeSWITCH's, other group": {passwd, "", 0o604, 990, 0, 0o600, 0},
		"somebody else's":           {passwd, "", 0o604, 1000, 1000, 0o640, 980},
		"closed already":            {passwd, "", 0o640, 0, 0, 0o640, 0},
		"root's unit":               {noUser, "", 0o644, 0, 0, 0o640, 0},
		"root's unit, other owner":  {noUser, "", 0o604, 1000, 1000, 0o600, 1000},
		"by User=":                  {passwd, "User=pbx\nExecStart=/usr/bin/freeswitch", 0o604, 0, 0, 0o640, 70},
		"by User= and Group=":       {passwd, "User=pbx\nGroup=voice\nExecStart=/usr/bin/freeswitch", 0o604, 0, 0, 0o640, 81},
		"by numbers":                {noUser, "User=71\nGroup=82\nExecStart=/usr/bin/freeswitch", 0o604, 0, 0, 0o640, 82},
		"by -u and -g":              {passwd, "ExecStart=/usr/bin/freeswitch -u pbx -g voice", 0o604, 0, 0, 0o640, 81},
		"by a script of his":        {passwd, "User=pbx\nExecStart=/srv/start", 0o604, 70, 70, 0o600, 70},
		"by a script of nobody's":   {noUser, "ExecStart=/srv/start", 0o644, 0, 0, 0, 0},
		"by a user of no account":   {passwd, "User=gone\nExecStart=/usr/bin/freeswitch", 0o644, 0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTree(t)
			tr.write("/etc/passwd", c.passwd)
			tr.write("/etc/group", "root:x:0:\nvoice:x:81:\n")
			if c.unit != "" {
				tr.write("/lib/systemd/system/freeswitch.service", "[Service]\n"+c.unit+"\n")
			}
			m := &Machine{View: host.NewView(tr.runner().Host), Plan: plan.Default()}
			got, err := m.closed(host.Node{Kind: host.File, Mode: c.mode, UID: c.uid, GID: c.gid})
			if c.want == 0 {
				if err == nil || !strings.Contains(err.Error(), "chmod o= it") {
					t.Errorf("nobody knows who reads it, and the error is %v", err)
				}
				return
			}
			if err != nil || got.Mode != c.want || got.GID != c.wantGID || got.UID != c.uid {
				t.Errorf("%04o %d:%d, %v; want %04o %d:%d", got.Mode, got.UID, got.GID, err, c.want, c.uid, c.wantGID)
			}
		})
	}
}

// The bake closes what a build from source left open, its second run has nothing
// to do, and verify tells who opened it again.
func TestTheConfigurationIsClosed(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nfreeswitch:x:990:980::/var/lib/freeswitch:/bin/false\n")
	files := []string{tr.path("/etc/freeswitch/vars.xml"), tr.path("/etc/freeswitch/autoload_configs/event_socket.conf.xml")}
	open := func() {
		for _, f := range files {
			if err := os.Chmod(f, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	closed := func(when string) {
		t.Helper()
		for _, f := range files {
			if info, err := os.Stat(f); err != nil || info.Mode() != 0o640 {
				t.Errorf("%s: %s is %v, %v", when, f, info.Mode(), err)
			}
		}
	}
	open()
	tr.apply()
	closed("after the bake")
	tr.instance("i-0123456789abcdef0")
	tr.firstboot()
	closed("after the first boot")
	open()
	if rep, err := tr.runner().Verify(t.Context()); err == nil || failedIn(rep) != "configuration-closed" {
		t.Errorf("verify tells %q, %v", failedIn(rep), err)
	}
	tr.apply()
	closed("after another bake")
	if c := checksOf(mustVerify(t, tr), "configuration-access"); len(c) != 1 || c[0].Status != report.Pass {
		t.Errorf("verify says %+v", c)
	}

	// And before it writes what others must not read.
	open()
	r := tr.runner()
	r.fault = func(step string) error {
		if step == "sip-password" {
			closed("as the secret is written")
			return errors.New("far enough")
		}
		return nil
	}
	tr.remove("/run/cloud-init/.instance-id")
	tr.instance("i-0fedcba9876543210")
	if _, err := r.FirstBoot(t.Context()); err == nil {
		t.Error("the step did not run")
	}
}
