package harden

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

func TestTheTableIsLoadedAtBoot(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	unit := tr.read("/etc/systemd/system/fs-harden-nft.service")
	for _, want := range []string{"ExecStart=/usr/sbin/nft -f /etc/fs-harden/nftables.nft\n", "Before=fail2ban.service", "After=nftables.service\nPartOf=nftables.service\n"} {
		if !strings.Contains(unit, want) {
			t.Errorf("the unit lacks %q", want)
		}
	}
	for _, wants := range []string{"sysinit.target.wants", "nftables.service.wants"} {
		if to, err := os.Readlink(tr.path("/etc/systemd/system/" + wants + "/fs-harden-nft.service")); err != nil || to != "/etc/systemd/system/fs-harden-nft.service" {
			t.Errorf("%s: %q, %v", wants, to, err)
		}
	}
	if rules := tr.read("/etc/fs-harden/nftables.nft"); !strings.Contains(rules, "udp dport { 5060, 5080 }") {
		t.Error("the rules do not know the vanilla ports")
	}
	tr.read("/etc/fail2ban/action.d/fs-harden.py")
}

func TestWhatIsNotWantedIsNotWrittenAndGoes(t *testing.T) {
	const rules, action, link = "/etc/fs-harden/nftables.nft", "/etc/fail2ban/action.d/fs-harden.py", "/etc/systemd/system/sysinit.target.wants/fs-harden-nft.service"
	for name, tt := range map[string]struct {
		plan  func(*plan.Plan)
		there []string
		limit bool
	}{
		"all":             {func(*plan.Plan) {}, []string{rules, action, link}, true},
		"limits only":     {func(p *plan.Plan) { p.SkipFail2ban = true }, []string{rules, link}, true},
		"iptables":        {func(p *plan.Plan) { p.Fail2ban.BanAction = "iptables-allports" }, []string{rules, link}, true},
		"bans only":       {func(p *plan.Plan) { p.RateLimit.Enabled = false }, []string{rules, action, link}, false},
		"nothing of this": {func(p *plan.Plan) { p.RateLimit.Enabled, p.SkipFail2ban = false, true }, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fresh, second := newTree(t), newTree(t)
			second.apply() // with everything, and now it is taken back
			p := plan.Default()
			tt.plan(p)
			for _, tr := range []tree{fresh, second} {
				rep, err := tr.runner().Apply(t.Context(), p, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range []string{rules, action, link} {
					if _, err := os.Lstat(tr.path(f)); (err == nil) != slices.Contains(tt.there, f) {
						t.Errorf("%s: %v", f, err)
					}
				}
				if slices.Contains(tt.there, rules) && strings.Contains(tr.read(rules), "limited_invite") != tt.limit {
					t.Error("limits in the rules:", !tt.limit)
				}
				for _, c := range slices.Concat(checksOf(rep, "rate-limit"), checksOf(mustVerify(t, tr), "rate-limit")) {
					if want := map[bool]report.CheckStatus{true: report.CheckDeferred, false: report.CheckSkipped}[tt.there != nil]; c.Status != want {
						t.Errorf("check %+v, want %s", c, want)
					}
				}
			}
		})
	}
}

// FreeSWITCH was told another port, nobody told the kernel.
func TestAPortThatTheRulesDoNotKnowFailsTheCheck(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	tr.write("/etc/freeswitch/sip_profiles/site.xml", siteProfile)
	rep, err := tr.runner().Verify(t.Context())
	if err == nil {
		t.Error("verify was content")
	}
	if c := checksOf(rep, "rate-limit"); len(c) != 1 || c[0].Status != report.Fail || !strings.Contains(c[0].Detail, "run fs-harden apply") {
		t.Errorf("got %+v", c)
	}
}

func checksOf(rep *report.Report, step string) []report.Check {
	for _, s := range rep.Steps {
		if s.Name == step {
			return s.Checks
		}
	}
	return nil
}

func mustVerify(t *testing.T, tr tree) *report.Report {
	t.Helper()
	rep, err := tr.runner().Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}
