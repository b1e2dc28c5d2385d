package harden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/apt"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fail2ban"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// neededPackages are what the plan's defence calls, on any of the releases.
//
// python3-systemd is only recommended by fail2ban there, and without it the
// jail over the journal stops the whole server; nft and iptables are only
// recommended too, and without them a ban is a line in a log. rsyslog is not
// among them: the jails read files that FreeSWITCH and fail2ban write
// themselves, and the journal.
func neededPackages(p *plan.Plan) []string {
	var need []string
	if !p.SkipFail2ban {
		need = append(need, "fail2ban", "python3-systemd")
	}
	if (!p.SkipFail2ban && p.Fail2ban.BanAction == "nftables") || p.RateLimit.Enabled {
		need = append(need, "nftables")
	}
	if !p.SkipFail2ban && p.Fail2ban.BanAction == "iptables-allports" {
		need = append(need, "iptables")
	}
	if !p.SkipFirewall {
		need = append(need, "ufw")
	}
	return need
}

// lackingPackages are those of the needed ones that are not installed.
func lackingPackages(m *Machine) ([]string, error) {
	have, err := apt.Installed(m)
	if errors.Is(err, fs.ErrNotExist) {
		have = nil // a bare tree has no packages
	} else if err != nil {
		return nil, err
	}
	if !m.Plan.SkipFail2ban {
		if err := usableFail2ban(have); err != nil {
			return nil, err
		}
	}
	var lack []string
	for _, name := range neededPackages(m.Plan) {
		if _, ok := have[name]; !ok {
			lack = append(lack, name)
		}
	}
	return lack, nil
}

// brokenFail2ban is the first build for Ubuntu 24.04, whose Python has no
// module asynchat any more (launchpad bug 2055114).
const brokenFail2ban = "1.0.2-3"

func usableFail2ban(versions map[string]string) error {
	if versions["fail2ban"] == brokenFail2ban {
		return fmt.Errorf("fail2ban %s cannot start on Ubuntu 24.04 (No module named 'asynchat'): 1.0.2-3ubuntu0.1 or later is needed; enable noble-updates (universe) in apt's sources, run apt-get update and apt-get install fail2ban, and run this again", brokenFail2ban)
	}
	return nil
}

func packages(_ context.Context, m *Machine) (Proposal, error) {
	need := neededPackages(m.Plan)
	if len(need) == 0 {
		return Proposal{Status: report.Skipped, Reason: "not wanted"}, nil
	}
	lack, err := lackingPackages(m)
	if err != nil {
		return Proposal{}, err
	}
	switch {
	case len(lack) == 0:
		return Proposal{Reason: "installed: " + strings.Join(need, ", ")}, nil
	case m.Rooted():
		m.Warn("not installed in this tree: %s; install them before it is booted: their configuration is written all the same", strings.Join(lack, ", "))
		return Proposal{Status: report.Deferred, Reason: "to be installed: " + strings.Join(lack, ", ") + "; " + m.WhyNot}, nil
	}
	a := &apt.Install{Host: m.Host, Packages: lack, Live: m.Live, Refuse: usableFail2ban}
	if slices.Contains(lack, "fail2ban") {
		a.Mask = []string{fail2ban.Unit} // it would start with half of its configuration
	}
	return Proposal{
		Reason:  "installed: " + strings.Join(lack, ", "),
		Actions: []Action{{Name: "installing " + strings.Join(lack, ", "), Do: a.Do, Undo: a.Undo}},
	}, nil
}

func checkPackages(_ context.Context, m *Machine) []report.Check {
	c := report.Check{Name: "packages", Status: report.Pass, Detail: "installed: " + strings.Join(neededPackages(m.Plan), ", ")}
	if len(neededPackages(m.Plan)) == 0 {
		return nil
	}
	lack, err := lackingPackages(m)
	switch {
	case err != nil:
		c.Status, c.Detail = report.Fail, err.Error()
	case len(lack) > 0 && m.Rooted():
		c.Status, c.Detail = report.CheckDeferred, "to be installed: "+strings.Join(lack, ", ")
	case len(lack) > 0:
		c.Status, c.Detail = report.Fail, "not installed: "+strings.Join(lack, ", ")+"; run fs-harden apply"
	}
	return []report.Check{c}
}
