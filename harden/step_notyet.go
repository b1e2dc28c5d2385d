package harden

import (
	"context"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

func skipFail2ban(p *plan.Plan) bool  { return p.SkipFail2ban }
func skipRateLimit(p *plan.Plan) bool { return !p.RateLimit.Enabled }
func skipFirewall(p *plan.Plan) bool  { return p.SkipFirewall }

// notYet is a step for an option that is understood and validated but has no
// work behind it in this release.
func notYet(what string, unwanted func(*plan.Plan) bool) func(context.Context, *Machine) (Proposal, error) {
	return func(_ context.Context, m *Machine) (Proposal, error) {
		if unwanted(m.Plan) {
			return Proposal{Status: report.Skipped, Reason: "not wanted"}, nil
		}
		m.Warn("%s: not part of this release; this image does not have it", what)
		return Proposal{Status: report.Skipped, Reason: "not part of this release"}, nil
	}
}
