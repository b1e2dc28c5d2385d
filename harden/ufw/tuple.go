package ufw

import (
	"encoding/hex"
	"strings"
)

// Entry is one rule in UFW's file: its tuple and what iptables is told.
type Entry struct {
	tuple string // empty where somebody wrote lines without one
	lines []string
}

// tuple has the fields of one: action proto dport dst sport src [dapp sapp] direction.
type tuple struct {
	action, proto, dport, dst, sport, src string
	app                                   string // of the destination, as in "OpenSSH"
	direction                             string
	comment                               string
}

func (e Entry) parse() (tuple, bool) {
	words := strings.Fields(strings.TrimPrefix(e.tuple, "### tuple ###"))
	var t tuple
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
func (e Entry) ours() bool {
	t, ok := e.parse()
	return ok && strings.HasPrefix(t.comment, ourMark)
}

// match is the part of a rule that says which packets it is about. Of two rules
// with the same match, UFW keeps the later action (common.py, UFWRule.match).
func (t tuple) match() string {
	return strings.Join([]string{t.proto, t.dport, t.dst, t.sport, t.src, t.app, t.direction}, " ")
}

// String is the rule for people, about as "ufw status" has it.
func (e Entry) String() string {
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
