package harden

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/ufw"
)

func (tr tree) machine(p *plan.Plan) *Machine {
	return &Machine{View: host.NewView(tr.runner().Host), Plan: p, ConfDir: "/etc/freeswitch", Phase: report.Bake, WhyNot: "a test", warn: func(string) {}}
}

func TestTheFirewallOfATree(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  map[string]string // path and what stands in it
	}{
		"before the package": {
			want: map[string]string{ufw.Conf: "\nENABLED=yes\n", "/etc/ufw/user.rules": "-A ufw-user-input -p tcp --dport 22 -j ACCEPT"},
		},
		"with the package": {
			files: map[string]string{
				ufw.Conf:     "# theirs\nENABLED=no\nLOGLEVEL=off\n",
				ufw.Defaults: "IPV6=no\nDEFAULT_INPUT_POLICY=\"ACCEPT\"\nDEFAULT_OUTPUT_POLICY=\"DROP\"\nDEFAULT_FORWARD_POLICY=\"ACCEPT\"\nMANAGE_BUILTINS=yes\n",
			},
			want: map[string]string{
				ufw.Conf:     "# theirs\nENABLED=yes\nLOGLEVEL=off\n",
				ufw.Defaults: "IPV6=yes\nDEFAULT_INPUT_POLICY=\"DROP\"\nDEFAULT_OUTPUT_POLICY=\"ACCEPT\"\nDEFAULT_FORWARD_POLICY=\"ACCEPT\"\nMANAGE_BUILTINS=no\n",
			},
		},
		"sshd elsewhere": {
			files: map[string]string{"/etc/ssh/sshd_config": "Port 2222\n"},
			want:  map[string]string{"/etc/ufw/user6.rules": "-A ufw6-user-input -p tcp --dport 2222 -j ACCEPT"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			for p, text := range c.files {
				tr.write(p, text)
			}
			rep := tr.apply()
			for p, want := range c.want {
				if got := tr.read(p); !strings.Contains(got, want) {
					t.Errorf("%s lacks %q:\n%s", p, want, got)
				}
			}
			if _, exists := c.files[ufw.Defaults]; !exists {
				if _, err := os.Lstat(tr.path(ufw.Defaults)); err == nil {
					t.Errorf("%s was written before its package: dpkg will stop and ask", ufw.Defaults)
				}
			}
			if link, err := os.Readlink(tr.path(ufw.Link)); err != nil || link != ufw.Unit {
				t.Errorf("ufw.service is not enabled: %s %v", link, err)
			}
			checks := map[string]report.CheckStatus{}
			for _, st := range rep.Steps {
				for _, ch := range st.Checks {
					checks[ch.Name] = ch.Status
				}
			}
			if checks["firewall-files"] != report.Pass || checks["firewall"] != report.CheckDeferred {
				t.Errorf("checks: %v", checks)
			}
		})
	}
}

func TestSkipFirewallTouchesNothing(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	p := plan.Default()
	p.SkipFirewall = true
	if _, err := tr.runner().Apply(context.Background(), p, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/etc/ufw", ufw.Defaults, ufw.Link} {
		if _, err := os.Lstat(tr.path(path)); err == nil {
			t.Errorf("%s was written", path)
		}
	}
}

func TestVerifySeesAFirewallThatWillNotComeUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(tree)
		want  string
	}{
		"disabled": {func(tr tree) { tr.write(ufw.Conf, "ENABLED=no\n") }, "ufw enable"},
		"no rules": {func(tr tree) { tr.remove("/etc/ufw/user6.rules") }, "user6.rules"},
		"a rule less": {func(tr tree) {
			tr.write("/etc/ufw/user.rules", strings.ReplaceAll(tr.read("/etc/ufw/user.rules"), "tcp 22", "tcp 23"))
		}, "does not let in 22/tcp"},
		"not enabled":     {func(tr tree) { tr.remove(ufw.Link) }, "systemctl enable ufw"},
		"masked":          {func(tr tree) { _ = os.Symlink("/dev/null", tr.path(ufw.Mask)) }, "masked"},
		"no IPv6":         {func(tr tree) { tr.write(ufw.Defaults, "IPV6=no\nDEFAULT_INPUT_POLICY=DROP\n") }, "IPV6=no"},
		"another policy":  {func(tr tree) { tr.write(ufw.Defaults, "IPV6=yes\nDEFAULT_INPUT_POLICY=ACCEPT\n") }, "ACCEPT"},
		"sshd moved away": {func(tr tree) { tr.write("/etc/ssh/sshd_config", "Port 2222\n") }, "does not let in 2222/tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			tr.apply()
			c.spoil(tr)
			m := tr.machine(plan.Default())
			for _, ch := range checkFirewall(context.Background(), m) {
				if ch.Name == "firewall-files" {
					if ch.Status != report.Fail || !strings.Contains(ch.Detail, c.want) {
						t.Errorf("%+v, want a failure with %q", ch, c.want)
					}
					return
				}
			}
			t.Error("no check of the files")
		})
	}
}
