package nft

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Compare holds the table as the kernel has it, which is "nft -j list table"
// (libnftables-json(5)), against the text of its file. The error tells the first
// difference.
func Compare(listing []byte, ruleset string) error {
	have, err := haveChains(listing)
	if err != nil {
		return err
	}
	if err := have.differs(wantChains(ruleset)); err != nil {
		return fmt.Errorf("the table inet %s was altered: %w", Table, err)
	}
	return nil
}

// chains is what a table does, by chain: where it is hooked, and its rules in
// order, each as the interface, sets, counters and verdicts that it names. nft
// prints a rule back in words of its own, which differ by version; these do not.
type chains map[string]*chain

type chain struct {
	hook  string // such as "input -150 accept"; empty for one that is only jumped to
	rules []string
}

func (c chains) at(name string) *chain {
	if c[name] == nil {
		c[name] = &chain{}
	}
	return c[name]
}

// namedWords are the words of a rule that its signature is made of: interfaces,
// sets, counters, chains that are jumped to, and the verdict.
func namedWords(rule string) []string {
	var out []string
	f := strings.Fields(rule)
	for i, word := range f {
		last, next := i == len(f)-1, ""
		if !last {
			next = f[i+1]
		}
		switch {
		case strings.HasPrefix(word, "@") && !strings.HasPrefix(word, "@th,"): // "@th" is a place in the packet
			out = append(out, word)
		case word == "iifname" && next == "!=":
			out = append(out, "not "+strings.Trim(f[min(i+2, len(f)-1)], `"`))
		case word == "iifname":
			out = append(out, "by "+strings.Trim(next, `"`))
		case word == "counter" && next == "name":
			out = append(out, "counter "+strings.Trim(f[min(i+2, len(f)-1)], `"`))
		case word == "jump":
			out = append(out, "jump "+next)
		case last && (word == "drop" || word == "return" || word == "accept"):
			out = append(out, word)
		}
	}
	return out
}

// hooked reads "type filter hook input priority -150; policy accept;".
func hooked(rule string) (hook string, ok bool) {
	_, rest, ok := strings.Cut(rule, "hook ")
	at, rest, ok2 := strings.Cut(rest, " priority ")
	priority, rest, ok3 := strings.Cut(rest, ";")
	policy := strings.TrimSuffix(strings.TrimPrefix(rest, " policy "), ";")
	return at + " " + priority + " " + policy, ok && ok2 && ok3
}

// wantChains reads the rules out of our own file, which has one a line.
func wantChains(ruleset string) chains {
	out := chains{}
	var in string
	for _, line := range strings.Split(ruleset, "\n") {
		rule := strings.TrimSpace(line)
		name, isChain := strings.CutPrefix(rule, "chain ")
		name, _, opens := strings.Cut(name, " {")
		switch {
		case strings.HasPrefix(rule, "#"):
		case strings.HasPrefix(rule, "delete chain"):
			delete(out, rule[strings.LastIndexByte(rule, ' ')+1:])
		case isChain && opens:
			in = name
			out.at(in)
			if strings.HasSuffix(rule, "}") {
				in = ""
			}
		case in == "" || rule == "":
		case rule == "}":
			in = ""
		default:
			if h, ok := hooked(rule); ok {
				out.at(in).hook = h
				continue
			}
			out.at(in).rules = append(out.at(in).rules, signature(namedWords(rule)))
		}
	}
	return out
}

// haveChains reads what nft lists.
func haveChains(listing []byte) (chains, error) {
	var doc struct {
		Nftables []struct {
			Chain *struct {
				Name, Hook, Policy string
				Prio               int
			}
			Rule *struct {
				Chain string
				Expr  any
			}
		}
	}
	if err := json.Unmarshal(listing, &doc); err != nil {
		return nil, fmt.Errorf("reading what nft prints: %w", err)
	}
	out := chains{}
	for _, o := range doc.Nftables {
		switch {
		case o.Chain != nil:
			c := out.at(o.Chain.Name)
			if o.Chain.Hook != "" {
				c.hook = fmt.Sprintf("%s %d %s", o.Chain.Hook, o.Chain.Prio, o.Chain.Policy)
			}
		case o.Rule != nil:
			c := out.at(o.Rule.Chain)
			c.rules = append(c.rules, signature(words(o.Rule.Expr)))
		}
	}
	return out, nil
}

// words finds the names in a rule's expressions.
func words(expr any) []string {
	var out []string
	switch e := expr.(type) {
	case string:
		if strings.HasPrefix(e, "@") {
			out = append(out, e)
		}
	case []any:
		for _, x := range e {
			out = append(out, words(x)...)
		}
	case map[string]any:
		for key, x := range e {
			switch key {
			case "drop", "return", "accept":
				out = append(out, key)
			case "jump":
				target, _ := x.(map[string]any)
				out = append(out, fmt.Sprintf("jump %v", target["target"]))
			case "counter":
				out = append(out, fmt.Sprintf("counter %v", x))
			case "match":
				out = append(out, words(x)...)
				out = append(out, interfaces(x)...)
			default:
				out = append(out, words(x)...)
			}
		}
	}
	return out
}

// interfaces tells by which interface a packet is to have come for a match, in
// the words of namedWords.
func interfaces(match any) []string {
	m, _ := match.(map[string]any)
	left, _ := m["left"].(map[string]any)
	meta, _ := left["meta"].(map[string]any)
	switch {
	case meta["key"] != "iifname":
		return nil
	case m["op"] == "!=":
		return []string{fmt.Sprintf("not %v", m["right"])}
	}
	return []string{fmt.Sprintf("by %v", m["right"])}
}

func signature(words []string) string {
	slices.Sort(words)
	return strings.Join(words, " ")
}

// differs tells the first thing in which a table is not what it should be.
func (c chains) differs(want chains) error {
	for _, name := range sortedNames(want) {
		w, have := want[name], c[name]
		switch {
		case have == nil:
			return fmt.Errorf("the chain %s is missing", name)
		case have.hook != w.hook:
			return fmt.Errorf("the chain %s is hooked at %q, not %q", name, have.hook, w.hook)
		}
		for i, rule := range w.rules {
			if i >= len(have.rules) || have.rules[i] != rule {
				return fmt.Errorf("the chain %s lacks its rule %d (%s) or has another in its place", name, i+1, rule)
			}
		}
		if len(have.rules) > len(w.rules) {
			return fmt.Errorf("the chain %s has %d rules, not %d", name, len(have.rules), len(w.rules))
		}
	}
	for _, name := range sortedNames(c) {
		if want[name] == nil {
			return fmt.Errorf("there is a chain %s, which is none of ours: use a table of your own", name)
		}
	}
	return nil
}

func sortedNames(c chains) []string {
	names := make([]string, 0, len(c))
	for n := range c {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
