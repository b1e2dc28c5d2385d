// Package proof tries out whether a machine's defence holds: a real packet from a
// banned address, and the filter over the machine's own log.
package proof

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
	// banJail is the jail that bans for the proof.
	banJail = "freeswitch"
	// lockDir is a folder that one proof at a time holds.
	lockDir = "/run/fs-harden-proof"
	// lockWait bounds how long another proof may take: some thirty seconds at the
	// worst.
	lockWait = time.Minute
	// banWait bounds how long fail2ban may take to carry out a ban: it looks at
	// its queue every second (server/actions.py, sleeptime).
	banWait  = 15 * time.Second
	banRetry = 50 * time.Millisecond
	// liftTimeout is the lifting's own: it happens when the run's time is up too.
	liftTimeout = 20 * time.Second
)

// Machine is what the proof goes by.
type Machine struct {
	Host *host.Host
	// Table tells whether bans are in the kernel's table of ours; else they are in
	// fail2ban's chains of iptables.
	Table bool
	// Trusted are the addresses and networks that are never banned.
	Trusted []netip.Prefix
	// SIP are the UDP ports on which FreeSWITCH listens.
	SIP []uint16
}

// Bans bans an address of nobody's in each family, sends a packet from there, and
// sees it counted and not answered. It is the only check that tells a ban in
// force from one that fail2ban believes in. It needs CAP_NET_ADMIN and
// CAP_SYS_ADMIN.
func Bans(ctx context.Context, m Machine) []report.Check {
	if _, err := m.Host.Run(ctx, "ip", "-V"); err != nil {
		return Both(report.CheckSkipped, "the proof sends a packet with the help of iproute2: "+err.Error())
	}
	unlock, err := lock(ctx, m.Host)
	if err != nil {
		return Both(report.Fail, err.Error())
	}
	defer unlock()
	if err := sweep(ctx, m.Host); err != nil {
		return Both(report.Fail, err.Error())
	}
	return bothFamilies(ctx, m)
}

// Both are the checks of Bans where they cannot be made.
func Both(s report.CheckStatus, why string) []report.Check {
	return []report.Check{{Name: "ban-ipv4", Status: s, Detail: why}, {Name: "ban-ipv6", Status: s, Detail: why}}
}

// bothFamilies proves both families' bans at once, from one namespace.
func bothFamilies(ctx context.Context, m Machine) []report.Check {
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
	out, err := openOutside(ctx, m.Host, open)
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

func lock(ctx context.Context, h *host.Host) (func(), error) {
	if !h.Exists(lockDir) {
		if err := h.Put(lockDir, host.Node{Kind: host.Folder, Mode: 0o700}); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	return h.Lock(wait, lockDir)
}

// sweep lifts what a proof that was killed left behind, and asks on the way
// whether the jail runs at all.
func sweep(ctx context.Context, h *host.Host) error {
	for _, jail := range []string{banJail, "recidive"} {
		out, err := h.Run(ctx, "fail2ban-client", "status", jail)
		if err != nil {
			return fmt.Errorf("the jail %s does not run: %w; see journalctl -u fail2ban", jail, err)
		}
		_, list, _ := strings.Cut(string(out), "Banned IP list:")
		for _, word := range strings.Fields(list) {
			if a, err := netip.ParseAddr(word); err == nil && isProof(a) {
				if err := lift(h, jail, a); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func lift(h *host.Host, jail string, a netip.Addr) error {
	ctx, cancel := context.WithTimeout(context.Background(), liftTimeout)
	defer cancel()
	if _, err := h.Run(ctx, "fail2ban-client", "set", jail, "unbanip", a.String()); err != nil {
		return fmt.Errorf("lifting the test ban of %s: %w; do it by hand: fail2ban-client set %s unbanip %s", a, err, jail, a)
	}
	return nil
}

// plannedEnd is whence and whither a family's packets go; nil where there is
// nothing to try, which the check then says.
func plannedEnd(ctx context.Context, m Machine, c *report.Check, six bool) *end {
	if six {
		if off, err := m.Host.ReadFile("/proc/sys/net/ipv6/conf/all/disable_ipv6"); err != nil || strings.TrimSpace(string(off)) == "1" {
			c.Status, c.Detail = report.CheckSkipped, "IPv6 is off on this machine"
			return nil
		}
	}
	near, far, err := pairOf(ctx, m, six)
	switch {
	case errors.Is(err, errNoRange):
		c.Status, c.Detail = report.CheckSkipped, err.Error()
	case err != nil:
		c.Status, c.Detail = report.Fail, err.Error()
	default:
		return &end{near: near, far: far, target: target(m, near)}
	}
	return nil
}

// proveBan gives what was seen, in words.
func proveBan(ctx context.Context, m Machine, e *end) (seen string, err error) {
	if e.err != nil {
		return "", fmt.Errorf("setting up the network to send from: %w", e.err)
	}
	free, err := e.ask()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lift(m.Host, banJail, e.far)) }() // also where banning seems to have failed
	if _, err := m.Host.Run(ctx, "fail2ban-client", "set", banJail, "banip", e.far.String()); err != nil {
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
func sendBanned(ctx context.Context, m Machine, e *end, before banRule) (after banRule, answered bool, err error) {
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

func waitForBan(ctx context.Context, m Machine, a netip.Addr) (banRule, error) {
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

// target is where FreeSWITCH listens for SIP over UDP, in the family of near; near
// itself where it listens everywhere or nowhere.
func target(m Machine, near netip.Addr) netip.AddrPort {
	for _, s := range m.Host.Sockets("udp", "udp6") {
		if !slices.Contains(m.SIP, s.Port) || s.Local.IsLoopback() || s.Local.Is6() != near.Is6() {
			continue
		}
		if s.Local.IsUnspecified() || s.Local.IsLinkLocalUnicast() {
			return netip.AddrPortFrom(near, s.Port)
		}
		return netip.AddrPortFrom(s.Local, s.Port)
	}
	if len(m.SIP) > 0 {
		return netip.AddrPortFrom(near, m.SIP[0])
	}
	return netip.AddrPortFrom(near, 5060)
}
