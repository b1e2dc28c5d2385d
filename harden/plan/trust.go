package plan

import (
	"math"
	"net/netip"
	"slices"
)

// Sources are the networks that a plan names, as every part of a machine's defence
// takes them: the firewall, the jails, the kernel's limits and the proof.
type Sources struct {
	// SIP are those that may speak SIP. A family that is open to everybody is there
	// as 0.0.0.0/0 or ::/0, and has no other network.
	SIP []netip.Prefix
	// Trusted are those that are never banned and never limited: this machine,
	// fail2ban.ignore_ip, and SIP where it is an allowlist. Never a whole family.
	Trusted []netip.Prefix
	// Trunks are who may call in on a profile that answers nobody else. They are not
	// limited on that profile's ports, and are like everybody else on all others.
	Trunks []ProfileTrunks
}

// Unbanned are those that are never banned. A ban is for every port, so the trunks of
// all profiles are among them: a source over UDP can be forged, and nobody shall cut
// off a carrier by failing in its name, on whatever port.
func (s Sources) Unbanned() []netip.Prefix {
	all := slices.Clone(s.Trusted)
	for _, t := range s.Trunks {
		all = append(all, t.From...)
	}
	return Merged(all)
}

// everybody is the whole of each family, by its name.
var everybody = []struct {
	Family string
	all    netip.Prefix
}{
	{"IPv4", netip.MustParsePrefix("0.0.0.0/0")},
	{"IPv6", netip.MustParsePrefix("::/0")},
}

// loopbacks are trusted whoever else is.
var loopbacks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// Sources reads the lists of a plan that is valid. An empty sip_allow_from lets
// everybody speak SIP. One that is too wide to be an allowlist of a family does
// the same for that family, and trusts nobody of it: who writes 0.0.0.0/0 means
// everybody, attackers included, and not that all of them shall go unbanned. A
// family that the list does not name may not speak SIP.
func (p *Plan) Sources() Sources {
	sip := Merged(prefixes(p.SIPAllowFrom))
	var s Sources
	trusted := slices.Concat(loopbacks, prefixes(p.Fail2ban.IgnoreIP))
	for _, f := range everybody {
		own := family(sip, f.all)
		if len(sip) == 0 || tooWide(own) {
			s.SIP = append(s.SIP, f.all)
			continue
		}
		s.SIP = append(s.SIP, own...)
		trusted = append(trusted, own...)
	}
	s.Trusted = Merged(trusted)
	s.Trunks = p.Trunks.byProfile()
	return s
}

// OpenTo names the families of which everybody may speak SIP.
func (s Sources) OpenTo() []string {
	var out []string
	for _, f := range everybody {
		if slices.Contains(s.SIP, f.all) {
			out = append(out, f.Family)
		}
	}
	return out
}

// local are networks from which nothing comes through the Internet (RFC 6890,
// RFC 4193). A list may hold all of them and still be narrow.
var local = prefixes([]string{
	"10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
	"::1", "fc00::/7", "fe80::/10",
})

// From how many bits on a family's networks may add up to an allowlist. Of IPv4, a
// /8 is the largest block that one organisation holds. Of IPv6, a /12 is what IANA
// gives to a regional registry: all networks of a continent; those of operators are
// smaller (a few /16, most of them /29 to /32).
const (
	narrowIPv4 = 8
	narrowIPv6 = 13
)

// tooWide tells whether networks of one family, of which none lies in another, add
// up to more than an allowlist: as many addresses as one network of a bit less
// than the narrow ones have. Local networks do not count.
func tooWide(list []netip.Prefix) bool {
	share := 0.0 // of all addresses of the family
	for _, p := range list {
		if within(local, p) {
			continue
		}
		share += math.Ldexp(1, -p.Bits())
		narrow := narrowIPv4
		if p.Addr().Is6() {
			narrow = narrowIPv6
		}
		if share >= math.Ldexp(1, 1-narrow) {
			return true
		}
	}
	return false
}

// prefixes reads a list that is valid; what is not is left out.
func prefixes(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		if p, err := ParseAddress(s); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// Merged is a list without what lies in another network of it, in its order: nft
// refuses a set in which one member lies in another.
func Merged(list []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range list {
		inAnother := slices.ContainsFunc(list, func(o netip.Prefix) bool { return o.Bits() < p.Bits() && o.Contains(p.Addr()) })
		if !inAnother && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// within tells whether p lies in one of the networks, or is one.
func within(list []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(list, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) })
}

func family(list []netip.Prefix, all netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range list {
		if all.Contains(p.Addr()) {
			out = append(out, p)
		}
	}
	return out
}
