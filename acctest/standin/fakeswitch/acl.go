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

// The parameters of a profile that name access lists.
const (
	inboundACL  = "apply-inbound-acl"
	registerACL = "apply-register-acl"
)

// accessList is one that a profile goes by, and whether who fails goes on to a context
// of his own.
type accessList struct {
	name  string
	falls bool
}

// addList adds a value as config_sofia does (sofia.c:5729): "none" forgets those
// before, and LIST:PASS:FAIL has contexts.
func addList(lists []accessList, value string) []accessList {
	if value == "" {
		return lists
	}
	if strings.EqualFold(value, "none") {
		return nil
	}
	name, contexts, _ := strings.Cut(value, ":")
	_, fail, _ := strings.Cut(contexts, ":")
	return append(lists, accessList{name, fail != ""})
}

// passesInbound tells whether a caller passes one of the lists, and of him who does not
// which list refused him last (sofia.c:10552).
func (p *profile) passesInbound(address netip.Addr) (passes bool, last accessList) {
	passes = true
	for _, last = range p.lists(inboundACL) {
		if passes = p.owner.accessLists().allows(last.name, address); passes {
			break
		}
	}
	return passes, last
}

// passesRegister tells whether a source passes all lists, of which there has to be one
// for that to mean anything (sofia_reg.c:2389).
func (p *profile) passesRegister(address netip.Addr) (passes bool, refusedBy string) {
	for _, l := range p.lists(registerACL) {
		if !p.owner.accessLists().allows(l.name, address) {
			return false, l.name
		}
	}
	return true, ""
}
