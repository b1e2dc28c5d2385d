package harden

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

func TestFail2banAdvises(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.write("/etc/fail2ban/jail.local", "[DEFAULT]\nignoreip = 192.0.2.1\n")
	p := plan.Default()
	p.Recidive.FindTime = 86400 // the baseline's
	rep, err := tr.runner().Apply(t.Context(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"so the longer ban never comes: make it more than 172800", "/etc/fail2ban/jail.local sets ignoreip"} {
		if !slices.ContainsFunc(rep.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("no warning says %q: %q", want, rep.Warnings)
		}
	}
}

func TestSkippedFail2banWritesNothing(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	p := plan.Default()
	p.SkipFail2ban = true
	if _, err := tr.runner().Apply(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/etc/fail2ban/jail.d", "/etc/tmpfiles.d/fs-harden.conf", "/var/log/fail2ban.log"} {
		if _, err := os.Lstat(tr.path(path)); err == nil {
			t.Errorf("%s was made", path)
		}
	}
	if strings.Contains(tr.read("/etc/freeswitch/autoload_configs/logfile.conf.xml"), "fs-harden") {
		t.Error("the log profile was put in")
	}
}
