package harden

import (
	"context"
	"fmt"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/marked"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

const (
	sipBannerCheck = "sip-banner"
	bannerOption   = "sip_banner"
)

// bannerParams are where a SIP profile says what it is: the header User-Agent of
// requests and answers, with the version (sofia.c:4627); the lines o= and s= of
// an SDP (sofia.c:6191); the user of its own Contact (sofia.c:4669). All three are
// read when the profile starts, and no rescan changes what sofia-sip was told.
var bannerParams = []string{"user-agent-string", "username", "contact-user"}

// sipBanner puts the text behind what each profile calls itself, and takes away what an
// earlier plan had put there.
func sipBanner(_ context.Context, m *Machine) (Proposal, error) {
	c, err := m.Config()
	if err != nil {
		return Proposal{}, err
	}
	text, earlier := m.Plan.SIPBanner, marked.Params(c, bannerOption)
	profiles := c.Profiles()
	var wanted []marked.Element
	if text != "" {
		for _, profile := range profiles {
			for _, param := range bannerParams {
				wanted = append(wanted, marked.Param(profile, param, text, bannerOption))
			}
		}
	}
	// The lines of other steps may stand behind ours by now.
	if len(earlier) == len(wanted) && len(otherBanners(c, text)) == 0 {
		if text == "" {
			return Proposal{Status: report.Skipped, Reason: "sip_banner is not set"}, nil
		}
		return Proposal{}, nil
	}
	after, changed, err := marked.Replace(c, earlier, wanted)
	if err != nil {
		return Proposal{}, err
	}
	if others := otherBanners(after, text); len(others) > 0 {
		return Proposal{}, fmt.Errorf("sip_banner: what %s sets comes after what is put in here; move it before the end of its <settings>", strings.Join(shorten(others), ", "))
	}
	if text == "" {
		p, err := m.configChanges(after, changed, "calls itself as it did before sip_banner", secret.Value{})
		p.Reason = "sip_banner is no longer set"
		return p, err
	}
	p, err := m.configChanges(after, changed, "calls itself "+text, secret.Value{})
	p.Reason = "from its next start on FreeSWITCH calls itself " + text + "; profiles: " + strings.Join(shorten(profiles), ", ")
	return p, err
}

// otherBanners are the profiles, each with its parameter, that say something else.
func otherBanners(c *fsxml.Config, text string) []string {
	if text == "" {
		return nil
	}
	var others []string
	for _, profile := range c.Profiles() {
		for _, param := range bannerParams {
			if value, _ := c.Value(fsxml.Profile(profile), param); value != text {
				others = append(others, profile+" ("+param+")")
			}
		}
	}
	return others
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
	others := otherBanners(c, text)
	if len(others) > 0 {
		return []report.Check{{Name: sipBannerCheck, Status: report.Fail, Detail: "says something else than " + text + ": " + strings.Join(shorten(others), ", ") + "; run fs-harden apply, then restart FreeSWITCH"}}
	}
	return []report.Check{{Name: sipBannerCheck, Status: report.Pass, Detail: fmt.Sprintf("%s in all %d profiles", text, len(c.Profiles()))}}
}
