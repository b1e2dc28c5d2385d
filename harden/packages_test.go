package harden

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

func TestNeededPackages(t *testing.T) {
	for name, c := range map[string]struct {
		plan func(*plan.Plan)
		want string
	}{
		"an empty plan":  {func(*plan.Plan) {}, "fail2ban python3-systemd nftables ufw"},
		"by iptables":    {func(p *plan.Plan) { p.Fail2ban.BanAction = "iptables-allports" }, "fail2ban python3-systemd nftables iptables ufw"},
		"iptables only":  {func(p *plan.Plan) { p.Fail2ban.BanAction = "iptables-allports"; p.RateLimit.Enabled = false }, "fail2ban python3-systemd iptables ufw"},
		"no firewall":    {func(p *plan.Plan) { p.SkipFirewall = true }, "fail2ban python3-systemd nftables"},
		"no fail2ban":    {func(p *plan.Plan) { p.SkipFail2ban = true }, "nftables ufw"},
		"nothing at all": {func(p *plan.Plan) { p.SkipFail2ban, p.SkipFirewall, p.RateLimit.Enabled = true, true, false }, ""},
	} {
		p := plan.Default()
		c.plan(p)
		if got := strings.Join(neededPackages(p), " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

const dpkgSome = `Package: fail2ban
Status: install ok installed
Version: 1.0.2-2

Package: ufw
Status: deinstall ok config-files
Version: 0.36.2-1

Package: nftables
Status: hold ok installed
Description: a text
 Package: python3-systemd
Version: 1.0.6-2+deb12u2
`

func TestPackagesOfATreeAreDeferred(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.write(dpkgStatus, dpkgSome)
	rep := tr.apply()
	i := slices.IndexFunc(rep.Steps, func(s report.Step) bool { return s.Name == "packages" })
	if st := rep.Steps[i]; st.Status != report.Deferred || !strings.HasPrefix(st.Reason, "to be installed: python3-systemd, ufw;") {
		t.Errorf("%+v", st)
	}
	if c := rep.Steps[i].Checks; len(c) != 1 || c[0].Status != report.CheckDeferred {
		t.Errorf("checks: %+v", c)
	}
}

func TestUbuntusBrokenFail2banIsRefused(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.write(dpkgStatus, strings.Replace(dpkgSome, "1.0.2-2", "1.0.2-3", 1))
	before := tr.snapshot()
	_, err := tr.runner().Apply(t.Context(), plan.Default(), nil)
	if err == nil || !strings.Contains(err.Error(), "enable noble-updates") {
		t.Errorf("error %v", err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("touched: %s", d)
	}
	tr.write(dpkgStatus, strings.Replace(dpkgSome, "1.0.2-2", "1.0.2-3ubuntu0.1", 1))
	tr.apply()
}

// scripted answers commands, and keeps them. Nothing is run.
type scripted struct {
	ran    []string
	answer func(command string) (string, error)
}

func (s *scripted) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	command := name + " " + strings.Join(args, " ")
	s.ran = append(s.ran, command)
	out, err := s.answer(command)
	return []byte(out), err
}

// aptOn is an aptRun whose commands are answered by script. Which packages are
// installed is read from this very machine, and not changed.
func aptOn(t *testing.T, script *scripted, packages ...string) *aptRun {
	t.Helper()
	h, err := host.Open("/", script)
	if err != nil {
		t.Fatal(err)
	}
	m := &Machine{View: host.NewView(h), Plan: plan.Default()}
	if _, err := m.installed(); err != nil {
		t.Skipf("this machine has no dpkg: %v", err)
	}
	// Live, or the real machine's policy-rc.d would be written.
	m.Live = true
	return &aptRun{m: m, packages: packages, wait: time.Millisecond}
}

const policy = "fail2ban:\n  Installed: (none)\n  Candidate: 1.0.2-2\n  Version table:\n     1.0.2-2 500\nufw:\n  Installed: (none)\n  Candidate: 0.36.2-1\n"

func TestAptInstalls(t *testing.T) {
	locked := 2
	script := &scripted{answer: func(command string) (string, error) {
		switch {
		case strings.HasPrefix(command, "apt-cache policy"):
			return policy, nil
		case strings.Contains(command, " update") && locked > 0:
			locked--
			return "", errors.New("exit status 100: E: Unable to lock directory /var/lib/apt/lists/")
		}
		return "", nil
	}}
	if err := aptOn(t, script, "fail2ban", "ufw").install(t.Context()); err != nil {
		t.Fatal(err)
	}
	var short []string
	for _, c := range script.ran {
		if strings.HasPrefix(c, "apt-get") && !strings.Contains(c, "-q -y -o DPkg::Lock::Timeout=60 ") {
			t.Errorf("without its options: %s", c)
		}
		short = append(short, strings.Replace(c, " "+strings.Join(aptOptions, " "), "", 1))
	}
	want := []string{
		"apt-get update", "apt-get update", "apt-get update", "apt-cache policy fail2ban ufw",
		"apt-get install --no-install-recommends fail2ban ufw --download-only",
		"systemctl mask --runtime fail2ban.service",
		"apt-get install --no-install-recommends fail2ban ufw",
	}
	if !slices.Equal(short, want) {
		t.Errorf("ran:\n%s", strings.Join(short, "\n"))
	}
}

func TestAptRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		packages []string
		answer   func(string) (string, error)
		want     string
	}{
		"a package that is nowhere": {[]string{"fail2ban", "nftables"}, func(string) (string, error) { return policy, nil }, "do not have nftables: add Debian's main"},
		"no candidate": {[]string{"ufw"}, func(string) (string, error) {
			return "ufw:\n  Installed: (none)\n  Candidate: (none)\n", nil
		}, "do not have ufw"},
		"no network": {[]string{"nftables"}, func(c string) (string, error) {
			if strings.Contains(c, "update") {
				return "", errors.New("exit status 100: E: Some index files failed to download")
			}
			return policy, nil
		}, "could not be fetched: exit status 100: E: Some index files"},
		"Ubuntu's broken build": {[]string{"fail2ban"}, func(string) (string, error) {
			return strings.Replace(policy, "1.0.2-2", "1.0.2-3", 1), nil
		}, "enable noble-updates"},
	} {
		script := &scripted{answer: c.answer}
		err := aptOn(t, script, c.packages...).install(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		for _, ran := range script.ran {
			if strings.Contains(ran, " install ") {
				t.Errorf("%s: installed all the same: %s", name, ran)
			}
		}
	}
}

func TestAptPurgesWhatCame(t *testing.T) {
	script := &scripted{answer: func(string) (string, error) { return "", nil }}
	a := aptOn(t, script, "fail2ban")
	if err := a.purge(t.Context()); err != nil || len(script.ran) > 0 {
		t.Errorf("nothing came, and it ran %s, %v", script.ran, err)
	}
	a.came = []string{"fail2ban", "python3-systemd"}
	if err := a.purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(script.ran); n != 1 || !strings.HasSuffix(script.ran[0], " purge fail2ban python3-systemd") {
		t.Errorf("ran %s", script.ran)
	}
}
