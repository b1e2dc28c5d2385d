package trunk

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// Gateways is where a profile's gateways are, so far as no trunk of it has them.
type Gateways struct {
	Profile   string
	Addresses []netip.Addr
	// Hosts are names. They are never looked up: what a name stands for is for others
	// to say, and changes.
	Hosts []string
	// Trunked tells that the profile has trunks, which may be where the names lead.
	Trunked bool
}

// Bounds of what is told: whoever writes FreeSWITCH's configuration writes as many
// gateways as he likes.
const (
	maxGateways = 4  // profiles
	maxAddress  = 16 // of one profile, and host names
)

// Untold are the gateways that call from where no trunk is, so far as that is known, and
// how many profiles have more of them.
func Untold(c *fsxml.Config, trunks []plan.ProfileTrunks) (all []Gateways, more int) {
	for _, p := range c.Spots(fsxml.SIPProfiles) {
		g := Gateways{Profile: p.Attr("name")}
		var from []netip.Prefix
		seen := map[string]bool{}
		for _, t := range trunks {
			if strings.EqualFold(t.Profile, g.Profile) {
				from, g.Trunked = t.From, true
			}
		}
		for _, gateway := range p.All("gateways/gateway") {
			for _, host := range hosts(gateway) {
				a, err := netip.ParseAddr(host)
				a = a.Unmap().WithZone("")
				if err == nil {
					host = a.String()
				}
				switch {
				case seen[host]:
				case err != nil:
					g.Hosts = append(g.Hosts, host)
				case err == nil && !slices.ContainsFunc(from, func(n netip.Prefix) bool { return n.Contains(a) }):
					g.Addresses = append(g.Addresses, a)
				}
				seen[host] = true
			}
		}
		switch {
		case len(g.Addresses)+len(g.Hosts) == 0:
		case len(all) == maxGateways:
			more++
		default:
			all = append(all, g)
		}
	}
	return all, more
}

// hosts are those that a gateway speaks with: its proxy, which its realm and its name
// stand in for, and the other proxies where it has them (sofia.c:3893-3960).
func hosts(gateway fsxml.Spot) []string {
	name := gateway.Attr("name")
	if params := gateway.All("params"); len(params) > 0 {
		gateway = params[0]
	}
	proxy, _ := gateway.Param("proxy")
	if proxy == "" {
		proxy, _ = gateway.Param("realm")
	}
	if proxy == "" {
		proxy = name
	}
	var out []string
	for _, other := range []string{"outbound-proxy", "register-proxy"} {
		if v, _ := gateway.Param(other); v != "" {
			out = append(out, hostOf(v))
		}
	}
	return slices.DeleteFunc(append([]string{hostOf(proxy)}, out...), func(s string) bool { return s == "" })
}

// hostOf is the host of "sip:user@host:port;transport=tcp" and of less.
func hostOf(s string) string {
	s, _, _ = strings.Cut(s, ";")
	for _, scheme := range []string{"sips:", "sip:"} {
		if len(s) > len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			s = s[len(scheme):]
		}
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	if strings.HasPrefix(s, "[") {
		s, _, _ = strings.Cut(s[1:], "]")
		return s
	}
	if strings.Count(s, ":") == 1 {
		s, _, _ = strings.Cut(s, ":")
	}
	return s
}

// Proposal is what to tell of it, a line each: the first is a sentence, the others are
// the block to paste, where there is an address to put into it.
func (g Gateways) Proposal() []string {
	var told []string
	for _, a := range g.Addresses[:min(len(g.Addresses), maxAddress)] {
		told = append(told, a.String())
	}
	from := slices.Clone(told)
	if n := len(g.Addresses) - maxAddress; n > 0 {
		told = append(told, fmt.Sprintf("%d more", n))
	}
	where := strings.Join(told, ", ")
	if len(g.Hosts) > 0 {
		if g.Trunked && where == "" {
			return []string{fmt.Sprintf("the SIP profile %q has gateways at the host names %s, which are not looked up: see that its trunks have every address that those call from", cutShort(g.Profile), g.names())}
		}
		if where != "" {
			where += " and "
		}
		where += "the host names " + g.names() + " (not looked up: ask the carrier for its addresses)"
	}
	text := fmt.Sprintf("the SIP profile %q has gateways at %s, and no trunk names them", cutShort(g.Profile), where)
	name := nameFor(g.Profile)
	if !usable(name, g.Profile, from) {
		return []string{text + ": to have it answer your carriers alone, give it a trunk"}
	}
	lines := []string{
		text + ": if your carriers call from there, and phones use other profiles, put this into the block, and it answers them alone:",
		"trunk {",
		fmt.Sprintf("  name = %q", name),
		fmt.Sprintf("  from = [%s]", quotedAll(from)),
	}
	if !strings.EqualFold(g.Profile, plan.TrunkProfile) {
		lines = append(lines, fmt.Sprintf("  profile = %q", g.Profile))
	}
	return append(lines, "}")
}

// names are the host names, bounded.
func (g Gateways) names() string {
	var names []string
	for _, h := range g.Hosts[:min(len(g.Hosts), maxAddress)] {
		names = append(names, strconv.Quote(cutShort(h)))
	}
	if n := len(g.Hosts) - maxAddress; n > 0 {
		names = append(names, fmt.Sprintf("%d more", n))
	}
	return strings.Join(names, ", ")
}

// usable tells whether a plan takes such a trunk. A profile's name that it does not
// take is never put into a block: in HCL, "${...}" is more than a text.
func usable(name, profile string, from []string) bool {
	p := plan.Default()
	p.Trunks[name] = plan.Trunk{From: from, Profile: profile}
	return p.Validate() == nil
}

// nameFor makes a trunk's name of a profile's.
func nameFor(profile string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(profile))
	return name[:min(len(name), 20)] + "-carriers"
}

func quotedAll(list []string) string {
	var words []string
	for _, s := range list {
		words = append(words, strconv.Quote(s))
	}
	return strings.Join(words, ", ")
}
