package harden

import (
	"context"
	"fmt"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

const sipBannerCheck = "sip-banner"

// bannerParams are where a SIP profile says what it is: the header User-Agent of
// requests and answers, with the version (sofia.c:4627); the lines o= and s= of
// an SDP (sofia.c:6191); the user of its own Contact (sofia.c:4669). All three are
// read when the profile starts, and no rescan changes what sofia-sip was told.
var bannerParams = []string{"user-agent-string", "username", "contact-user"}

func sipBanner(_ context.Context, m *Machine) (Proposal, error) {
	baked, err := state.ReadBaked(m.Host)
	if err != nil {
		return Proposal{}, err
	}
	var earlier *state.Banner
	if baked != nil {
		earlier = baked.Banner
	}
	text := m.Plan.SIPBanner
	m.banner = nil
	if text == "" && earlier == nil {
		return Proposal{Status: report.Skipped, Reason: "sip_banner is not set"}, nil
	}
	c, err := m.Config()
	if err != nil {
		return Proposal{}, err
	}
	if text == "" {
		return m.takeBanner(c, earlier)
	}
	m.banner = beforeBanner(c, text, earlier)
	profiles := c.Profiles()
	e := c.Edit()
	for _, profile := range profiles {
		for _, param := range bannerParams {
			if err := e.SetParam(fsxml.Profile(profile), param, text); err != nil {
				return Proposal{}, err
			}
		}
	}
	p, err := m.edits(e, "calls itself "+text, secret.Value{})
	p.Reason = "from its next start on FreeSWITCH calls itself " + text + "; profiles: " + strings.Join(shorten(profiles), ", ")
	return p, err
}

// beforeBanner remembers what stands where the banner goes, so that it can be put
// back. What an earlier banner stands in place of is known already.
func beforeBanner(c *fsxml.Config, text string, earlier *state.Banner) *state.Banner {
	banner := &state.Banner{Text: text, Before: map[string]map[string]string{}}
	for _, profile := range c.Profiles() {
		for _, param := range bannerParams {
			value, found := c.Value(fsxml.Profile(profile), param)
			if found && earlier != nil && value == earlier.Text {
				value, found = earlier.Before[profile][param]
			}
			if !found {
				continue
			}
			if banner.Before[profile] == nil {
				banner.Before[profile] = map[string]string{}
			}
			banner.Before[profile][param] = value
		}
	}
	return banner
}

// takeBanner puts back what was there before the banner. What somebody has
// changed since then stays.
func (m *Machine) takeBanner(c *fsxml.Config, banner *state.Banner) (Proposal, error) {
	e := c.Edit()
	for _, profile := range c.Profiles() {
		place := fsxml.Profile(profile)
		for _, param := range bannerParams {
			if value, found := c.Value(place, param); !found || value != banner.Text {
				continue
			}
			var err error
			if before, had := banner.Before[profile][param]; had {
				err = e.SetParam(place, param, before)
			} else {
				err = e.RemoveParam(place, param, banner.Text)
			}
			if err != nil {
				return Proposal{}, err
			}
		}
	}
	p, err := m.edits(e, "calls itself as it did before sip_banner", secret.Value{})
	p.Reason = "sip_banner is no longer set"
	return p, err
}

func checkSIPBanner(_ context.Context, m *Machine) []report.Check {
	text := m.Plan.SIPBanner
	if text == "" {
		return nil
	}
	c, err := m.Config()
	if err != nil {
		return []report.Check{{Name: sipBannerCheck, Status: report.Fail, Detail: err.Error()}}
	}
	var others []string
	profiles := c.Profiles()
	for _, profile := range profiles {
		for _, param := range bannerParams {
			if value, _ := c.Value(fsxml.Profile(profile), param); value != text {
				others = append(others, profile+" ("+param+")")
			}
		}
	}
	if len(others) > 0 {
		return []report.Check{{Name: sipBannerCheck, Status: report.Fail, Detail: "says something else than " + text + ": " + strings.Join(shorten(others), ", ") + "; run fs-harden apply, then restart FreeSWITCH"}}
	}
	return []report.Check{{Name: sipBannerCheck, Status: report.Pass, Detail: fmt.Sprintf("%s in all %d profiles", text, len(profiles))}}
}
