package harden

import (
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/password"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// withoutPasswords is the record for rollback with the image's own random passwords
// in place of those that an instance or a person had: a rollback of a copy sets
// what nobody knows. Those that FreeSWITCH ships stay. Of a file in which they
// cannot be replaced there is no original any more, and a rollback leaves it alone.
func withoutPasswords(m *Machine, originals []journal.Entry) ([]journal.Entry, error) {
	baked, err := state.ReadBaked(m.Host)
	if err != nil {
		return nil, err
	}
	if baked == nil { // lost: none of the passwords is known to be the image's
		baked = &state.Baked{}
	}
	c, err := m.Config()
	if err != nil {
		return nil, err
	}
	images := secret.Pair{SIP: currentSIP(c), ESL: currentESL(c)}
	if images.SIP.Empty() { // nothing there uses it
		images.SIP = secret.New()
	}
	var out []journal.Entry
	for _, en := range originals {
		kept, err := keptIn(en, baked)
		if err == nil && kept {
			en.Before.Data, err = password.Replace(en.Path, en.Before.Data, images)
		}
		if err == nil {
			out = append(out, en)
		}
	}
	return out, nil
}

// keptIn tells whether an original sets a password that is neither published nor the
// image's own.
func keptIn(en journal.Entry, baked *state.Baked) (bool, error) {
	if en.Before.Kind != host.File {
		return false, nil
	}
	found, err := password.In(en.Path, en.Before.Data)
	return slices.ContainsFunc(found, func(f password.Found) bool {
		own := baked.Digests.ESL
		if f.Which == password.SIP {
			own = baked.Digests.SIP
		}
		return !secret.Shipped(f.Value) && !own.Matches(f.Value)
	}), err
}
