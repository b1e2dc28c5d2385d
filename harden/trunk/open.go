package trunk

import (
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// Open are the SIP profiles that take a call from anybody who reaches them: they ask
// for no password, go by no access list, and have no trunk.
func Open(c *fsxml.Config, trunks []plan.ProfileTrunks) []string {
	var open []string
	for _, name := range c.Profiles() {
		place := fsxml.Profile(name)
		asks, _ := c.Value(place, "auth-calls")
		acl, _ := c.Value(place, "apply-inbound-acl")
		has := slices.ContainsFunc(trunks, func(t plan.ProfileTrunks) bool { return strings.EqualFold(t.Profile, name) })
		if !has && !fsxml.True(asks) && (acl == "" || strings.EqualFold(acl, "none")) {
			open = append(open, cutShort(name))
		}
	}
	return open
}
