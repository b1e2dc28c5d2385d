package harden

import (
	"context"
	"errors"
	"path"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/password"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

const sipVariable = password.SIPVariable

func sipPassword(_ context.Context, m *Machine) (Proposal, error) {
	c, err := m.Config()
	if err != nil {
		return Proposal{}, err
	}
	if serves, err := m.inService(); err != nil || serves && c.References(sipVariable) {
		return keepSecret(sipVariable, currentSIP(c), err)
	}
	value, err := target(m, m.Secrets.SIP, currentSIP(c), func(d state.Digests) secret.Digest { return d.SIP })
	if err != nil {
		return Proposal{}, err
	}
	e := c.Edit()
	switch err := e.SetVar(sipVariable, value.Reveal()); {
	case errors.Is(err, fsxml.ErrNotSet) && !c.References(sipVariable):
		return Proposal{Status: report.Skipped, Reason: "nothing here uses " + sipVariable}, nil
	case errors.Is(err, fsxml.ErrNotSet):
		// FreeSWITCH expands a variable that was never set to nothing, and a
		// user without a password lets everybody in.
		if err := e.InsertVar(path.Join(m.ConfDir, "vars.xml"), sipVariable, value.Reveal()); err != nil {
			return Proposal{}, err
		}
	case err != nil:
		return Proposal{}, err
	}
	return m.edits(e, sipVariable+" is random, "+whose(m), value)
}

func currentSIP(c *fsxml.Config) secret.Value {
	v, _ := c.Var(sipVariable)
	return secret.Of(v)
}

// whose says what a random value in the tree is good for.
func whose(m *Machine) string {
	if m.Phase == report.Bake || m.Phase == report.Forget {
		return "kept by nobody, replaced at first boot"
	}
	return "this instance's own"
}

// target is the value to set: the instance's, or in a bake a random one. A bake
// that finds its own earlier value keeps it: a second apply changes nothing. Where
// an instance becomes an image again its secrets are not the image's, whatever a
// record says of them.
func target(m *Machine, fresh, current secret.Value, which func(state.Digests) secret.Digest) (secret.Value, error) {
	if m.Phase != report.Bake && m.Phase != report.Forget {
		return fresh, nil
	}
	baked, err := state.ReadBaked(m)
	if err != nil {
		return secret.Value{}, err
	}
	committed, err := state.ReadCommitted(m.Host)
	if err != nil {
		return secret.Value{}, err
	}
	if committed == nil && baked != nil && which(baked.Digests).Matches(current) {
		return current, nil
	}
	return fresh, nil
}

func checkSIPPassword(_ context.Context, m *Machine) []report.Check {
	c, err := m.Config()
	if err != nil {
		return []report.Check{{Name: "sip-password", Status: report.Fail, Detail: err.Error()}}
	}
	if !c.References(sipVariable) {
		return []report.Check{{Name: "sip-password", Status: report.CheckSkipped, Detail: "nothing here uses " + sipVariable}}
	}
	return []report.Check{strong("sip-password", sipVariable, currentSIP(c))}
}

// strong is the check of one password.
func strong(check, what string, v secret.Value) report.Check {
	if why := secret.Weakness(v); why != "" {
		return report.Check{Name: check, Status: report.Fail, Detail: what + ": " + why + "; run fs-harden rotate"}
	}
	return report.Check{Name: check, Status: report.Pass, Detail: what + " is none that FreeSWITCH ships"}
}
