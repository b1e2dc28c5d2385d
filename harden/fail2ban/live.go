package fail2ban

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

const (
	// jailsTimeout bounds how long fail2ban may take until its jails run; that of
	// a journal of some gigabytes reads for seconds.
	jailsTimeout = 30 * time.Second
	jailsRetry   = 250 * time.Millisecond
)

// JailsRun waits until every jail runs, and reads what it is to read, where
// fail2ban was started so lately that they may be still to come.
func (c Config) JailsRun(ctx context.Context, h *host.Host) error {
	ctx, cancel := context.WithTimeout(ctx, jailsTimeout)
	defer cancel()
	for {
		err := c.jailsRunNow(ctx, h)
		if err == nil {
			return nil
		}
		if !starting(ctx, h) {
			return fmt.Errorf("%w; run systemctl restart fail2ban", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; journalctl -u %s and %s say why", err, Unit, Log)
		case <-time.After(jailsRetry):
		}
	}
}

// starting tells whether systemd started fail2ban within jailsTimeout.
func starting(ctx context.Context, h *host.Host) bool {
	out, err := h.Run(ctx, "systemctl", "show", Unit, "-p", "ActiveState,ActiveEnterTimestampMonotonic")
	if err != nil || strings.Contains(string(out), "ActiveState=activating") {
		return err == nil
	}
	_, rest, _ := strings.Cut(string(out), "ActiveEnterTimestampMonotonic=")
	line, _, _ := strings.Cut(rest, "\n")
	at, err := strconv.ParseInt(line, 10, 64) // in µs
	var now unix.Timespec
	if err != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return false
	}
	return strings.Contains(string(out), "ActiveState=active") &&
		time.Duration(now.Nano())-time.Duration(at)*time.Microsecond < jailsTimeout
}

func (c Config) jailsRunNow(ctx context.Context, h *host.Host) error {
	out, err := h.Run(ctx, "fail2ban-client", "status")
	if err != nil {
		return fmt.Errorf("fail2ban does not answer: %w", err)
	}
	running := jailList(string(out))
	for _, jail := range c.Jails() {
		if !slices.Contains(running, jail) {
			return fmt.Errorf("the jail %s does not run", jail)
		}
	}
	return c.each(func(jail string) error { return c.reads(ctx, h, jail) })
}

// each asks all jails at the same time: a question is a start of Python. The error
// is that of the first jail that has one.
func (c Config) each(ask func(jail string) error) error {
	jails := c.Jails()
	errs := make([]error, len(jails))
	var all sync.WaitGroup
	for i, jail := range jails {
		all.Go(func() { errs[i] = ask(jail) })
	}
	all.Wait()
	return cmp.Or(errs...)
}

// reads reports whether a jail looks into its logs. Ours are asked for their filter
// too: each question is a start of Python, a fifth of a second.
func (c Config) reads(ctx context.Context, h *host.Host, jail string) error {
	logs := map[string][]string{
		freeswitch: {c.AuthLog, c.WatchLog},
		challenge:  {c.AuthLog},
		refused:    {c.WatchLog},
		scanner:    {c.WatchLog},
		recidive:   {Log},
	}[jail]
	if len(logs) == 0 {
		return nil // that of sshd reads the journal
	}
	out, err := h.Run(ctx, "fail2ban-client", "get", jail, "logpath")
	if err != nil {
		return err
	}
	for _, log := range logs {
		if !slices.Contains(strings.Fields(string(out)), log) {
			return fmt.Errorf("the jail %s does not read %s", jail, log)
		}
	}
	telling := map[string]string{
		freeswitch: "sofia_reg",
		challenge:  "sofia_reg",
		refused:    "fs-harden refused",
		scanner:    "fs-harden scanner",
	}[jail]
	if telling == "" {
		return nil
	}
	out, err = h.Run(ctx, "fail2ban-client", "get", jail, "failregex")
	if err != nil {
		return err
	}
	if !strings.Contains(string(out), telling) {
		return fmt.Errorf("the jail %s does not use the filter fs-harden", jail)
	}
	return nil
}

// jailList reads fail2ban-client status.
func jailList(status string) []string {
	_, list, found := strings.Cut(status, "Jail list:")
	if !found {
		return nil
	}
	line, _, _ := strings.Cut(list, "\n")
	return strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}
