package watch

import (
	"context"
	"net/netip"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
)

// registered are the sources of the registrations that FreeSWITCH holds: it
// keeps them over a restart, and their telephones are no strangers.
func registered(ctx context.Context, conn *esl.Conn) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	status, err := conn.API(ctx, "sofia status")
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, profile := range esl.Profiles(status) {
		list, err := conn.API(ctx, "sofia status profile "+profile+" reg")
		if err != nil {
			return nil, err
		}
		out = append(out, addresses(list)...)
	}
	return out, nil
}

// addresses reads the lines "IP: ADDRESS" (show_reg_callback, mod_sofia.c). A
// telephone chooses other lines' values, but none of them begins a line so.
func addresses(list string) []netip.Addr {
	var out []netip.Addr
	for line := range strings.Lines(list) {
		value, found := strings.CutPrefix(line, "IP:")
		if !found {
			continue
		}
		if a, err := netip.ParseAddr(strings.TrimSpace(value)); err == nil {
			out = append(out, a.Unmap().WithZone(""))
		}
	}
	return out
}
