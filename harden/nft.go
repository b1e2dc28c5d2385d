package harden

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

const (
	nftTable = "fs_harden" // of the family inet
	nftRules = "/etc/fs-harden/nftables.nft"
	nftUnit  = "fs-harden-nft.service"
	// nft is in /usr/sbin in Debian 11 and Ubuntu 22.04 and since.
	nftProgram = "/usr/sbin/nft"
)

// loopbacks are trusted whoever else is.
var loopbacks = []string{"127.0.0.0/8", "::1"}

// ruleset is the text of nftRules: the bans, and the limits where they are
// wanted. It is in the syntax of nftables 1.0.2 (Ubuntu 22.04).
func ruleset(p *plan.Plan, listen ports) (string, error) {
	bans, err := templates.ReadFile("templates/nftables.nft")
	if err != nil {
		return "", err
	}
	name := "templates/nftables-nolimits.nft"
	if p.RateLimit.Enabled {
		name = "templates/nftables-limits.nft"
	}
	limits, err := templates.ReadFile(name)
	if err != nil {
		return "", err
	}
	v4, v6, err := byFamily(slices.Concat(loopbacks, p.SIPAllowFrom, p.Fail2ban.IgnoreIP))
	if err != nil {
		return "", err
	}
	return strings.NewReplacer(
		"@PORTS@", portRules(listen),
		"@TRUSTED_V4@", strings.Join(v4, ", "),
		"@TRUSTED_V6@", strings.Join(v6, ", "),
	).Replace(string(bans) + string(limits)), nil
}

// byFamily sorts addresses and networks by family. nft refuses a set in which
// one member lies in another, so those go.
func byFamily(list []string) (v4, v6 []string, err error) {
	var all []netip.Prefix
	for _, s := range list {
		p, err := plan.ParseAddress(s)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		if a.Bits() != b.Bits() {
			return a.Bits() - b.Bits()
		}
		return a.Addr().Compare(b.Addr())
	})
	var kept []netip.Prefix
	for _, p := range all {
		if slices.ContainsFunc(kept, func(k netip.Prefix) bool { return k.Overlaps(p) }) {
			continue
		}
		kept = append(kept, p)
		if p.Addr().Is4() {
			v4 = append(v4, member(p))
		} else {
			v6 = append(v6, member(p))
		}
	}
	return v4, v6, nil
}

// member is a network as nft takes it in a set: a single address without a mask.
func member(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// portRules send what is meant for FreeSWITCH's ports to the limits.
func portRules(listen ports) string {
	tcp := slices.Concat(listen.SIP, listen.TLS, listen.WS)
	slices.Sort(tcp)
	tcp = slices.Compact(tcp)
	var b strings.Builder
	for _, v := range []string{"4", "6"} {
		if len(listen.SIP) > 0 {
			fmt.Fprintf(&b, "\t\tmeta nfproto ipv%s udp dport { %s } jump limit_v%s\n", v, numbers(listen.SIP), v)
		}
		if len(tcp) > 0 {
			fmt.Fprintf(&b, "\t\tmeta nfproto ipv%s tcp dport { %s } tcp flags & (fin | syn | rst | ack) == syn jump limit_v%s\n", v, numbers(tcp), v)
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
