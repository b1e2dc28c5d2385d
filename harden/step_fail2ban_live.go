package harden

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fail2ban"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// needsRestart tells whether the running fail2ban has other files than it is to
// have, or none at all.
func needsRestart(ctx context.Context, m *Machine, changes []Change) (bool, error) {
	if settled, err := changesNothing(m, changes); err != nil || !settled {
		return true, err
	}
	// Another step's work: the action, the packages.
	action := fail2banConfig(m).ActionFile()
	was, err := m.Host.Lookup(action)
	if err != nil {
		return false, err
	}
	will, err := m.Lookup(action)
	if err != nil || !host.Same(was, will) {
		return true, err
	}
	lack, err := lackingPackages(m)
	return len(lack) > 0 || !active(ctx, m, fail2ban.Unit), err
}

func active(ctx context.Context, m *Machine, unit string) bool {
	_, err := m.Run(ctx, "systemctl", "is-active", "--quiet", unit)
	return err == nil
}

// restartFail2ban makes fail2ban take its files over. It is a restart, since a
// reload keeps the actions that a jail had; bans outlast it, in fail2ban's
// database and in the kernel, and no chain is flushed.
func restartFail2ban(ctx context.Context, m *Machine) Action {
	ran := active(ctx, m, fail2ban.Unit)
	restart := func(ctx context.Context) error {
		// A run that was killed while it installed fail2ban left it masked.
		if _, err := m.Run(ctx, "systemctl", "unmask", "--runtime", fail2ban.Unit); err != nil {
			return err
		}
		if _, err := m.Run(ctx, "systemctl", "daemon-reload"); err != nil {
			return err
		}
		_, err := m.Run(ctx, "systemctl", "restart", fail2ban.Unit)
		return err
	}
	return Action{
		Name: "restarting fail2ban",
		Do: func(ctx context.Context) error {
			if err := restart(ctx); err != nil {
				return fmt.Errorf("%w; journalctl -u %s and %s say why", err, fail2ban.Unit, fail2ban.Log)
			}
			return nil
		},
		Undo: func(ctx context.Context) error {
			if ran {
				return restart(ctx)
			}
			_, err := m.Run(ctx, "systemctl", "stop", fail2ban.Unit)
			return err
		},
	}
}

func checkJails(ctx context.Context, m *Machine) []report.Check {
	if m.Plan.SkipFail2ban {
		return nil
	}
	files := report.Check{Name: "fail2ban-files", Status: report.Pass, Detail: "jails, filter and action are as they were written"}
	if err := fail2banInPlace(m); err != nil {
		files.Status, files.Detail = report.Fail, err.Error()
	}
	return append([]report.Check{files}, checkRunningJails(ctx, m)...)
}

func checkRunningJails(ctx context.Context, m *Machine) []report.Check {
	jails := report.Check{Name: "fail2ban-jails", Status: report.Pass, Detail: "running: " + strings.Join(fail2banConfig(m).Jails(), ", ")}
	lag := report.Check{Name: "fail2ban-lag", Status: report.Pass}
	if why := deaf(m); why != "" {
		jails.Status, jails.Detail = report.CheckDeferred, why
		lag.Status, lag.Detail = report.CheckDeferred, why
		return []report.Check{jails, lag}
	}
	if err := fail2banConfig(m).JailsRun(ctx, m.Host); err != nil {
		jails.Status, jails.Detail = report.Fail, err.Error()
		lag.Status, lag.Detail = report.CheckSkipped, "see fail2ban-jails"
		return []report.Check{jails, lag}
	}
	var err error
	if lag.Detail, err = fail2banConfig(m).Lag(ctx, m.Host); err != nil {
		lag.Status, lag.Detail = report.Fail, err.Error()
	}
	return []report.Check{jails, lag}
}

func fail2banInPlace(m *Machine) error {
	files, err := fail2banFiles(m)
	if err != nil {
		return err
	}
	for _, f := range files {
		if n, err := m.Lookup(f.Path); err != nil || !host.Same(n, f.Node) {
			return errors.Join(err, fmt.Errorf("%s is missing or was altered: run fs-harden apply", f.Path))
		}
	}
	if p := fail2banConfig(m).ActionFile(); !m.Exists(p) {
		return fmt.Errorf("%s is missing, and no jail can ban: run fs-harden apply", p)
	}
	return nil
}
