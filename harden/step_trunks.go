package harden

import (
	"context"
	"fmt"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/trunk"
)

// trunks has each SIP profile that the plan has trunks for answer those alone. What
// an earlier plan had of them goes.
func trunks(_ context.Context, m *Machine) (Proposal, error) {
	c, err := m.Config()
	if err != nil {
		return Proposal{}, err
	}
	wanted := m.Plan.Sources().Trunks
	after, changed, err := trunk.Set(c, wanted)
	if err != nil {
		return Proposal{}, err
	}
	for _, name := range trunkProfiles(m.Plan) {
		if v, _ := c.Value(fsxml.Profile(name), "auth-calls"); v != "" && v != "false" {
			m.Warn("the SIP profile %s asked callers for passwords (auth-calls): it has trunks now, which are known by their addresses, and refuses everybody else; phones need another profile", name)
		}
	}
	if open := trunk.Open(c, wanted); len(wanted) > 0 && len(open) > 0 {
		m.Warn("SIP profiles that have no trunk and ask callers for no password: %s. They take calls from whoever reaches them: give each a trunk, or remove it", strings.Join(shorten(open), ", "))
	}
	untold, more := trunk.Untold(c, wanted)
	for _, g := range untold {
		for _, line := range g.Proposal() {
			m.Warn("%s", line)
		}
	}
	if more > 0 {
		m.Warn("%d more SIP profiles have gateways that no trunk names", more)
	}
	profiles := trunkProfiles(m.Plan)
	summary := "no profile has trunks any more"
	if len(profiles) > 0 {
		summary = "answered are the trunks of " + strings.Join(shorten(profiles), ", ") + " alone"
	}
	if len(changed) > 0 && m.Live && !m.Image && m.Runs(freeswitchComm) {
		m.Warn("FreeSWITCH runs, and goes by its old access lists until it is told: fs_cli -x reloadacl, then fs_cli -x \"sofia profile NAME rescan\" for each profile; or fs-harden rotate")
	}
	p, err := m.configChanges(after, changed, summary, secret.Value{})
	switch {
	case err != nil:
		return Proposal{}, err
	case len(profiles) == 0 && len(changed) == 0:
		return Proposal{Status: report.Skipped, Reason: "no trunk is named"}, nil
	case len(profiles) > 0:
		p.Reason = "profiles: " + strings.Join(shorten(profiles), ", ")
	}
	return p, nil
}

// trunkProfiles are the names of the profiles that answer their trunks alone.
func trunkProfiles(p *plan.Plan) []string {
	var names []string
	for _, t := range p.Sources().Trunks {
		names = append(names, t.Profile)
	}
	return names
}

func checkTrunks(_ context.Context, m *Machine) []report.Check {
	c := report.Check{Name: "trunks-alone", Status: report.Pass}
	wanted := m.Plan.Sources().Trunks
	if len(wanted) == 0 {
		c.Status, c.Detail = report.CheckSkipped, "no trunk is named"
		return []report.Check{c}
	}
	cfg, err := m.Config()
	if err == nil {
		err = trunk.Check(cfg, wanted)
	}
	if err != nil {
		c.Status, c.Detail = report.Fail, err.Error()+"; run fs-harden apply"
		return []report.Check{c}
	}
	c.Detail = fmt.Sprintf("FreeSWITCH takes calls of their trunks alone, and no registration, on %s", strings.Join(shorten(trunkProfiles(m.Plan)), ", "))
	return []report.Check{c}
}
