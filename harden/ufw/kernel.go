package ufw

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// CheckKernel holds the rules that packets meet against what is to be let in, and
// tells for people what else is. It asks iptables: neither files nor "ufw
// status", which reads files too.
func CheckKernel(ctx context.Context, h *host.Host, rules []Rule) (others []string, err error) {
	for _, f := range Families {
		out, err := h.Run(ctx, f.iptables, "-S")
		if err != nil {
			return nil, fmt.Errorf("asking the kernel for its rules: %w", err)
		}
		more, err := compare(f, string(out), rules)
		if err != nil {
			return nil, err
		}
		for _, o := range more {
			if !slices.Contains(others, o) {
				others = append(others, o)
			}
		}
	}
	return others, nil
}

// compare holds the output of iptables -S against the rules.
func compare(f Family, listing string, rules []Rule) (others []string, err error) {
	var policy string
	hooked, userHooked := false, false
	have := map[kernelRule]bool{}
	for line := range strings.Lines(listing) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "-P INPUT "):
			policy = strings.TrimPrefix(line, "-P INPUT ")
		case line == "-A INPUT -j "+f.chain+"-before-input":
			hooked = true
		case line == "-A INPUT -j ACCEPT" && !hooked:
			return nil, fmt.Errorf("%s: a rule in front of UFW's lets everything in; remove it (%s -D INPUT -j ACCEPT)", f.iptables, f.iptables)
		case line == "-A "+f.chain+"-before-input -j "+f.chain+"-user-input":
			userHooked = true
		}
		k, ok := parseKernelRule(f, line)
		if !ok {
			continue
		}
		have[k] = true
		if k.target == "ACCEPT" && !expected(f, k, rules) {
			others = append(others, k.String())
		}
	}
	switch {
	case policy == "":
		return nil, fmt.Errorf("%s shows no policy for incoming packets", f.iptables)
	case !hooked || !userHooked:
		return nil, fmt.Errorf("%s: incoming packets do not reach UFW's rules, the policy for the rest is %s; was it flushed or stopped? %s (ufw reload does not mend flushed chains)", f.iptables, policy, applyAgain)
	case policy != "DROP" && !strings.Contains(listing, "-A "+f.chain+"-reject-input -j REJECT"):
		return nil, fmt.Errorf("%s: what no rule names is let in (policy %s); %s", f.iptables, policy, applyAgain)
	}
	for _, r := range rules {
		if r.in(f) && !have[r.kernel(f)] && !(r.For == ForSSH && admitsPort(have, r.Ports)) {
			return nil, fmt.Errorf("%s does not let in %s; %s", f.iptables, Describe([]Rule{r}), applyAgain)
		}
	}
	return others, nil
}

// kernelRule is a user rule as iptables lists it.
type kernelRule struct {
	proto, ports, source, target string
	rest                         string // matches that our rules do not have
}

func (r Rule) kernel(f Family) kernelRule {
	k := kernelRule{proto: r.Proto, ports: r.Ports, target: "ACCEPT"}
	switch from := r.source(f); {
	case from == f.anywhere:
	case r.From.IsSingleIP():
		k.source = r.From.String() // iptables shows the mask
	default:
		k.source = from
	}
	return k
}

func parseKernelRule(f Family, line string) (kernelRule, bool) {
	line, ok := strings.CutPrefix(line, "-A "+f.chain+"-user-input ")
	if !ok {
		return kernelRule{}, false
	}
	var k kernelRule
	words := strings.Fields(line)
	for i := 0; i < len(words); i++ {
		value := ""
		if i+1 < len(words) {
			value = words[i+1]
		}
		switch words[i] {
		case "-p":
			k.proto = value
		case "-s":
			k.source = value
		case "--dport", "--dports":
			k.ports = value
		case "-j":
			k.target = value
		case "-m":
			if value != k.proto && value != "multiport" && value != "comment" {
				k.rest += " -m " + value
			}
		case "--comment":
		default:
			k.rest += " " + words[i]
			continue
		}
		i++
	}
	return k, true
}

func expected(f Family, k kernelRule, rules []Rule) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool { return r.in(f) && r.kernel(f) == k })
}

// admitsPort tells whether somebody is let in to a TCP port, as an operator's
// kept rule may have it for some networks or at a limited rate.
func admitsPort(have map[kernelRule]bool, port string) bool {
	for k := range have {
		if k.proto == "tcp" && k.ports == port && (k.target == "ACCEPT" || strings.HasSuffix(k.target, "-user-limit-accept")) {
			return true
		}
	}
	return false
}

func (k kernelRule) String() string {
	s := k.ports
	if s == "" {
		s = "any port"
	}
	if k.proto != "" {
		s += "/" + k.proto
	}
	if k.source != "" {
		s += " from " + k.source
	}
	return s + k.rest
}
