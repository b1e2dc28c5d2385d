package harden

import (
	"fmt"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// inService tells whether this is an apply on an instance that stays one: it has
// secrets of its own, which people and phones use.
func (m *Machine) inService() (bool, error) {
	if m.Phase != report.Bake || m.Image {
		return false, nil
	}
	rec, err := state.ReadCommitted(m.Host) // as it is on the disk
	return rec != nil, err
}

// keepSecret leaves the password of an instance in service as it is. A weak one is
// for a rotation to replace, which also tells the running FreeSWITCH and whoever
// has to know it.
func keepSecret(what string, now secret.Value, err error) (Proposal, error) {
	if err != nil {
		return Proposal{}, err
	}
	if why := secret.Weakness(now); why != "" {
		return Proposal{}, fmt.Errorf("%s: %s, and this instance is in service: run fs-harden rotate, and this again then", what, why)
	}
	return Proposal{Status: report.Skipped, Reason: "this instance's own is kept: fs-harden rotate makes another"}, nil
}
