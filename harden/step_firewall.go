package harden

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/listen"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/sshd"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/ufw"
)

// firewall makes UFW let in SSH, SIP and media, and nothing else. It writes
// UFW's own files in UFW's own form, so that the ufw command goes on from there,
// and nothing runs where nothing may: the build host of a chroot keeps its own.
func firewall(ctx context.Context, m *Machine) (Proposal, error) {
	tellTrust(m)
	if m.Plan.SkipFirewall {
		if profiles := trunkProfiles(m.Plan); len(profiles) > 0 {
			m.Warn("the firewall is not managed here: who may call in on %s is up to FreeSWITCH's access lists alone, which answer other requests than INVITE and REGISTER as before", strings.Join(shorten(profiles), ", "))
		}
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
	if settled {
		if _, err := ufw.CheckKernel(ctx, m.Host, rules); err == nil {
			return p, nil
		}
	}
	before := ufw.Look(ctx, m.Host)
	p.Actions = []Action{{
		Name: "starting the firewall",
		Do:   func(ctx context.Context) error { return ufw.Start(ctx, m.Host) },
		Undo: func(ctx context.Context) error { return before.Restore(ctx, m.Host) },
	}}
	return p, nil
}

// tellTrust warns of a list that a person may take for trust, and that is none.
func tellTrust(m *Machine) {
	if open := m.Plan.Sources().OpenTo(); len(open) > 0 && len(m.Plan.SIPAllowFrom) > 0 {
		over := strings.Join(open, " and of ")
		m.Warn("sip_allow_from holds so much of %s that it means everybody: the whole world may speak SIP with this machine, and nobody is exempt from bans and limits by it; put those whom you trust into fail2ban.ignore_ip", over)
	}
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

// firewallRules are what is let in.
func firewallRules(ctx context.Context, m *Machine) ([]ufw.Rule, error) {
	c, err := m.Config()
	if err != nil {
		return nil, err
	}
	open, err := listen.Read(c, m.Plan)
	if err != nil {
		return nil, fmt.Errorf("%w; or say skip_firewall = true", err)
	}
	for _, u := range open.Unheard {
		m.Warn("trunks of the SIP profile %s call over %s, where it does not listen: if another profile does, such as external-ipv6 beside external, name that one in a trunk too, or it answers everybody", u.Profile, map[bool]string{false: "IPv4", true: "IPv6"}[u.IPv6])
	}
	for _, t := range open.Trunks {
		if open.RTPFirst <= t.Port && t.Port <= open.RTPLast {
			m.Warn("port %d is that of a SIP profile with trunks, and one of the media ports %d to %d, which the firewall opens to everybody over UDP: FreeSWITCH's access list alone refuses who is no trunk; give the profile another port", t.Port, open.RTPFirst, open.RTPLast)
		}
		if !t.Alone() {
			m.Warn("port %d is that of a SIP profile with trunks, and of the SIP profile %s, which has none: the firewall lets in whoever may speak SIP, and FreeSWITCH's access list alone refuses the others; give the trunks' profile a port of its own", t.Port, t.Shared)
		}
	}
	for _, name := range open.Auto {
		m.Warn("the SIP profile %s lets FreeSWITCH choose a port when it starts: the firewall cannot open it; write a port if callers are to reach it", name)
	}
	return ufw.Rules(sshd.Ports(ctx, m.View, m.Plan.SSHPorts, m.Live), open, callers(m.Plan.Sources())), nil
}

// callers are the networks that may speak SIP, as the firewall's rules name them:
// everybody of both families is the zero value.
func callers(s plan.Sources) []netip.Prefix {
	if len(s.OpenTo()) == 2 {
		return []netip.Prefix{{}}
	}
	return s.SIP
}

// rulesChanges are both families' files of rules.
func rulesChanges(m *Machine, rules []ufw.Rule) ([]Change, error) {
	var client netip.Addr
	if m.Live {
		if c, ok := sshd.Session(m.View); ok {
			client = c.Client
		}
	}
	var out []Change
	for _, f := range ufw.Families {
		file, err := ufw.Read(m.View, f)
		if err != nil {
			return nil, err
		}
		after, dropped := file.Replace(f, rules)
		if m.Plan.KeepRules {
			after, dropped = file.Merge(f, rules, client)
		}
		before, err := m.Lookup(f.Rules)
		if err != nil {
			return nil, err
		}
		node := host.NewFile([]byte(after.String()), 0o640)
		if before.Kind == host.File {
			node = before.WithData(node.Data)
		}
		out = append(out, Change{Path: f.Rules, Node: node, Summary: ufw.Summary(after, dropped), Original: true})
	}
	return out, nil
}

// ufwSettings turns UFW on, in the files that its start reads. /etc/default/ufw
// is the package's conffile: written before the package comes, dpkg would stop
// and ask; and as the package has it, it is right.
func ufwSettings(m *Machine) ([]Change, error) {
	defaults := []ufw.Want{
		{Key: "IPV6", Value: "yes"},
		{Key: "DEFAULT_INPUT_POLICY", Value: "DROP", AsGood: []string{"REJECT"}},
		{Key: "MANAGE_BUILTINS", Value: "no"},
	}
	if !m.Plan.KeepRules {
		defaults = append(defaults, ufw.Want{Key: "DEFAULT_OUTPUT_POLICY", Value: "ACCEPT"})
	}
	var out []Change
	for _, f := range []struct {
		path  string
		wants []ufw.Want
	}{
		{ufw.Defaults, defaults},
		{ufw.Conf, []ufw.Want{{Key: "ENABLED", Value: "yes"}}},
	} {
		before, err := m.Lookup(f.path)
		switch {
		case err != nil:
			return nil, err
		case before.Kind == host.File:
			if text, told := ufw.Settings(before.Data).With(f.wants...); len(told) > 0 {
				out = append(out, Change{Path: f.path, Node: before.WithData([]byte(text)), Summary: strings.Join(told, ", "), Original: true})
			}
		case f.path == ufw.Conf:
			text, err := ufw.NewConf()
			if err != nil {
				return nil, err
			}
			out = append(out, Change{Path: f.path, Node: host.NewFile(text, 0o644), Summary: "ENABLED=yes"})
		}
	}
	return out, nil
}

// ufwEnabled has systemd start UFW at boot. The package does the same when it
// is installed; base images switch it off.
func ufwEnabled(m *Machine) ([]Change, error) {
	var out []Change
	mask, err := m.Lookup(ufw.Mask)
	if err != nil {
		return nil, err
	}
	if mask.Kind == host.Symlink && mask.Target == "/dev/null" {
		out = append(out, Change{Path: ufw.Mask, Node: host.Node{Kind: host.Absent}, Summary: "ufw.service is masked no longer"})
	}
	link, err := m.Lookup(ufw.Link)
	if err != nil {
		return nil, err
	}
	if link.Kind == host.Absent {
		out = append(out, Change{Path: ufw.Link, Node: host.NewSymlink(ufw.Unit), Summary: "ufw.service is enabled"})
	}
	return out, nil
}

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
	if err := ufw.CheckFiles(m.View, rules); err != nil {
		out = append(out, fail(onDisk, err))
	} else {
		out = append(out, report.Check{Name: onDisk, Status: report.Pass, Detail: "UFW comes up at boot and lets in " + ufw.Describe(rules)})
	}
	if why := deaf(m); why != "" {
		return append(out, report.Check{Name: live, Status: report.CheckDeferred, Detail: why})
	}
	others, err := ufw.CheckKernel(ctx, m.Host, rules)
	if err != nil {
		return append(out, fail(live, err))
	}
	detail := "the kernel drops what comes in, but for " + ufw.Describe(rules)
	if len(others) > 0 {
		detail += "; also let in by rules that are not ours: " + strings.Join(others, ", ")
	}
	return append(out, report.Check{Name: live, Status: report.Pass, Detail: detail})
}
