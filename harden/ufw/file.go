package ufw

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

//go:embed templates
var templates embed.FS

const (
	rulesBegin = "### RULES ###\n"
	rulesEnd   = "\n### END RULES ###\n"
	tupleMark  = "### tuple ###"
)

// File is a file of UFW's user rules, taken apart. What stands around the
// rules (chains, logging) is the ufw command's, and kept as it is.
type File struct {
	Entries []Entry

	head, tail string
}

// Read reads a family's file. Where the package is not installed yet, or
// came a moment ago with a file that ufw has never written, the frame is ours,
// and the same as ufw's at its own first writing.
func Read(m *host.View, f Family) (File, error) {
	text, err := m.ReadFile(f.Rules)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return File{}, err
	}
	file, ok := parse(string(text))
	if ok {
		return file, nil
	}
	frame, err := templates.ReadFile("templates/user.rules")
	if err != nil {
		return File{}, err
	}
	file, _ = parse(strings.ReplaceAll(string(frame), "@CHAIN@", f.chain))
	return file, nil
}

func parse(text string) (File, bool) {
	head, rest, begun := strings.Cut(text, rulesBegin)
	body, tail, ended := strings.Cut("\n"+rest, rulesEnd)
	if !begun || !ended {
		return File{}, false
	}
	file := File{head: head + rulesBegin, tail: rulesEnd + tail}
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		last := len(file.Entries) - 1
		switch {
		case line == "":
		case strings.HasPrefix(line, tupleMark):
			file.Entries = append(file.Entries, Entry{tuple: line})
		case last < 0:
			file.Entries = append(file.Entries, Entry{lines: []string{line}})
		default:
			file.Entries[last].lines = append(file.Entries[last].lines, line)
		}
	}
	return file, true
}

func (f File) String() string {
	var b strings.Builder
	b.WriteString(f.head)
	for _, e := range f.Entries {
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

// Replace gives the file these rules and no other, and tells which it lost.
func (f File) Replace(fam Family, rules []Rule) (after File, dropped []Entry) {
	after = File{head: f.head, tail: f.tail}
	for _, r := range rules {
		if r.in(fam) {
			after.Entries = append(after.Entries, r.entry(fam))
		}
	}
	for _, e := range f.Entries {
		if !e.ours() && !after.has(e) {
			dropped = append(dropped, e)
		}
	}
	return after, dropped
}

// Merge gives the file these rules as well. The ways in come before all others,
// so that no earlier rule shuts the person out; the rest come after, so that
// what an operator denies stays denied. A rule that allows or limits the same
// packets already is left alone; one that does not is replaced, as the ufw
// command does it. Where the operator lets some networks in to sshd, it stays
// at those, if the client of this very build is among them.
func (f File) Merge(fam Family, rules []Rule, client netip.Addr) (after File, dropped []Entry) {
	after = File{head: f.head, tail: f.tail}
	var first, last, kept []Entry
	theirs := map[string]bool{}
	mine := map[string]bool{}
	for _, r := range rules {
		if t, ok := r.entry(fam).parse(); ok && r.in(fam) {
			mine[t.match()] = true
		}
	}
	for _, e := range f.Entries {
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
		case r.For == ForSSH && anyAdmits(kept, r.Ports, client):
		case r.For == ForSSH:
			first = append(first, e)
		default:
			last = append(last, e)
		}
	}
	after.Entries = append(append(first, kept...), last...)
	return after, dropped
}

// lets tells whether a rule lets packets in, perhaps not too many at a time.
func lets(t tuple) bool {
	action, _, _ := strings.Cut(t.action, "_") // "allow_log"
	return action == "allow" || action == "limit"
}

// anyAdmits tells whether one of the rules lets the client in to a TCP port. A
// client that is not known, or comes by the other Family, is nobody's problem.
func anyAdmits(entries []Entry, port string, client netip.Addr) bool {
	for _, e := range entries {
		t, ok := e.parse()
		if !ok || !lets(t) || t.proto == "udp" || !strings.HasPrefix(t.direction, "in") {
			continue
		}
		if t.dport != port && (t.app != "OpenSSH" || port != "22") {
			continue
		}
		from, err := parsePrefix(t.src)
		if err == nil && (!client.IsValid() || client.Is6() != from.Addr().Is6() || from.Contains(client)) {
			return true
		}
	}
	return false
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

func (f File) has(e Entry) bool {
	for _, h := range f.Entries {
		if h.tuple == e.tuple && strings.Join(h.lines, "\n") == strings.Join(e.lines, "\n") {
			return true
		}
	}
	return false
}

// missing are those of the rules that the file does not let in.
func (f File) missing(fam Family, rules []Rule) []Rule {
	var out []Rule
	for _, r := range rules {
		want, _ := r.entry(fam).parse()
		found := !r.in(fam)
		for _, e := range f.Entries {
			t, ok := e.parse()
			found = found || ok && lets(t) && t.match() == want.match()
		}
		if !found {
			out = append(out, r)
		}
	}
	return out
}

// Summary tells a file of rules in a line, and every rule that goes: nobody is to
// miss one unawares.
func Summary(after File, dropped []Entry) string {
	s := fmt.Sprintf("lets in SSH, SIP and media: %d rules", len(after.Entries))
	if len(dropped) == 0 {
		return s
	}
	names := make([]string, len(dropped))
	for i, e := range dropped {
		names[i] = e.String()
	}
	return fmt.Sprintf("%s; drops %d of before: %s", s, len(dropped), strings.Join(names, "; "))
}
