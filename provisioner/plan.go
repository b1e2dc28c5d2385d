package provisioner

import (
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// unknown is what Packer hands to the first of its two Prepare calls for a
// string whose value comes later, alone or inside a longer string
// (hcl2template/types.packer_config.go and shim/values.go of Packer 1.15.0).
// An unknown list comes as an empty one. An unknown number comes as 0 and
// cannot be told from one that was written.
const unknown = "<unknown>"

func isUnknown(s string) bool { return strings.Contains(s, unknown) }

// plan is the block as a plan: what it does not say keeps plan.Default's value.
func (c *Config) plan() *plan.Plan {
	p := plan.Default()
	p.SkipFirewall = c.SkipFirewall
	p.KeepRules = c.KeepRules
	p.SkipFail2ban = c.SkipFail2ban
	p.StrictImage = c.StrictImage
	p.CleanupSystem = c.CleanupSystem
	text(&p.ConfDir, c.ConfDir)
	text(&p.ServiceName, c.ServiceName)
	text(&p.SIPBanner, c.SIPBanner)
	text(&p.RTPPortRange, c.RTPPortRange)
	list(&p.AdminUsers, c.AdminUsers)
	list(&p.SIPAllowFrom, c.SIPAllowFrom)
	list(&p.SSHPorts, c.SSHPorts)
	for _, t := range c.Trunks {
		one := plan.Trunk{From: t.From, Profile: plan.TrunkProfile}
		text(&one.Profile, t.Profile)
		p.Trunks[t.Name] = one
	}

	number(&p.Fail2ban.MaxRetry, c.Fail2ban.MaxRetry)
	number(&p.Fail2ban.ChallengeMaxRetry, c.Fail2ban.ChallengeMaxRetry)
	number(&p.Fail2ban.FindTime, c.Fail2ban.FindTime)
	number(&p.Fail2ban.BanTime, c.Fail2ban.BanTime)
	text(&p.Fail2ban.BanAction, c.Fail2ban.BanAction)
	list(&p.Fail2ban.IgnoreIP, c.Fail2ban.IgnoreIP)

	number(&p.Refusals.MaxRetry, c.Refusals.MaxRetry)
	number(&p.Refusals.FindTime, c.Refusals.FindTime)

	number(&p.Recidive.MaxRetry, c.Recidive.MaxRetry)
	number(&p.Recidive.FindTime, c.Recidive.FindTime)
	number(&p.Recidive.BanTime, c.Recidive.BanTime)

	if b := c.RateLimit.Enabled.ToBoolPointer(); b != nil {
		p.RateLimit.Enabled = *b
	}
	return p
}

// known is the configuration without the values that come later, for the
// checks of the first pass.
func (c *Config) known() *Config {
	k := *c
	for _, s := range []*string{
		&k.ConfDir, &k.ServiceName, &k.SIPBanner, &k.RTPPortRange, &k.Report,
		&k.Fail2ban.BanAction, &k.ExecuteCommand, &k.RemoteFolder,
	} {
		if isUnknown(*s) {
			*s = ""
		}
	}
	for _, l := range []*[]string{
		&k.AdminUsers, &k.SIPAllowFrom, &k.Fail2ban.IgnoreIP, &k.EnvironmentVars,
	} {
		*l = slices.DeleteFunc(slices.Clone(*l), isUnknown)
	}
	k.Trunks = knownTrunks(c.Trunks)
	return &k
}

// knownTrunks are the trunks without the values that come later. One whose name is
// unknown, or all that it calls from, is left out: what it lacks is no fault yet.
func knownTrunks(all []Trunk) []Trunk {
	var out []Trunk
	for _, t := range all {
		from := slices.DeleteFunc(slices.Clone(t.From), isUnknown)
		if isUnknown(t.Name) || len(from) == 0 && len(t.From) > 0 {
			continue
		}
		t.From = from
		if isUnknown(t.Profile) {
			t.Profile = ""
		}
		out = append(out, t)
	}
	return out
}

func text(to *string, from string) {
	if from != "" {
		*to = from
	}
}

func number(to *int, from *int) {
	if from != nil {
		*to = *from
	}
}

func list[T any](to *[]T, from []T) {
	if len(from) > 0 {
		*to = from
	}
}
