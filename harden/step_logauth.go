package harden

import (
	"context"
	"fmt"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

// logParam makes mod_sofia write a line for each refused password (sofia.c:
// PFLAG_LOG_AUTH_FAIL); without it, guessing leaves no trace at all.
const logParam = "log-auth-failures"

func logAuthFailures(_ context.Context, m *Machine) (Proposal, error) {
	c, err := m.Config()
	if err != nil {
		return Proposal{}, err
	}
	profiles := c.Profiles()
	if len(profiles) == 0 {
		m.Warn("no SIP profile is configured: if that is not meant, see sip_profiles/ and sofia.conf.xml")
		return Proposal{Status: report.Skipped, Reason: "no SIP profile is configured"}, nil
	}
	e := c.Edit()
	for _, name := range profiles {
		if err := e.SetParam(fsxml.Profile(name), logParam, "true"); err != nil {
			return Proposal{}, err
		}
	}
	p, err := m.edits(e, "failed registrations and calls are logged", secret.Value{})
	p.Reason = "profiles: " + strings.Join(shorten(profiles), ", ")
	return p, err
}

// shorten keeps a list readable where a site has a profile per customer.
func shorten(names []string) []string {
	const shown = 8
	if len(names) <= shown {
		return names
	}
	return append(append([]string{}, names[:shown]...), fmt.Sprintf("and %d more", len(names)-shown))
}

func checkLogAuthFailures(_ context.Context, m *Machine) []report.Check {
	c, err := m.Config()
	if err != nil {
		return []report.Check{{Name: logParam, Status: report.Fail, Detail: err.Error()}}
	}
	var silent []string
	profiles := c.Profiles()
	for _, name := range profiles {
		if v, _ := c.Value(fsxml.Profile(name), logParam); v != "true" {
			silent = append(silent, name)
		}
	}
	if len(silent) > 0 {
		return []report.Check{{Name: logParam, Status: report.Fail, Detail: "silent about failures: " + strings.Join(shorten(silent), ", ") + "; run fs-harden apply"}}
	}
	return []report.Check{{Name: logParam, Status: report.Pass, Detail: fmt.Sprintf("on in all %d profiles", len(profiles))}}
}
