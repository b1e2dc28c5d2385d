// Package ufw reads, writes and proves the rules of UFW (Uncomplicated Firewall)
// in UFW's own files, so that the ufw command goes on from there.
package ufw

import (
	"encoding/hex"
	"net/netip"
	"strings"
)

// Where UFW keeps its settings and programs, and what starts it at boot.
const (
	Conf     = "/etc/ufw/ufw.conf"
	Defaults = "/etc/default/ufw"
	Init     = "/lib/ufw/ufw-init"
	Unit     = "/lib/systemd/system/ufw.service"
	Mask     = "/etc/systemd/system/ufw.service"
	Link     = "/etc/systemd/system/multi-user.target.wants/ufw.service"
)

// Family is one of the two that UFW keeps apart: a file and chains for each.
type Family struct {
	Rules    string // the file of UFW's user rules
	chain    string // what the names of its chains begin with
	anywhere string // the address of everybody, in a tuple
	iptables string // the command that shows what the kernel has
	six      bool
}

// Families are both.
var Families = []Family{
	{Rules: "/etc/ufw/user.rules", chain: "ufw", anywhere: "0.0.0.0/0", iptables: "iptables"},
	{Rules: "/etc/ufw/user6.rules", chain: "ufw6", anywhere: "::/0", iptables: "ip6tables", six: true},
}

// Rule lets packets in. UFW writes such a rule as a tuple, which it reads
// back, and as arguments for iptables (ufw 0.36, backend_iptables.py,
// _write_rules; common.py, format_rule).
type Rule struct {
	Proto string       // tcp or udp
	Ports string       // "22", "5060,5080" or "16384:32768"
	From  netip.Prefix // the zero value is everybody
	For   string       // told in the rule's comment
}

// What a rule is for, as its comment says it.
const (
	ForSSH   = "ssh"
	ForSIP   = "sip"
	ForTrunk = "trunk"
	ForMedia = "media"
)

// ourMark begins the comment of every rule of ours, as "ufw status" shows it.
const ourMark = "fs-harden: "

// in tells whether the rule belongs into a family's file.
func (r Rule) in(f Family) bool { return !r.From.IsValid() || r.From.Addr().Is6() == f.six }

// source is where a rule's packets come from: a single host has no mask.
func (r Rule) source(f Family) string {
	switch {
	case !r.From.IsValid() || r.From.Bits() == 0:
		return f.anywhere
	case r.From.IsSingleIP():
		return r.From.Addr().String()
	default:
		return r.From.String()
	}
}

// several tells whether iptables needs its multiport match for these ports.
func several(ports string) bool { return strings.ContainsAny(ports, ",:") }

// entry is the rule as UFW itself would write it.
func (r Rule) entry(f Family) Entry {
	from := r.source(f)
	e := Entry{tuple: "### tuple ### allow " + r.Proto + " " + r.Ports + " " + f.anywhere + " any " + from +
		" in comment=" + hex.EncodeToString([]byte(ourMark+r.For))}
	line := "-A " + f.chain + "-user-input -p " + r.Proto
	if several(r.Ports) {
		line += " -m multiport --dports " + r.Ports
	} else {
		line += " --dport " + r.Ports
	}
	if from != f.anywhere {
		line += " -s " + from
	}
	e.lines = []string{line + " -j ACCEPT"}
	return e
}
