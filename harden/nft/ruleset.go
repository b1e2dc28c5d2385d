// Package nft has the kernel's table of bans and limits: its text, and whether
// the kernel's is the same.
package nft

import (
	"embed"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/listen"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

//go:embed templates
var templates embed.FS

const (
	// Table is the table's name, of the family inet.
	Table = "fs_harden"
	// Program is where nft is in Debian 11 and Ubuntu 22.04 and since.
	Program = "/usr/sbin/nft"
)

// Ruleset is the table as a file that nft loads: the bans, and the limits where
// they are wanted. It is in the syntax of nftables 1.0.2 (Ubuntu 22.04).
func Ruleset(p *plan.Plan, open listen.Ports) (string, error) {
	bans, err := templates.ReadFile("templates/bans.nft")
	if err != nil {
		return "", err
	}
	names := []string{"templates/nolimits.nft"}
	if p.RateLimit.Enabled {
		// What is jumped to comes before who jumps.
		names = []string{"templates/strangers.nft", "templates/limits.nft"}
	}
	limits := ""
	for _, name := range names {
		text, err := templates.ReadFile(name)
		if err != nil {
			return "", err
		}
		limits += string(text)
	}
	v4, v6 := byFamily(p.Sources().Trusted)
	return strings.NewReplacer(
		"@PORTS@", portRules(open),
		"@TRUSTED_V4@", strings.Join(v4, ", "),
		"@TRUSTED_V6@", strings.Join(v6, ", "),
	).Replace(string(bans) + limits), nil
}

// byFamily are the members of each family's set.
func byFamily(list []netip.Prefix) (v4, v6 []string) {
	for _, p := range list {
		if p.Addr().Is4() {
			v4 = append(v4, member(p))
		} else {
			v6 = append(v6, member(p))
		}
	}
	return v4, v6
}

// member is a network as nft takes it in a set: a single address without a mask.
func member(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// portRules send what is meant for FreeSWITCH's ports to the limits, but for what
// comes from trunks on the ports of their own profile.
func portRules(open listen.Ports) string {
	tcp := slices.Concat(open.SIP, open.TLS, open.WS)
	slices.Sort(tcp)
	tcp = slices.Compact(tcp)
	var b strings.Builder
	for _, t := range open.Trunks {
		v4, v6 := byFamily(t.From)
		for _, f := range []struct {
			match   string
			members []string
		}{{"ip", v4}, {"ip6", v6}} {
			if len(f.members) > 0 {
				fmt.Fprintf(&b, "\t\t%s saddr { %s } meta l4proto { tcp, udp } th dport %d return\n", f.match, strings.Join(f.members, ", "), t.Port)
			}
		}
	}
	for _, v := range []string{"4", "6"} {
		if len(open.SIP) > 0 {
			fmt.Fprintf(&b, "\t\tmeta nfproto ipv%s udp dport { %s } jump limit_v%s\n", v, numbers(open.SIP), v)
		}
		if len(tcp) > 0 {
			fmt.Fprintf(&b, "\t\tmeta nfproto ipv%s tcp dport { %s } tcp flags & (fin | syn | rst | ack) == syn jump limit_v%s\n", v, numbers(tcp), v)
			fmt.Fprintf(&b, "\t\tmeta nfproto ipv%s tcp dport { %s } jump stream_v%s\n", v, numbers(tcp), v)
		}
	}
	return b.String()
}

func numbers(list []uint16) string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = strconv.Itoa(int(n))
	}
	return strings.Join(out, ", ")
}
