package harden

import (
	"context"
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fail2ban"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// fail2banConfig is what fail2ban is to do on this machine.
func fail2banConfig(m *Machine) fail2ban.Config {
	return fail2ban.Config{Plan: m.Plan, AuthLog: authLog(m), WatchLog: watchLog, SSHD: m.Exists("/usr/sbin/sshd")}
}

// jails gives fail2ban its filter and jails, and starts it with them.
func jails(ctx context.Context, m *Machine) (Proposal, error) {
	if m.Plan.SkipFail2ban {
		return Proposal{Status: report.Skipped, Reason: "not wanted"}, nil
	}
	changes, err := fail2banFiles(m)
	if err != nil {
		return Proposal{}, err
	}
	adviseFail2ban(m)
	p := Proposal{Changes: changes, Reason: "jails: " + strings.Join(fail2banConfig(m).Jails(), ", ")}
	// Where it could not ban, it is not started either.
	if why := deaf(m); why != "" {
		p.Reason += "; fail2ban starts at the next boot: " + why
		return p, nil
	}
	if fresh, err := needsRestart(ctx, m, changes); err != nil || !fresh {
		return p, err
	}
	p.Actions = []Action{restartFail2ban(ctx, m)}
	return p, nil
}

func fail2banFiles(m *Machine) ([]Change, error) {
	files, err := fail2banConfig(m).Files()
	if err != nil {
		return nil, err
	}
	var out []Change
	for _, f := range files {
		out = append(out, Change{Path: f.Path, Node: host.NewFile([]byte(f.Text), 0o644), Summary: f.Summary})
	}
	enabled, err := enabledLink(m)
	return append(out, enabled...), err
}

// enabledLink starts fail2ban at each boot. The package's own link does as well.
func enabledLink(m *Machine) ([]Change, error) {
	link := path.Join(unitDir, "multi-user.target.wants", fail2ban.Unit)
	n, err := m.Lookup(link)
	if err != nil || n.Kind == host.Symlink {
		return nil, err
	}
	target := "/lib/systemd/system/" + fail2ban.Unit
	if usr := "/usr/lib/systemd/system/" + fail2ban.Unit; m.Exists(usr) && !m.Exists(target) {
		target = usr
	}
	return []Change{{Path: link, Node: host.NewSymlink(target), Summary: fail2ban.Unit + " is enabled"}}, nil
}

// adviseFail2ban tells what was asked for and will not do what it seems to.
func adviseFail2ban(m *Machine) {
	p := m.Plan
	if window := (p.Recidive.MaxRetry - 1) * p.Fail2ban.BanTime; p.Recidive.FindTime <= window {
		m.Warn("recidive.find_time of %d s cannot hold %d bans of %d s, so the longer ban never comes: make it more than %d", p.Recidive.FindTime, p.Recidive.MaxRetry, p.Fail2ban.BanTime, window)
	}
	others, err := m.Glob(path.Join(fail2ban.Dir, "jail.d", "*"))
	if err != nil {
		return // the pattern is well formed
	}
	for _, f := range append(others, path.Join(fail2ban.Dir, "jail.local")) {
		b, err := m.ReadFile(f)
		if err != nil || path.Base(f) == "fs-harden.local" {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if name, _, _ := strings.Cut(line, "="); strings.TrimSpace(name) == "ignoreip" {
				m.Warn("%s sets ignoreip, which counts no longer where it stands in [DEFAULT]: put those addresses into fail2ban.ignore_ip", f)
			}
		}
	}
}
