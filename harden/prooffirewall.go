package harden

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// checkFirewall holds the files and the kernel against what is to be open.
func checkFirewall(ctx context.Context, m *Machine) []report.Check {
	const onDisk, live = "firewall-files", "firewall"
	if m.Plan.SkipFirewall {
		return []report.Check{{Name: live, Status: report.CheckSkipped, Detail: "not wanted"}}
	}
	fail := func(name string, err error) report.Check {
		return report.Check{Name: name, Status: report.Fail, Detail: err.Error()}
	}
	rules, err := firewallRules(ctx, m)
	if err != nil {
		return []report.Check{fail(live, err)}
	}
	var out []report.Check
	if err := inFiles(m, rules); err != nil {
		out = append(out, fail(onDisk, err))
	} else {
		out = append(out, report.Check{Name: onDisk, Status: report.Pass, Detail: "UFW comes up at boot and lets in " + describe(rules)})
	}
	if why := deaf(m); why != "" {
		return append(out, report.Check{Name: live, Status: report.CheckDeferred, Detail: why})
	}
	got := inKernel(ctx, m, rules)
	if got.err != nil {
		return append(out, fail(live, got.err))
	}
	detail := "the kernel drops what comes in, but for " + describe(rules)
	if len(got.others) > 0 {
		detail += "; also let in by rules that are not ours: " + strings.Join(got.others, ", ")
	}
	return append(out, report.Check{Name: live, Status: report.Pass, Detail: detail})
}

func describe(rules []ufwRule) string {
	var words []string
	for _, r := range rules {
		w := r.ports + "/" + r.proto
		if r.from.IsValid() {
			w += " from " + r.from.String()
		}
		words = append(words, w)
	}
	return strings.Join(shorten(words), ", ")
}

const applyAgain = "run fs-harden apply"

// inFiles tells whether the next boot brings the firewall up as it is to be.
func inFiles(m *Machine, rules []ufwRule) error {
	for _, f := range families {
		text, err := m.ReadFile(f.rules)
		if err != nil {
			return fmt.Errorf("%w; %s", err, applyAgain)
		}
		file, ok := parseUFW(string(text))
		if !ok {
			return fmt.Errorf("%s holds no rules in the form of ufw; %s", f.rules, applyAgain)
		}
		for _, r := range rules {
			if r.what == forSSH && r.in(f) && anyAdmits(file.entries, r.ports, netip.Addr{}) {
				continue
			}
			if missing := file.missing(f, []ufwRule{r}); len(missing) > 0 {
				return fmt.Errorf("%s does not let in %s; %s", f.rules, describe(missing), applyAgain)
			}
		}
	}
	conf, err := m.ReadFile(ufwConf)
	if err != nil {
		return fmt.Errorf("%w; %s", err, applyAgain)
	}
	if !strings.EqualFold(shellSettings(conf).get("ENABLED"), "yes") {
		return fmt.Errorf("%s does not say ENABLED=yes: run ufw enable", ufwConf)
	}
	if mask, err := m.Lookup(ufwMask); err == nil && mask.Kind == host.Symlink && mask.Target == "/dev/null" {
		return fmt.Errorf("ufw.service is masked: run systemctl unmask ufw; %s", applyAgain)
	}
	if link, err := m.Lookup(ufwWanted); err != nil || link.Kind == host.Absent {
		return fmt.Errorf("ufw.service is not enabled: run systemctl enable ufw")
	}
	return policies(m)
}

// policies reads /etc/default/ufw; where it lacks, so does the package, which
// brings one that is right.
func policies(m *Machine) error {
	text, err := m.ReadFile(ufwDefaults)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	s := shellSettings(text)
	if v := s.get("DEFAULT_INPUT_POLICY"); v != "DROP" && v != "REJECT" {
		return fmt.Errorf("%s lets in what no rule names (DEFAULT_INPUT_POLICY is %q); %s", ufwDefaults, v, applyAgain)
	}
	if v := s.get("IPV6"); !strings.EqualFold(v, "yes") {
		return fmt.Errorf("%s says IPV6=%s: UFW would wipe all other IPv6 rules, bans among them; %s", ufwDefaults, v, applyAgain)
	}
	return nil
}

// kernelRules is what iptables says of incoming packets.
type kernelRules struct {
	err    error    // how it differs from what is to be
	others []string // what else is let in, for people
}

// inKernel reads the rules that packets meet: neither files nor "ufw status",
// which reads files too.
func inKernel(ctx context.Context, m *Machine, rules []ufwRule) kernelRules {
	var got kernelRules
	for _, f := range families {
		out, err := m.Run(ctx, f.iptables, "-S")
		if err != nil {
			got.err = fmt.Errorf("asking the kernel for its rules: %w", err)
			return got
		}
		others, err := compare(f, string(out), rules)
		if err != nil {
			got.err = err
			return got
		}
		for _, o := range others {
			if !slices.Contains(got.others, o) {
				got.others = append(got.others, o)
			}
		}
	}
	return got
}

// compare holds the output of iptables -S against the rules.
func compare(f family, listing string, rules []ufwRule) (others []string, err error) {
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
		if r.in(f) && !have[r.kernel(f)] && !(r.what == forSSH && admitsPort(have, r.ports)) {
			return nil, fmt.Errorf("%s does not let in %s; %s", f.iptables, describe([]ufwRule{r}), applyAgain)
		}
	}
	return others, nil
}

// kernelRule is a user rule as iptables lists it.
type kernelRule struct {
	proto, ports, source, target string
	rest                         string // matches that our rules do not have
}

func (r ufwRule) kernel(f family) kernelRule {
	k := kernelRule{proto: r.proto, ports: r.ports, target: "ACCEPT"}
	switch from := r.source(f); {
	case from == f.anywhere:
	case r.from.IsSingleIP():
		k.source = r.from.String() // iptables shows the mask
	default:
		k.source = from
	}
	return k
}

func parseKernelRule(f family, line string) (kernelRule, bool) {
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

func expected(f family, k kernelRule, rules []ufwRule) bool {
	return slices.ContainsFunc(rules, func(r ufwRule) bool { return r.in(f) && r.kernel(f) == k })
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
