package harden

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
)

// errForeign says that the event socket is not FreeSWITCH's; waiting does not mend it.
var errForeign = errors.New("it is not given the password")

// eventSocket connects to FreeSWITCH's event socket and to nobody else's. Any user of
// the machine may take the port while FreeSWITCH is down, and say what FreeSWITCH says
// until he is told the password.
func (m *Machine) eventSocket() esl.Dialer { return esl.Dialer{Peer: m.isFreeSWITCHs} }

func (m *Machine) isFreeSWITCHs(server, client netip.AddrPort) error {
	uid, ok := m.Host.Serves(server, client)
	switch {
	case !ok:
		return fmt.Errorf("nobody on this machine serves %s: %w; FreeSWITCH's event socket has to be this machine's own", server, errForeign)
	case uid != 0 && !slices.Contains(m.freeswitchUIDs(), uid):
		return fmt.Errorf("a program of user %d serves %s, and FreeSWITCH runs as another: %w; ss -tlnp 'sport = :%d' tells which one, end it and restart FreeSWITCH", uid, server, errForeign, server.Port())
	}
	return nil
}
