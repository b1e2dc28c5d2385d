package harden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

const (
	// proofJail is the jail that bans for the proof.
	proofJail = "freeswitch"
	// proofLock is a folder that one proof at a time holds.
	proofLock = "/run/fs-harden-proof"
	// proofWait bounds how long another proof may take: some thirty seconds at
	// the worst.
	proofWait = time.Minute
	// banWait bounds how long fail2ban may take to carry out a ban: it looks at
	// its queue every second (server/actions.py, sleeptime).
	banWait  = 15 * time.Second
	banRetry = 50 * time.Millisecond
	// liftTimeout is the lifting's own: it happens when the run's time is up too.
	liftTimeout = 20 * time.Second
)

// nothing is the proposal of a step that only looks.
func nothing(context.Context, *Machine) (Proposal, error) { return Proposal{}, nil }

// checkProof puts the defence as a whole to the test.
func checkProof(ctx context.Context, m *Machine) []report.Check {
	return append([]report.Check{checkFilter(ctx, m)}, checkBans(ctx, m)...)
}

// checkBans bans an address of nobody's, sends a packet from there, and sees it
// counted and not answered. It is the only check that tells a ban in force from
// one that fail2ban believes in.
func checkBans(ctx context.Context, m *Machine) []report.Check {
	both := func(s report.CheckStatus, why string) []report.Check {
		return []report.Check{{Name: "ban-ipv4", Status: s, Detail: why}, {Name: "ban-ipv6", Status: s, Detail: why}}
	}
	if m.Plan.SkipFail2ban {
		return both(report.CheckSkipped, "fail2ban is not wanted")
	}
	if why := deaf(m); why != "" {
		return both(report.CheckDeferred, why)
	}
	if !hasCapability(m, capSysAdmin) {
		return both(report.CheckSkipped, "this machine may not make a network namespace to send from (no CAP_SYS_ADMIN)")
	}
	if _, err := m.Run(ctx, "ip", "-V"); err != nil {
		return both(report.CheckSkipped, "the proof sends a packet with the help of iproute2: "+err.Error())
	}
	unlock, err := lockProof(ctx, m)
	if err != nil {
		return both(report.Fail, err.Error())
	}
	defer unlock()
	if err := sweepBans(ctx, m); err != nil {
		return both(report.Fail, err.Error())
	}
	return checkFamilies(ctx, m)
}

// checkFamilies proves both families' bans at once, from one namespace.
func checkFamilies(ctx context.Context, m *Machine) []report.Check {
	checks := []report.Check{{Name: "ban-ipv4"}, {Name: "ban-ipv6"}}
	ends := make([]*end, len(checks))
	var open []*end
	for i := range checks {
		if ends[i] = plannedEnd(ctx, m, &checks[i], i == 1); ends[i] != nil {
			open = append(open, ends[i])
		}
	}
	if len(open) == 0 {
		return checks
	}
	out, err := openOutside(ctx, m, open)
	if err == nil {
		var both sync.WaitGroup
		for i, e := range ends {
			if e != nil {
				both.Go(func() { checks[i].Status, checks[i].Detail = judged(proveBan(ctx, m, e)) })
			}
		}
		both.Wait()
		err = out.close()
	}
	if err != nil {
		for i, e := range ends {
			if e != nil {
				checks[i].Status, checks[i].Detail = report.Fail, "making a network namespace to send from: "+err.Error()
			}
		}
	}
	return checks
}

func judged(seen string, err error) (report.CheckStatus, string) {
	if err != nil {
		return report.Fail, err.Error()
	}
	return report.Pass, seen
}

func lockProof(ctx context.Context, m *Machine) (func(), error) {
	if !m.Exists(proofLock) {
		if err := m.Put(proofLock, host.Node{Kind: host.Folder, Mode: 0o700}); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	wait, cancel := context.WithTimeout(ctx, proofWait)
	defer cancel()
	return m.Lock(wait, proofLock)
}

// sweepBans lifts what a proof that was killed left behind, and asks on the way
// whether the jail runs at all.
func sweepBans(ctx context.Context, m *Machine) error {
	for _, jail := range []string{proofJail, "recidive"} {
		out, err := m.Run(ctx, "fail2ban-client", "status", jail)
		if err != nil {
			return fmt.Errorf("the jail %s does not run: %w; see journalctl -u fail2ban", jail, err)
		}
		_, list, _ := strings.Cut(string(out), "Banned IP list:")
		for _, word := range strings.Fields(list) {
			if a, err := netip.ParseAddr(word); err == nil && isProof(a) {
				if err := lift(m, jail, a); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func lift(m *Machine, jail string, a netip.Addr) error {
	ctx, cancel := context.WithTimeout(context.Background(), liftTimeout)
	defer cancel()
	if _, err := m.Run(ctx, "fail2ban-client", "set", jail, "unbanip", a.String()); err != nil {
		return fmt.Errorf("lifting the test ban of %s: %w; do it by hand: fail2ban-client set %s unbanip %s", a, err, jail, a)
	}
	return nil
}

// plannedEnd is whence and whither a family's packets go; nil where there is
// nothing to try, which the check then says.
func plannedEnd(ctx context.Context, m *Machine, c *report.Check, six bool) *end {
	if six {
		if off, err := m.ReadFile("/proc/sys/net/ipv6/conf/all/disable_ipv6"); err != nil || strings.TrimSpace(string(off)) == "1" {
			c.Status, c.Detail = report.CheckSkipped, "IPv6 is off on this machine"
			return nil
		}
	}
	near, far, err := proofPair(ctx, m, six)
	var target netip.AddrPort
	if err == nil {
		target, err = proofTarget(m, near)
	}
	switch {
	case errors.Is(err, errNoRange):
		c.Status, c.Detail = report.CheckSkipped, err.Error()
	case err != nil:
		c.Status, c.Detail = report.Fail, err.Error()
	default:
		return &end{near: near, far: far, target: target}
	}
	return nil
}

// proveBan gives what was seen, in words.
func proveBan(ctx context.Context, m *Machine, e *end) (seen string, err error) {
	if e.err != nil {
		return "", fmt.Errorf("setting up the network to send from: %w", e.err)
	}
	free, err := e.ask()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lift(m, proofJail, e.far)) }() // also where banning seems to have failed
	if _, err := m.Run(ctx, "fail2ban-client", "set", proofJail, "banip", e.far.String()); err != nil {
		return "", fmt.Errorf("placing the test ban: %w", err)
	}
	before, err := waitForBan(ctx, m, e.far)
	if err != nil {
		return "", err
	}
	after, answered, err := sendBanned(ctx, m, e, before)
	switch {
	case err != nil:
		return "", err
	case after.packets <= before.packets:
		return "", fmt.Errorf("%s is banned by %s, and a packet from it is not counted there: something lets it in before", e.far, after.where)
	case answered:
		return "", fmt.Errorf("%s is banned by %s and still got an answer from %s", e.far, after.where, e.target)
	}
	seen = fmt.Sprintf("%s was banned by %s, which counted %d of its packets; %s did not answer", e.far, after.where, after.packets-before.packets, e.target)
	if free {
		return seen + ", and had answered before the ban", nil
	}
	return seen + " (nor before the ban: the firewall, or nothing listens)", nil
}

// sendBanned sends from a banned address and tells what the kernel counted. It
// waits for an answer for as long as a packet may still have got through, which
// is over once all of them were counted as dropped.
func sendBanned(ctx context.Context, m *Machine, e *end, before banRule) (after banRule, answered bool, err error) {
	listen := func(heard bool, err error) error {
		answered = answered || heard
		return err
	}
	for i := range tries {
		if err := listen(e.send(i)); err != nil {
			return before, false, err
		}
	}
	for until := time.Now().Add(tries * answerWait); ; {
		if after, err = findBan(ctx, m, e.far); err != nil {
			return before, false, err
		}
		if after.packets >= before.packets+tries || time.Now().After(until) {
			break
		}
		if err := listen(e.hear(banRetry)); err != nil {
			return before, false, err
		}
	}
	err = listen(e.hear(banRetry)) // what was under way
	return after, answered, err
}

func waitForBan(ctx context.Context, m *Machine, a netip.Addr) (banRule, error) {
	ctx, cancel := context.WithTimeout(ctx, banWait)
	defer cancel()
	for {
		rule, err := findBan(ctx, m, a)
		if err == nil {
			return rule, nil
		}
		select {
		case <-ctx.Done():
			return banRule{}, fmt.Errorf("fail2ban took the test ban of %s, and after %s the kernel does not enforce it: %w; see /var/log/fail2ban.log", a, banWait, err)
		case <-time.After(banRetry):
		}
	}
}

// proofTarget is where FreeSWITCH listens for SIP over UDP, in the family of
// near; near itself where it listens everywhere or nowhere.
func proofTarget(m *Machine, near netip.Addr) (netip.AddrPort, error) {
	c, err := m.Config()
	if err != nil {
		return netip.AddrPort{}, err
	}
	open, err := listening(c, m.Plan)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for _, s := range netSockets(m, "udp", "udp6") {
		if !slices.Contains(open.SIP, s.port) || s.local.IsLoopback() || s.local.Is6() != near.Is6() {
			continue
		}
		if s.local.IsUnspecified() || s.local.IsLinkLocalUnicast() {
			return netip.AddrPortFrom(near, s.port), nil
		}
		return netip.AddrPortFrom(s.local, s.port), nil
	}
	if len(open.SIP) > 0 {
		return netip.AddrPortFrom(near, open.SIP[0]), nil
	}
	return netip.AddrPortFrom(near, 5060), nil
}
