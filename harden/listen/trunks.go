package listen

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// TrunkPort is a port, of one family, on which a SIP profile with trunks listens.
type TrunkPort struct {
	Port uint16
	IPv6 bool
	// From are the trunks of the profiles that listen there, of that family. Empty:
	// nobody calls in there.
	From []netip.Prefix
	// Shared is a profile without trunks that listens there too, which answers
	// everybody who may speak SIP. Empty: the port is the trunks' alone.
	Shared string
}

// Alone tells whether nobody but trunks has business there.
func (t TrunkPort) Alone() bool { return t.Shared == "" }

// Unheard is a profile that has trunks of a family, and no port in it: their calls go to
// another profile, if to any. FreeSWITCH's own example has a profile for each family.
type Unheard struct {
	Profile string
	IPv6    bool
}

// socket is a port of one family. UDP and TCP are not told apart: a profile has its
// SIP port in both, and nobody means two profiles by one number.
type socket struct {
	port uint16
	six  bool
}

// heard is on which sockets each profile listens, the profiles in the order read.
type heard []listener

type listener struct {
	profile string
	on      []socket
}

// trunkPorts are the ports of the profiles with trunks, in order.
func (h heard) trunkPorts(trunks []plan.ProfileTrunks) []TrunkPort {
	from := map[string][]netip.Prefix{}
	for _, t := range trunks {
		from[t.Profile] = t.From
	}
	ports := map[socket]*TrunkPort{}
	for _, one := range h {
		networks, has := from[strings.ToLower(one.profile)]
		if !has {
			continue
		}
		for _, s := range one.on {
			if ports[s] == nil {
				ports[s] = &TrunkPort{Port: s.port, IPv6: s.six}
			}
			for _, n := range networks {
				if n.Addr().Is6() == s.six && !slices.Contains(ports[s].From, n) {
					ports[s].From = append(ports[s].From, n)
				}
			}
		}
	}
	for _, one := range h {
		if _, has := from[strings.ToLower(one.profile)]; has {
			continue
		}
		for _, s := range one.on {
			if p := ports[s]; p != nil && p.Shared == "" {
				p.Shared = one.profile
			}
		}
	}
	var out []TrunkPort
	for _, p := range ports {
		p.From = plan.Merged(p.From)
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b TrunkPort) int {
		if a.IPv6 != b.IPv6 {
			return map[bool]int{false: -1, true: 1}[a.IPv6]
		}
		return int(a.Port) - int(b.Port)
	})
	return out
}

// unheard are those of the profiles that listen somewhere.
func (h heard) unheard(trunks []plan.ProfileTrunks) []Unheard {
	var out []Unheard
	for _, one := range h {
		if len(one.on) == 0 {
			continue
		}
		for _, t := range trunks {
			if t.Profile != strings.ToLower(one.profile) {
				continue
			}
			for _, six := range []bool{false, true} {
				calls := slices.ContainsFunc(t.From, func(n netip.Prefix) bool { return n.Addr().Is6() == six })
				listens := slices.ContainsFunc(one.on, func(s socket) bool { return s.six == six })
				if calls && !listens {
					out = append(out, Unheard{one.profile, six})
				}
			}
		}
	}
	return out
}

// sockets are those of some ports at an address.
func sockets(ip string, ports ...uint16) []socket {
	var out []socket
	for _, six := range families(ip) {
		for _, p := range ports {
			out = append(out, socket{p, six})
		}
	}
	return out
}

// families tells of a sip-ip or a binding whether it is IPv4, IPv6 or may be both:
// what FreeSWITCH finds out as it starts is known by its variable's name
// (switch_core.c:1921 and 1927), and any other word may be either. Without a sip-ip
// it is the machine's IPv4 address (sofia.c:6158).
func families(ip string) []bool {
	ip = strings.Trim(ip, "[]")
	if a, err := netip.ParseAddr(ip); err == nil {
		return []bool{a.Is6() && !a.Is4In6()}
	}
	switch strings.ToLower(ip) {
	case "$${local_ip_v6}":
		return []bool{true}
	case "", "$${local_ip_v4}":
		return []bool{false}
	}
	return []bool{false, true}
}
