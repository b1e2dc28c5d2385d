package harden

import (
	"errors"
	"io/fs"
	"net/netip"
	"strings"
)

const (
	rulesBegin = "### RULES ###\n"
	rulesEnd   = "\n### END RULES ###\n"
	tupleMark  = "### tuple ###"
)

// ufwFile is a file of UFW's user rules, taken apart. What stands around the
// rules (chains, logging) is the ufw command's, and kept as it is.
type ufwFile struct {
	head, tail string
	entries    []ufwEntry
}

// readUFW reads a family's file. Where the package is not installed yet, or
// came a moment ago with a file that ufw has never written, the frame is ours,
// and the same as ufw's at its own first writing.
func readUFW(m *Machine, f family) (ufwFile, error) {
	text, err := m.ReadFile(f.rules)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ufwFile{}, err
	}
	file, ok := parseUFW(string(text))
	if ok {
		return file, nil
	}
	frame, err := templates.ReadFile("templates/ufw-user.rules")
	if err != nil {
		return ufwFile{}, err
	}
	file, _ = parseUFW(strings.ReplaceAll(string(frame), "@CHAIN@", f.chain))
	return file, nil
}

func parseUFW(text string) (ufwFile, bool) {
	head, rest, begun := strings.Cut(text, rulesBegin)
	body, tail, ended := strings.Cut("\n"+rest, rulesEnd)
	if !begun || !ended {
		return ufwFile{}, false
	}
	file := ufwFile{head: head + rulesBegin, tail: rulesEnd + tail}
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		last := len(file.entries) - 1
		switch {
		case line == "":
		case strings.HasPrefix(line, tupleMark):
			file.entries = append(file.entries, ufwEntry{tuple: line})
		case last < 0:
			file.entries = append(file.entries, ufwEntry{lines: []string{line}})
		default:
			file.entries[last].lines = append(file.entries[last].lines, line)
		}
	}
	return file, true
}

func (f ufwFile) String() string {
	var b strings.Builder
	b.WriteString(f.head)
	for _, e := range f.entries {
		if e.tuple != "" {
			b.WriteString("\n" + e.tuple + "\n")
		}
		for _, l := range e.lines {
			b.WriteString(l + "\n")
		}
	}
	b.WriteString(f.tail)
	return b.String()
}

// replace gives the file these rules and no other, and tells which it lost.
func (f ufwFile) replace(fam family, rules []ufwRule) (after ufwFile, dropped []ufwEntry) {
	after = ufwFile{head: f.head, tail: f.tail}
	for _, r := range rules {
		if r.in(fam) {
			after.entries = append(after.entries, r.entry(fam))
		}
	}
	for _, e := range f.entries {
		if !e.ours() && !after.has(e) {
			dropped = append(dropped, e)
		}
	}
	return after, dropped
}

// merge gives the file these rules as well. The ways in come before all others,
// so that no earlier rule shuts the person out; the rest come after, so that
// what an operator denies stays denied. A rule that allows or limits the same
// packets already is left alone; one that does not is replaced, as the ufw
// command does it. Where the operator lets some networks in to sshd, it stays
// at those, if the client of this very build is among them.
func (f ufwFile) merge(fam family, rules []ufwRule, client netip.Addr) (after ufwFile, dropped []ufwEntry) {
	after = ufwFile{head: f.head, tail: f.tail}
	var first, last, kept []ufwEntry
	theirs := map[string]bool{}
	mine := map[string]bool{}
	for _, r := range rules {
		if t, ok := r.entry(fam).parse(); ok && r.in(fam) {
			mine[t.match()] = true
		}
	}
	for _, e := range f.entries {
		t, ok := e.parse()
		switch {
		case e.ours():
		case ok && mine[t.match()] && !lets(t):
			dropped = append(dropped, e)
		default:
			kept = append(kept, e)
			if ok {
				theirs[t.match()] = true
			}
		}
	}
	for _, r := range rules {
		e := r.entry(fam)
		t, _ := e.parse()
		switch {
		case !r.in(fam) || theirs[t.match()]:
		case r.what == forSSH && anyAdmits(kept, r.ports, client):
		case r.what == forSSH:
			first = append(first, e)
		default:
			last = append(last, e)
		}
	}
	after.entries = append(append(first, kept...), last...)
	return after, dropped
}

// lets tells whether a rule lets packets in, perhaps not too many at a time.
func lets(t ufwTuple) bool {
	action, _, _ := strings.Cut(t.action, "_") // "allow_log"
	return action == "allow" || action == "limit"
}

// anyAdmits tells whether one of the rules lets the client in to a TCP port. A
// client that is not known, or comes by the other family, is nobody's problem.
func anyAdmits(entries []ufwEntry, port string, client netip.Addr) bool {
	for _, e := range entries {
		t, ok := e.parse()
		if !ok || !lets(t) || t.proto == "udp" || !strings.HasPrefix(t.direction, "in") {
			continue
		}
		if t.dport != port && (t.app != "OpenSSH" || port != "22") {
			continue
		}
		from, err := parseSource(t.src)
		if err == nil && (!client.IsValid() || client.Is6() != from.Addr().Is6() || from.Contains(client)) {
			return true
		}
	}
	return false
}

func parseSource(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

func (f ufwFile) has(e ufwEntry) bool {
	for _, h := range f.entries {
		if h.tuple == e.tuple && strings.Join(h.lines, "\n") == strings.Join(e.lines, "\n") {
			return true
		}
	}
	return false
}

// missing are those of the rules that the file does not let in.
func (f ufwFile) missing(fam family, rules []ufwRule) []ufwRule {
	var out []ufwRule
	for _, r := range rules {
		want, _ := r.entry(fam).parse()
		found := !r.in(fam)
		for _, e := range f.entries {
			t, ok := e.parse()
			found = found || ok && lets(t) && t.match() == want.match()
		}
		if !found {
			out = append(out, r)
		}
	}
	return out
}
