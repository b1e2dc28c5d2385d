package harden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

const (
	ufwConf     = "/etc/ufw/ufw.conf"
	ufwDefaults = "/etc/default/ufw"
	ufwInit     = "/lib/ufw/ufw-init"
	ufwMask     = unitDir + "/ufw.service"
	ufwWanted   = unitDir + "/multi-user.target.wants/ufw.service"
	ufwUnit     = "/lib/systemd/system/ufw.service"
)

// What a rule is for, as its comment says it.
const (
	forSSH   = "ssh"
	forSIP   = "sip"
	forMedia = "media"
)

// firewall makes UFW let in SSH, SIP and media, and nothing else. It writes
// UFW's own files in UFW's own form, so that the ufw command goes on from there,
// and nothing runs where nothing may: the build host of a chroot keeps its own.
func firewall(ctx context.Context, m *Machine) (Proposal, error) {
	if m.Plan.SkipFirewall {
		return Proposal{Status: report.Skipped, Reason: "not wanted"}, nil
	}
	rules, err := firewallRules(ctx, m)
	if err != nil {
		return Proposal{}, err
	}
	tellOpen(m)
	var p Proposal
	for _, propose := range []func() ([]Change, error){
		func() ([]Change, error) { return rulesChanges(m, rules) },
		func() ([]Change, error) { return ufwSettings(m) },
		func() ([]Change, error) { return ufwEnabled(m) },
	} {
		changes, err := propose()
		if err != nil {
			return Proposal{}, err
		}
		p.Changes = append(p.Changes, changes...)
	}
	if why := deaf(m); why != "" {
		p.Reason = "comes up at the next boot: " + why
		return p, nil
	}
	settled, err := changesNothing(m, p.Changes)
	if err != nil {
		return Proposal{}, err
	}
	if settled && inKernel(ctx, m, rules).err == nil {
		return p, nil
	}
	p.Actions = []Action{startUFW(ctx, m)}
	return p, nil
}

// tellOpen warns of what a person may not have meant.
func tellOpen(m *Machine) {
	if len(m.Plan.SIPAllowFrom) == 0 {
		m.Warn("the whole world may speak SIP with this machine: give sip_allow_from the addresses of your carriers and phones, if you know them")
	}
	for _, f := range []string{"before.rules", "before6.rules"} {
		now, err1 := m.ReadFile("/etc/ufw/" + f)
		shipped, err2 := m.ReadFile("/usr/share/ufw/iptables/" + f)
		if err1 == nil && err2 == nil && string(now) != string(shipped) {
			m.Warn("/etc/ufw/%s is not as the package has it: its rules come before ours, so look at what it lets in", f)
		}
	}
}

// firewallRules are what is let in, in this order.
func firewallRules(ctx context.Context, m *Machine) ([]ufwRule, error) {
	c, err := m.Config()
	if err != nil {
		return nil, err
	}
	open, err := listening(c, m.Plan)
	if err != nil {
		return nil, fmt.Errorf("%w; or say skip_firewall = true", err)
	}
	for _, name := range open.Auto {
		m.Warn("the SIP profile %s lets FreeSWITCH choose a port when it starts: the firewall cannot open it; write a port if callers are to reach it", name)
	}
	var rules []ufwRule
	for _, port := range sshPorts(ctx, m) {
		rules = append(rules, ufwRule{proto: "tcp", ports: strconv.Itoa(int(port)), what: forSSH})
	}
	tcp := slices.Concat(open.SIP, open.TLS, open.WS)
	slices.Sort(tcp)
	tcp = slices.Compact(tcp)
	for _, from := range sipSources(m.Plan) {
		for _, list := range portLists(open.SIP) {
			rules = append(rules, ufwRule{proto: "udp", ports: list, from: from, what: forSIP})
		}
		for _, list := range portLists(tcp) {
			rules = append(rules, ufwRule{proto: "tcp", ports: list, from: from, what: forSIP})
		}
	}
	media := strconv.Itoa(int(open.RTPFirst))
	if open.RTPLast != open.RTPFirst {
		media += ":" + strconv.Itoa(int(open.RTPLast))
	}
	return append(rules, ufwRule{proto: "udp", ports: media, what: forMedia}), nil
}

// sipSources are the networks that may speak SIP, each once; one that is not
// valid is everybody.
func sipSources(p *plan.Plan) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range p.SIPAllowFrom {
		if from, err := plan.ParseAddress(s); err == nil && !slices.Contains(out, from) { // validated with the plan
			out = append(out, from)
		}
	}
	if len(out) == 0 {
		return []netip.Prefix{{}}
	}
	return out
}

// maxPorts is how many ports one rule takes (iptables-extensions(8), multiport).
const maxPorts = 15

// portLists writes sorted ports as rules take them.
func portLists(ports []uint16) []string {
	var out []string
	for chunk := range slices.Chunk(ports, maxPorts) {
		words := make([]string, len(chunk))
		for i, p := range chunk {
			words[i] = strconv.Itoa(int(p))
		}
		out = append(out, strings.Join(words, ","))
	}
	return out
}

// rulesChanges are both families' files of rules.
func rulesChanges(m *Machine, rules []ufwRule) ([]Change, error) {
	var client netip.Addr
	if m.Live {
		if c, ok := sshConnection(m); ok {
			client = c.client
		}
	}
	var out []Change
	for _, f := range families {
		file, err := readUFW(m, f)
		if err != nil {
			return nil, err
		}
		after, dropped := file.replace(f, rules)
		if m.Plan.KeepRules {
			after, dropped = file.merge(f, rules, client)
		}
		before, err := m.Lookup(f.rules)
		if err != nil {
			return nil, err
		}
		node := host.NewFile([]byte(after.String()), 0o640)
		if before.Kind == host.File {
			node = before.WithData(node.Data)
		}
		out = append(out, Change{Path: f.rules, Node: node, Summary: rulesSummary(after, dropped), Original: true})
	}
	return out, nil
}

// rulesSummary tells every rule that goes: nobody is to miss one unawares.
func rulesSummary(after ufwFile, dropped []ufwEntry) string {
	s := fmt.Sprintf("lets in SSH, SIP and media: %d rules", len(after.entries))
	if len(dropped) == 0 {
		return s
	}
	names := make([]string, len(dropped))
	for i, e := range dropped {
		names[i] = e.String()
	}
	return fmt.Sprintf("%s; drops %d of before: %s", s, len(dropped), strings.Join(names, "; "))
}

// ufwSettings turns UFW on, in the files that its start reads. /etc/default/ufw
// is the package's conffile: written before the package comes, dpkg would stop
// and ask; and as the package has it, it is right.
func ufwSettings(m *Machine) ([]Change, error) {
	defaults := []setting{{"IPV6", "yes", nil}, {"DEFAULT_INPUT_POLICY", "DROP", []string{"REJECT"}}, {"MANAGE_BUILTINS", "no", nil}}
	if !m.Plan.KeepRules {
		defaults = append(defaults, setting{"DEFAULT_OUTPUT_POLICY", "ACCEPT", nil})
	}
	var out []Change
	for _, f := range []struct {
		path, template string
		settings       []setting
	}{
		{ufwDefaults, "", defaults},
		{ufwConf, "templates/ufw.conf", []setting{{"ENABLED", "yes", nil}}},
	} {
		before, err := m.Lookup(f.path)
		switch {
		case err != nil:
			return nil, err
		case before.Kind == host.File:
			if text, told := apply(shellSettings(before.Data), f.settings); len(told) > 0 {
				out = append(out, Change{Path: f.path, Node: before.WithData([]byte(text)), Summary: strings.Join(told, ", "), Original: true})
			}
		case f.template != "":
			text, err := templates.ReadFile(f.template)
			if err != nil {
				return nil, err
			}
			out = append(out, Change{Path: f.path, Node: host.NewFile(text, 0o644), Summary: "ENABLED=yes"})
		}
	}
	return out, nil
}

// setting is a value that a file of UFW's is to have, or one as good.
type setting struct {
	key, value string
	asGood     []string
}

func apply(text shellSettings, settings []setting) (shellSettings, []string) {
	var told []string
	for _, s := range settings {
		now := text.get(s.key)
		if strings.EqualFold(now, s.value) || slices.Contains(s.asGood, now) {
			continue
		}
		text = text.set(s.key, s.value)
		told = append(told, s.key+"="+s.value)
	}
	return text, told
}

// ufwEnabled has systemd start UFW at boot. The package does the same when it
// is installed; base images switch it off.
func ufwEnabled(m *Machine) ([]Change, error) {
	var out []Change
	mask, err := m.Lookup(ufwMask)
	if err != nil {
		return nil, err
	}
	if mask.Kind == host.Symlink && mask.Target == "/dev/null" {
		out = append(out, Change{Path: ufwMask, Node: host.Node{Kind: host.Absent}, Summary: "ufw.service is masked no longer"})
	}
	link, err := m.Lookup(ufwWanted)
	if err != nil {
		return nil, err
	}
	if link.Kind == host.Absent {
		out = append(out, Change{Path: ufwWanted, Node: host.NewSymlink(ufwUnit), Summary: "ufw.service is enabled"})
	}
	return out, nil
}

// deaf says why the kernel's rules cannot be changed from here; empty if they can.
func deaf(m *Machine) string {
	if !m.Live {
		return m.WhyNot
	}
	if !hasCapability(m, capNetAdmin) {
		return "this machine may not change its network (no CAP_NET_ADMIN)"
	}
	return ""
}

// Capabilities by their numbers (include/uapi/linux/capability.h).
const (
	capNetAdmin = 12
	capSysAdmin = 21
)

// hasCapability looks at this process's own (proc(5), CapEff).
func hasCapability(m *Machine, number uint) bool {
	status, err := m.ReadFile("/proc/self/status")
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return err == nil && n&(1<<number) != 0
		}
	}
	return false
}
