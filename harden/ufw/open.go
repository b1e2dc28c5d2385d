package ufw

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/listen"
)

// Rules let in SSH on these ports, FreeSWITCH on those where it listens, and
// nothing else, in this order. SIP may come from these networks; one that is the
// zero value is everybody. The ports that are the trunks' alone are open to those,
// and to nobody else.
func Rules(ssh []uint16, open listen.Ports, sip []netip.Prefix) []Rule {
	var rules []Rule
	for _, port := range ssh {
		rules = append(rules, Rule{Proto: "tcp", Ports: strconv.Itoa(int(port)), For: ForSSH})
	}
	tcp := slices.Concat(open.SIP, open.TLS, open.WS)
	slices.Sort(tcp)
	tcp = slices.Compact(tcp)
	for _, from := range eachFamily(sip, open.Trunks) {
		for _, list := range portLists(forAll(open.SIP, from, open.Trunks)) {
			rules = append(rules, Rule{Proto: "udp", Ports: list, From: from, For: ForSIP})
		}
		for _, list := range portLists(forAll(tcp, from, open.Trunks)) {
			rules = append(rules, Rule{Proto: "tcp", Ports: list, From: from, For: ForSIP})
		}
	}
	rules = append(rules, trunkRules(open, sip)...)
	media := strconv.Itoa(int(open.RTPFirst))
	if open.RTPLast != open.RTPFirst {
		media += ":" + strconv.Itoa(int(open.RTPLast))
	}
	return append(rules, Rule{Proto: "udp", Ports: media, For: ForMedia})
}

// maxPorts is how many ports one rule takes (iptables-extensions(8), multiport).
const maxPorts = 15

// portLists writes sorted ports as rules take them.
func portLists(ports []uint16) []string {
	var out []string
	for chunk := range slices.Chunk(ports, maxPorts) {
		words := make([]string, len(chunk))
		for i, p := range chunk {
			words[i] = strconv.Itoa(int(p))
		}
		out = append(out, strings.Join(words, ","))
	}
	return out
}

// eachFamily is a list in which everybody stands once for each family, where the
// ports of the two are not the same.
func eachFamily(sip []netip.Prefix, trunks []listen.TrunkPort) []netip.Prefix {
	if !slices.ContainsFunc(trunks, listen.TrunkPort.Alone) {
		return sip
	}
	var out []netip.Prefix
	for _, from := range sip {
		if from.IsValid() {
			out = append(out, from)
			continue
		}
		out = append(out, netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0))
	}
	return out
}

// forAll are the ports that are not the trunks' alone in the family of from.
func forAll(ports []uint16, from netip.Prefix, trunks []listen.TrunkPort) []uint16 {
	return slices.DeleteFunc(slices.Clone(ports), func(port uint16) bool {
		return slices.ContainsFunc(trunks, func(t listen.TrunkPort) bool {
			return t.Alone() && t.Port == port && from.IsValid() && t.IPv6 == from.Addr().Is6()
		})
	})
}

// trunkRules let the trunks in, also where others listen who answer to an allowlist
// that the trunks are not on.
func trunkRules(open listen.Ports, sip []netip.Prefix) []Rule {
	var rules []Rule
	for _, t := range open.Trunks {
		for _, from := range t.From {
			if !t.Alone() && letIn(sip, from) {
				continue
			}
			port := strconv.Itoa(int(t.Port))
			if slices.Contains(open.SIP, t.Port) {
				rules = append(rules, Rule{Proto: "udp", Ports: port, From: from, For: ForTrunk})
			}
			rules = append(rules, Rule{Proto: "tcp", Ports: port, From: from, For: ForTrunk})
		}
	}
	return rules
}

// letIn tells whether a network lies in one of a list.
func letIn(list []netip.Prefix, n netip.Prefix) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool {
		return !p.IsValid() || p.Bits() <= n.Bits() && p.Contains(n.Addr())
	})
}
