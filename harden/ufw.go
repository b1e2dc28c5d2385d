package harden

import (
	"encoding/hex"
	"net/netip"
	"strings"
)

// family is one of the two that UFW keeps apart: a file and chains for each.
type family struct {
	rules    string // the file of UFW's user rules
	chain    string // what the names of its chains begin with
	anywhere string // the address of everybody, in a tuple
	iptables string // the command that shows what the kernel has
	six      bool
}

var families = []family{
	{rules: "/etc/ufw/user.rules", chain: "ufw", anywhere: "0.0.0.0/0", iptables: "iptables"},
	{rules: "/etc/ufw/user6.rules", chain: "ufw6", anywhere: "::/0", iptables: "ip6tables", six: true},
}

// ufwRule lets packets in. UFW writes such a rule as a tuple, which it reads
// back, and as arguments for iptables (ufw 0.36, backend_iptables.py,
// _write_rules; common.py, format_rule).
type ufwRule struct {
	proto string       // tcp or udp
	ports string       // "22", "5060,5080" or "16384:32768"
	from  netip.Prefix // the zero value is everybody
	what  string       // told in the rule's comment
}

// ourMark begins the comment of every rule of ours, as "ufw status" shows it.
const ourMark = "fs-harden: "

// in tells whether the rule belongs into a family's file.
func (r ufwRule) in(f family) bool { return !r.from.IsValid() || r.from.Addr().Is6() == f.six }

// source is where a rule's packets come from: a single host has no mask.
func (r ufwRule) source(f family) string {
	switch {
	case !r.from.IsValid() || r.from.Bits() == 0:
		return f.anywhere
	case r.from.IsSingleIP():
		return r.from.Addr().String()
	default:
		return r.from.String()
	}
}

// several tells whether iptables needs its multiport match for these ports.
func several(ports string) bool { return strings.ContainsAny(ports, ",:") }

// entry is the rule as UFW itself would write it.
func (r ufwRule) entry(f family) ufwEntry {
	from := r.source(f)
	e := ufwEntry{tuple: "### tuple ### allow " + r.proto + " " + r.ports + " " + f.anywhere + " any " + from +
		" in comment=" + hex.EncodeToString([]byte(ourMark+r.what))}
	line := "-A " + f.chain + "-user-input -p " + r.proto
	if several(r.ports) {
		line += " -m multiport --dports " + r.ports
	} else {
		line += " --dport " + r.ports
	}
	if from != f.anywhere {
		line += " -s " + from
	}
	e.lines = []string{line + " -j ACCEPT"}
	return e
}

// ufwEntry is one rule in UFW's file: its tuple and what iptables is told.
type ufwEntry struct {
	tuple string // empty where somebody wrote lines without one
	lines []string
}

// fields of a tuple: action proto dport dst sport src [dapp sapp] direction.
type ufwTuple struct {
	action, proto, dport, dst, sport, src string
	app                                   string // of the destination, as in "OpenSSH"
	direction                             string
	comment                               string
}

func (e ufwEntry) parse() (ufwTuple, bool) {
	words := strings.Fields(strings.TrimPrefix(e.tuple, "### tuple ###"))
	var t ufwTuple
	if n := len(words); n > 0 {
		if code, ok := strings.CutPrefix(words[n-1], "comment="); ok {
			b, err := hex.DecodeString(code)
			if err != nil {
				return t, false
			}
			t.comment, words = string(b), words[:n-1]
		}
	}
	switch len(words) {
	case 9:
		t.app = strings.ReplaceAll(words[6], "%20", " ")
	case 7:
	default:
		return t, false
	}
	t.action, t.proto, t.dport, t.dst, t.sport, t.src = words[0], words[1], words[2], words[3], words[4], words[5]
	t.direction = words[len(words)-1]
	return t, true
}

// ours tells whether an earlier run wrote the rule.
func (e ufwEntry) ours() bool {
	t, ok := e.parse()
	return ok && strings.HasPrefix(t.comment, ourMark)
}

// match is the part of a rule that says which packets it is about. Of two rules
// with the same match, UFW keeps the later action (common.py, UFWRule.match).
func (t ufwTuple) match() string {
	return strings.Join([]string{t.proto, t.dport, t.dst, t.sport, t.src, t.app, t.direction}, " ")
}

// String is the rule for people, about as "ufw status" has it.
func (e ufwEntry) String() string {
	t, ok := e.parse()
	if !ok {
		return strings.Join(e.lines, "; ")
	}
	to := t.dport
	if t.app != "" && t.app != "-" {
		to = t.app
	} else if t.proto != "any" {
		to += "/" + t.proto
	}
	s := t.action + " " + t.direction + " " + to
	if t.dst != "0.0.0.0/0" && t.dst != "::/0" {
		s += " to " + t.dst
	}
	if t.src != "0.0.0.0/0" && t.src != "::/0" {
		s += " from " + t.src
	}
	if t.sport != "any" {
		s += " port " + t.sport
	}
	if t.comment != "" {
		s += " (" + t.comment + ")"
	}
	return s
}
