package harden

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

const (
	// jailsTimeout bounds how long fail2ban may take until its jails run; that of
	// a journal of some gigabytes reads for seconds.
	jailsTimeout = 30 * time.Second
	jailsRetry   = 250 * time.Millisecond
)

// needsRestart tells whether the running fail2ban has other files than it is to
// have, or none at all.
func needsRestart(ctx context.Context, m *Machine, changes []Change) (bool, error) {
	if settled, err := changesNothing(m, changes); err != nil || !settled {
		return true, err
	}
	// Another step's work: the action, the packages.
	action, _ := fail2banAction(m.Plan)
	action = path.Join(fail2banDir, "action.d", action)
	was, err := m.Host.Lookup(action)
	if err != nil {
		return false, err
	}
	will, err := m.Lookup(action)
	if err != nil || !same(was, will) {
		return true, err
	}
	lack, err := lackingPackages(m)
	return len(lack) > 0 || !active(ctx, m, fail2banUnit), err
}

func active(ctx context.Context, m *Machine, unit string) bool {
	_, err := m.Run(ctx, "systemctl", "is-active", "--quiet", unit)
	return err == nil
}

// restartFail2ban makes fail2ban take its files over. It is a restart, since a
// reload keeps the actions that a jail had; bans outlast it, in fail2ban's
// database and in the kernel, and no chain is flushed.
func restartFail2ban(ctx context.Context, m *Machine) Action {
	ran := active(ctx, m, fail2banUnit)
	restart := func(ctx context.Context) error {
		if _, err := m.Run(ctx, "systemctl", "daemon-reload"); err != nil {
			return err
		}
		_, err := m.Run(ctx, "systemctl", "restart", fail2banUnit)
		return err
	}
	return Action{
		Name: "restarting fail2ban",
		Do: func(ctx context.Context) error {
			if err := restart(ctx); err != nil {
				return fmt.Errorf("%w; journalctl -u %s and %s say why", err, fail2banUnit, fail2banLog)
			}
			return nil
		},
		Undo: func(ctx context.Context) error {
			if ran {
				return restart(ctx)
			}
			_, err := m.Run(ctx, "systemctl", "stop", fail2banUnit)
			return err
		},
	}
}

func checkFail2ban(ctx context.Context, m *Machine) []report.Check {
	if m.Plan.SkipFail2ban {
		return nil
	}
	files := report.Check{Name: "fail2ban-files", Status: report.Pass, Detail: "jails, filter and action are as they were written"}
	if err := fail2banInPlace(m); err != nil {
		files.Status, files.Detail = report.Fail, err.Error()
	}
	jails := report.Check{Name: "fail2ban-jails", Status: report.Pass, Detail: "running: " + strings.Join(wantedJails(m), ", ")}
	if why := deaf(m); why != "" {
		jails.Status, jails.Detail = report.CheckDeferred, why
	} else if err := jailsRun(ctx, m); err != nil {
		jails.Status, jails.Detail = report.Fail, err.Error()
	}
	return []report.Check{files, jails}
}

func fail2banInPlace(m *Machine) error {
	files, err := fail2banFiles(m)
	if err != nil {
		return err
	}
	for _, f := range files {
		if n, err := m.Lookup(f.Path); err != nil || !same(n, f.Node) {
			return errors.Join(err, fmt.Errorf("%s is missing or was altered: run fs-harden apply", f.Path))
		}
	}
	action, _ := fail2banAction(m.Plan)
	if p := path.Join(fail2banDir, "action.d", action); !m.Exists(p) {
		return fmt.Errorf("%s is missing, and no jail can ban: run fs-harden apply", p)
	}
	return nil
}

// jailsRun waits until every jail runs, and reads what it is to read, where
// fail2ban was started so lately that they may be still to come.
func jailsRun(ctx context.Context, m *Machine) error {
	ctx, cancel := context.WithTimeout(ctx, jailsTimeout)
	defer cancel()
	for {
		err := jailsRunNow(ctx, m)
		if err == nil {
			return nil
		}
		if !starting(ctx, m) {
			return fmt.Errorf("%w; run systemctl restart fail2ban", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; journalctl -u %s and %s say why", err, fail2banUnit, fail2banLog)
		case <-time.After(jailsRetry):
		}
	}
}

// starting tells whether systemd started fail2ban within jailsTimeout.
func starting(ctx context.Context, m *Machine) bool {
	out, err := m.Run(ctx, "systemctl", "show", fail2banUnit, "-p", "ActiveState,ActiveEnterTimestampMonotonic")
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

func jailsRunNow(ctx context.Context, m *Machine) error {
	out, err := m.Run(ctx, "fail2ban-client", "status")
	if err != nil {
		return fmt.Errorf("fail2ban does not answer: %w", err)
	}
	running := jailList(string(out))
	for _, jail := range wantedJails(m) {
		if !slices.Contains(running, jail) {
			return fmt.Errorf("the jail %s does not run", jail)
		}
	}
	out, err = m.Run(ctx, "fail2ban-client", "get", jailFreeSWITCH, "logpath")
	if err != nil {
		return err
	}
	if !strings.Contains(string(out), authLog(m)) {
		return fmt.Errorf("the jail %s does not read %s", jailFreeSWITCH, authLog(m))
	}
	out, err = m.Run(ctx, "fail2ban-client", "get", jailFreeSWITCH, "failregex")
	if err != nil {
		return err
	}
	if !strings.Contains(string(out), "sofia_reg") {
		return fmt.Errorf("the jail %s does not use the filter fs-harden", jailFreeSWITCH)
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
