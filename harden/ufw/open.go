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
// zero value is everybody.
func Rules(ssh []uint16, open listen.Ports, sip []netip.Prefix) []Rule {
	var rules []Rule
	for _, port := range ssh {
		rules = append(rules, Rule{Proto: "tcp", Ports: strconv.Itoa(int(port)), For: ForSSH})
	}
	tcp := slices.Concat(open.SIP, open.TLS, open.WS)
	slices.Sort(tcp)
	tcp = slices.Compact(tcp)
	for _, from := range sip {
		for _, list := range portLists(open.SIP) {
			rules = append(rules, Rule{Proto: "udp", Ports: list, From: from, For: ForSIP})
		}
		for _, list := range portLists(tcp) {
			rules = append(rules, Rule{Proto: "tcp", Ports: list, From: from, For: ForSIP})
		}
	}
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
