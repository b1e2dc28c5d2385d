package harden

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fail2ban"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// The path that FreeSWITCH writes, that the jail reads and that each boot makes
// is one, in every layout.
func TestAuthLogInEachLayout(t *testing.T) {
	for conf, log := range map[string]string{
		"/etc/freeswitch":                      "/var/log/freeswitch/fs-harden-auth.log",
		"/usr/local/freeswitch/conf":           "/usr/local/freeswitch/log/fs-harden-auth.log",
		"/usr/local/freeswitch/etc/freeswitch": "/usr/local/freeswitch/var/log/freeswitch/fs-harden-auth.log",
	} {
		t.Run(conf, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			if conf != "/etc/freeswitch" {
				if err := os.MkdirAll(tr.path(conf+"/.."), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(tr.path("/etc/freeswitch"), tr.path(conf)); err != nil {
					t.Fatal(err)
				}
			}
			rep := tr.apply()
			if rep.FailedChecks() > 0 {
				t.Errorf("%+v", rep)
			}
			for file, want := range map[string]string{
				conf + "/autoload_configs/logfile.conf.xml": `<param name="logfile" value="` + log + `"/>`,
				"/etc/fail2ban/jail.d/fs-harden.local":      "logpath  = " + log + "\n",
				tmpfilesPath:                                "f " + log + " 0640 ",
			} {
				if !strings.Contains(tr.read(file), want) {
					t.Errorf("%s lacks %q:\n%s", file, want, tr.read(file))
				}
			}
			for _, made := range []string{log, fail2ban.Log} {
				if info, err := os.Stat(tr.path(made)); err != nil || info.Mode() != 0o640 {
					t.Errorf("%s: %v %v", made, info, err)
				}
			}
		})
	}
}

// A log is kept, and so is its folder behind a link; what FreeSWITCH logged while
// the image was made is not.
func TestAuthLogKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.write("/data/log/fs-harden-auth.log", "a line\n")
	tr.write("/var/log/fail2ban.log", "another\n")
	if err := os.Symlink("/data/log", tr.path("/var/log/freeswitch")); err != nil {
		t.Fatal(err)
	}
	tr.apply()
	if got := tr.read("/data/log/fs-harden-auth.log") + tr.read("/var/log/fail2ban.log"); got != "another\n" {
		t.Errorf("the logs hold %q", got)
	}
	if info, err := os.Lstat(tr.path("/var/log/freeswitch")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link to the log folder is gone")
	}
}

// The user of /etc/passwd owns the folder that the package has not made yet.
func TestLogFolderIsFreeSWITCHs(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	uid, gid := 4711, 4712
	if os.Getuid() != 0 { // who can give a folder to nobody but himself
		uid, gid = os.Getuid(), os.Getgid()
	}
	tr.write("/etc/passwd", tr.read("/etc/passwd")+fmt.Sprintf("freeswitch:x:%d:%d::/var/lib/freeswitch:/bin/false\n", uid, gid))
	tr.apply()
	text := tr.read(tmpfilesPath)
	if !strings.Contains(text, fmt.Sprintf("d /var/log/freeswitch 0750 %d %d -\n", uid, gid)) {
		t.Errorf("%s:\n%s", tmpfilesPath, text)
	}
}

func TestAuthLogWarnsAndRefuses(t *testing.T) {
	const conf = "/etc/freeswitch/autoload_configs/"
	for name, c := range map[string]struct {
		spoil   func(tree)
		warning string
		err     string
	}{
		"mod_logfile is not loaded": {
			spoil: func(tr tree) {
				tr.write(conf+"modules.conf.xml", strings.Replace(tr.read(conf+"modules.conf.xml"), `<load module="mod_logfile"/>`, "", 1))
			},
			warning: "FreeSWITCH does not load mod_logfile",
		},
		"no logfile.conf": {
			spoil:   func(tr tree) { tr.remove(conf + "logfile.conf.xml") },
			warning: "there is no <profiles> in logfile.conf.xml",
		},
		"somebody else's profile": {
			spoil: func(tr tree) {
				tr.write(conf+"logfile.conf.xml", strings.Replace(tr.read(conf+"logfile.conf.xml"), "</profiles>", `<profile name="fs-harden"/></profiles>`, 1))
			},
			err: "is not the one fs-harden writes: remove it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			c.spoil(tr)
			rep, err := tr.runner().Apply(t.Context(), plan.Default(), nil)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(rep.Warnings, func(w string) bool { return strings.Contains(w, c.warning) }) {
				t.Errorf("warnings: %q", rep.Warnings)
			}
		})
	}
}

func TestVerifyFindsAnAlteredLogProfile(t *testing.T) {
	for name, alter := range map[string]func(tree){
		"another level": func(tr tree) {
			p := "/etc/freeswitch/autoload_configs/logfile.conf.xml"
			tr.write(p, strings.Replace(tr.read(p), `value="warning,err"`, `value="err"`, 1))
		},
		"the log removed":     func(tr tree) { tr.remove("/var/log/freeswitch/fs-harden-auth.log") },
		"the filter removed":  func(tr tree) { tr.remove("/etc/fail2ban/filter.d/fs-harden.conf") },
		"a jail switched off": func(tr tree) { tr.write("/etc/fail2ban/jail.d/fs-harden.local", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			tr.apply()
			m := tr.machine(plan.Default())
			if c := append(checkAuthLog(t.Context(), m), checkJails(t.Context(), m)...); slices.ContainsFunc(c, failed) {
				t.Fatalf("before: %+v", c)
			}
			alter(tr)
			m = tr.machine(plan.Default())
			if c := append(checkAuthLog(t.Context(), m), checkJails(t.Context(), m)...); !slices.ContainsFunc(c, failed) {
				t.Errorf("not found: %+v", c)
			}
		})
	}
}

func failed(c report.Check) bool { return c.Status == report.Fail }
