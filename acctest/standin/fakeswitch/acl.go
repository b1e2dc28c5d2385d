package fakeswitch

import (
	"net/netip"
	"strings"
)

// allows says whether an access list lets an address in
// (switch_check_network_list_ip, switch_core.c): a network in CIDR form, one
// of FreeSWITCH's own lists, or one of acl.conf. A list that does not exist
// lets nobody in.
func (d *document) allows(list string, address netip.Addr) bool {
	switch {
	case list == "loopback.auto":
		return address.IsLoopback()
	case list == "rfc1918.auto":
		return address.Is4() && address.IsPrivate() || address.Is6() && address.IsLinkLocalUnicast()
	case list == "any_v4.auto":
		return address.Is4()
	case list == "any_v6.auto":
		return address.Is6()
	case strings.Contains(list, "/"):
		return inAny(list, address)
	}
	x := named(child(d.file("acl.conf"), "network-lists"), "list", list)
	if x.Parent() == nil {
		return false
	}
	allowed := x.SelectAttrValue("default", "") == "allow"
	longest := -1
	for _, node := range x.SelectElements("node") {
		prefix, err := netip.ParsePrefix(node.SelectAttrValue("cidr", ""))
		if err == nil && prefix.Contains(address) && prefix.Bits() > longest {
			longest = prefix.Bits()
			allowed = node.SelectAttrValue("type", "") == "allow"
		}
	}
	return allowed
}

func inAny(cidrs string, address netip.Addr) bool {
	for cidr := range strings.SplitSeq(cidrs, ",") {
		if prefix, err := netip.ParsePrefix(strings.TrimSpace(cidr)); err == nil && prefix.Contains(address) {
			return true
		}
	}
	return false
}
