package harden

import (
	"slices"
	"strings"
	"testing"

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
	tr.write("/var/lib/dpkg/status", dpkgSome)
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
	tr.write("/var/lib/dpkg/status", strings.Replace(dpkgSome, "1.0.2-2", "1.0.2-3", 1))
	before := tr.snapshot()
	_, err := tr.runner().Apply(t.Context(), plan.Default(), nil)
	if err == nil || !strings.Contains(err.Error(), "enable noble-updates") {
		t.Errorf("error %v", err)
	}
	if d := differences(before, tr.snapshot()); len(d) > 0 {
		t.Errorf("touched: %s", d)
	}
	tr.write("/var/lib/dpkg/status", strings.Replace(dpkgSome, "1.0.2-2", "1.0.2-3ubuntu0.1", 1))
	tr.apply()
}
