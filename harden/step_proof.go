package harden

import (
	"context"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fail2ban"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/listen"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/proof"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// nothing is the proposal of a step that only looks.
func nothing(context.Context, *Machine) (Proposal, error) { return Proposal{}, nil }

// checkProof puts the defence as a whole to the test.
func checkProof(ctx context.Context, m *Machine) []report.Check {
	return append([]report.Check{checkFilter(ctx, m)}, checkBans(ctx, m)...)
}

// checkFilter runs fail2ban's own filter over the log of this machine.
func checkFilter(ctx context.Context, m *Machine) report.Check {
	c := report.Check{Name: "filter-on-log"}
	log := authLog(m)
	switch {
	case m.Plan.SkipFail2ban:
		c.Status, c.Detail = report.CheckSkipped, "fail2ban is not wanted"
	case !m.Live:
		c.Status, c.Detail = report.CheckDeferred, m.WhyNot
	case !m.Exists(log):
		c.Status, c.Detail = report.CheckSkipped, "there is no "+log+" yet"
	default:
		var err error
		c.Status = report.Pass
		if c.Detail, err = proof.Filter(ctx, m.Host, log); err != nil {
			c.Status, c.Detail = report.Fail, err.Error()
		}
	}
	return c
}

// checkBans tries a ban in each family, where that can be done from here.
func checkBans(ctx context.Context, m *Machine) []report.Check {
	if m.Plan.SkipFail2ban {
		return proof.Both(report.CheckSkipped, "fail2ban is not wanted")
	}
	if why := deaf(m); why != "" {
		return proof.Both(report.CheckDeferred, why)
	}
	if !hasCapability(m, capSysAdmin) {
		return proof.Both(report.CheckSkipped, "this machine may not make a network namespace to send from (no CAP_SYS_ADMIN)")
	}
	c, err := m.Config()
	if err != nil {
		return proof.Both(report.Fail, err.Error())
	}
	open, err := listen.Read(c, m.Plan)
	if err != nil {
		return proof.Both(report.Fail, err.Error())
	}
	return proof.Bans(ctx, banProof(m, open))
}

// banProof is what the proof of bans goes by.
func banProof(m *Machine, open listen.Ports) proof.Machine {
	return proof.Machine{
		Host:    m.Host,
		Table:   fail2ban.UsesTable(m.Plan),
		Trusted: m.Plan.Sources().Unbanned(),
		SIP:     open.SIP,
	}
}
