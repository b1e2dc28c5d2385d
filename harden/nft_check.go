package harden

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// chains is what a table does, by chain: where it is hooked, and its rules in
// order, each as the sets, counters and verdicts that it names. nft prints a
// rule back in words of its own, which differ by version; these do not.
type chains map[string]*chain

type chain struct {
	hook  string // such as "input -150"; empty for one that is only jumped to
	rules []string
}

func (c chains) at(name string) *chain {
	if c[name] == nil {
		c[name] = &chain{}
	}
	return c[name]
}

var (
	chainLine = regexp.MustCompile(`^\s*chain (\S+) \{`)
	hookLine  = regexp.MustCompile(`hook (\w+) priority (-?\d+);`)
	// The words of a rule that its signature is made of. "@th" is no set but a
	// place in the packet.
	namedWord = regexp.MustCompile(`@[a-z][\w-]*|counter name "[^"]+"|jump \S+|\b(?:drop|return|accept)$`)
)

// wantChains reads the rules out of our own file, which has one a line.
func wantChains(ruleset string) chains {
	out := chains{}
	var in string
	for _, line := range strings.Split(ruleset, "\n") {
		rule := strings.TrimSpace(line)
		switch m := chainLine.FindStringSubmatch(line); {
		case strings.HasPrefix(rule, "#"):
		case strings.HasPrefix(rule, "delete chain"):
			delete(out, rule[strings.LastIndexByte(rule, ' ')+1:])
		case m != nil:
			in = m[1]
			out.at(in)
			if strings.HasSuffix(rule, "}") {
				in = ""
			}
		case in == "" || rule == "":
		case rule == "}":
			in = ""
		default:
			if h := hookLine.FindStringSubmatch(rule); h != nil {
				out.at(in).hook = h[1] + " " + h[2]
				continue
			}
			var words []string
			for _, w := range namedWord.FindAllString(rule, -1) {
				w = strings.NewReplacer("counter name ", "counter ", `"`, "").Replace(w)
				if w != "@th" {
					words = append(words, w)
				}
			}
			out.at(in).rules = append(out.at(in).rules, signature(words))
		}
	}
	return out
}

// haveChains reads "nft -j list table" (libnftables-json(5)).
func haveChains(listing []byte) (chains, error) {
	var doc struct {
		Nftables []struct {
			Chain *struct {
				Name, Hook string
				Prio       int
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
				c.hook = fmt.Sprintf("%s %d", o.Chain.Hook, o.Chain.Prio)
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
			default:
				out = append(out, words(x)...)
			}
		}
	}
	return out
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
