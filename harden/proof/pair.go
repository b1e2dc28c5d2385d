package proof

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// nobodys are documentation ranges, which are nobody's (RFC 5737, RFC 3849);
// of the large one a part.
var nobodys = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("2001:db8:fade::/48"),
}

func isProof(a netip.Addr) bool {
	return slices.ContainsFunc(nobodys, func(p netip.Prefix) bool { return p.Contains(a) })
}

// pairOf are two neighbours in a documentation range that this machine does
// not use: near is to be this machine's, far the attacker's. They are random,
// so that neither the jail for repeat offenders nor the kernel's limits, which count
// an IPv6 /64 as one source, take many proofs for one.
func pairOf(ctx context.Context, m Machine, six bool) (near, far netip.Addr, err error) {
	used, err := usedNetworks(ctx, m)
	if err != nil {
		return near, far, err
	}
	for _, i := range rand.Perm(len(nobodys)) { //nolint:gosec // no secret
		p := nobodys[i]
		if p.Addr().Is6() != six || slices.ContainsFunc(used, p.Overlaps) {
			continue
		}
		b := p.Addr().AsSlice()
		if six {
			binary.BigEndian.PutUint16(b[6:], uint16(rand.Uint32())) //nolint:gosec // no secret, and any 16 bits
		}
		b[len(b)-1] = byte(2 * (1 + rand.IntN(126))) //nolint:gosec // no secret
		near, _ = netip.AddrFromSlice(b)
		return near, near.Next(), nil
	}
	return near, far, errNoRange
}

// errNoRange: there is no address of nobody's to ban.
var errNoRange = errors.New("every documentation range (RFC 5737, RFC 3849) is in use on this machine, or trusted: there is no address of nobody's to ban")

// usedNetworks are the machine's addresses and routes, the default routes
// apart, and whoever is trusted.
func usedNetworks(ctx context.Context, m Machine) ([]netip.Prefix, error) {
	used := slices.Clone(m.Trusted)
	for _, args := range [][]string{
		{"-j", "-4", "route", "show", "table", "all"},
		{"-j", "-6", "route", "show", "table", "all"},
	} {
		out, err := m.Host.Run(ctx, "ip", args...)
		if err != nil {
			return nil, fmt.Errorf("asking for this machine's routes: %w", err)
		}
		routes, err := routedNetworks(out)
		if err != nil {
			return nil, err
		}
		used = append(used, routes...)
	}
	return used, nil
}

// routedNetworks reads ip-route(8)'s JSON. The table local holds the machine's
// own addresses.
func routedNetworks(listing []byte) ([]netip.Prefix, error) {
	var routes []struct {
		Dst  string `json:"dst"`
		Type string `json:"type"`
	}
	if len(listing) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(listing, &routes); err != nil {
		return nil, fmt.Errorf("reading what ip prints: %w", err)
	}
	var out []netip.Prefix
	for _, r := range routes {
		// A route that refuses a documentation range, as some images have it,
		// is no use of it.
		if r.Type == "unreachable" || r.Type == "blackhole" || r.Type == "prohibit" {
			continue
		}
		if p, err := plan.ParseAddress(r.Dst); err == nil && p.Bits() > 0 {
			out = append(out, p)
		}
	}
	return out, nil
}
