package harden

import (
	"context"
	"path"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

const (
	fail2banDir  = "/etc/fail2ban"
	fail2banUnit = "fail2ban.service"
	// fail2banJails is the file of the jails.
	fail2banJails = fail2banDir + "/jail.d/fs-harden.local"
	// The jails' names, which the sets in the kernel carry too.
	jailFreeSWITCH = "freeswitch"
	jailChallenge  = "freeswitch-challenge"
	jailRecidive   = "recidive"
	jailSSHD       = "sshd"
)

// fail2banAction is the file of the action that a plan asks for, below
// action.d, and how a jail calls it.
func fail2banAction(p *plan.Plan) (file, call string) {
	if p.Fail2ban.BanAction == "iptables-allports" {
		return "fs-harden-iptables.conf", "fs-harden-iptables[name=%(__name__)s]"
	}
	return "fs-harden.py", "fs-harden.py"
}

func fail2ban(ctx context.Context, m *Machine) (Proposal, error) {
	if m.Plan.SkipFail2ban {
		return Proposal{Status: report.Skipped, Reason: "not wanted"}, nil
	}
	changes, err := fail2banFiles(m)
	if err != nil {
		return Proposal{}, err
	}
	adviseFail2ban(m)
	p := Proposal{Changes: changes, Reason: "jails: " + strings.Join(wantedJails(m), ", ")}
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

// wantedJails are those that run on this machine.
func wantedJails(m *Machine) []string {
	jails := []string{jailFreeSWITCH}
	if m.Plan.Fail2ban.ChallengeMaxRetry > 0 {
		jails = append(jails, jailChallenge)
	}
	jails = append(jails, jailRecidive)
	if hasSSHD(m) {
		jails = append(jails, jailSSHD)
	}
	return jails
}

// hasSSHD decides on the program: its jail would stop all of fail2ban where the
// journal knows no sshd.
func hasSSHD(m *Machine) bool { return m.Exists("/usr/sbin/sshd") }

func fail2banFiles(m *Machine) ([]Change, error) {
	action, _ := fail2banAction(m.Plan)
	var out []Change
	for _, f := range []struct{ template, path, summary string }{
		{"fail2ban-filter.conf", "filter.d/fs-harden.conf", "what counts in FreeSWITCH's log"},
		{"fail2ban-iptables.conf", "action.d/fs-harden-iptables.conf", "bans every protocol"},
		{"fail2ban-server.local", "fail2ban.d/fs-harden.local", "bans outlast a restart"},
		{"fail2ban-jail.local", "jail.d/fs-harden.local", "jails: " + strings.Join(wantedJails(m), ", ")},
	} {
		if f.template == "fail2ban-iptables.conf" && path.Base(f.path) != action {
			continue // the action of another step's is used
		}
		text, err := templates.ReadFile("templates/" + f.template)
		if err != nil {
			return nil, err
		}
		filled := fail2banBlanks(m).Replace(string(text))
		out = append(out, Change{Path: path.Join(fail2banDir, f.path), Node: host.NewFile([]byte(filled), 0o644), Summary: f.summary})
	}
	enabled, err := enabledLink(m)
	return append(out, enabled...), err
}

func fail2banBlanks(m *Machine) *strings.Replacer {
	p := m.Plan
	_, call := fail2banAction(p)
	mode := "all"
	if p.Fail2ban.ChallengeMaxRetry > 0 {
		mode = "failures"
	}
	// The longest time that counts, and a day for a machine that was down.
	keep := max(p.Recidive.BanTime, p.Recidive.FindTime, p.Fail2ban.BanTime) + 86400
	return strings.NewReplacer(
		"@IGNORE@", strings.Join(neverBanned(p), " "),
		"@MODE@", mode,
		"@LOG@", authLog(m),
		"@FAIL2BAN_LOG@", fail2banLog,
		"@ACTION@", call,
		"@MAX_RETRY@", strconv.Itoa(p.Fail2ban.MaxRetry),
		"@FIND_TIME@", strconv.Itoa(p.Fail2ban.FindTime),
		"@BAN_TIME@", strconv.Itoa(p.Fail2ban.BanTime),
		"@CHALLENGES@", strconv.FormatBool(p.Fail2ban.ChallengeMaxRetry > 0),
		"@CHALLENGE_MAX_RETRY@", strconv.Itoa(max(p.Fail2ban.ChallengeMaxRetry, p.Fail2ban.MaxRetry)),
		"@RECIDIVE_MAX_RETRY@", strconv.Itoa(p.Recidive.MaxRetry),
		"@RECIDIVE_FIND_TIME@", strconv.Itoa(p.Recidive.FindTime),
		"@RECIDIVE_BAN_TIME@", strconv.Itoa(p.Recidive.BanTime),
		"@SSHD@", strconv.FormatBool(hasSSHD(m)),
		"@KEEP@", strconv.Itoa(keep),
	)
}

// neverBanned are this machine and those whom the plan trusts. Sources over UDP can be forged, so who may speak SIP
// by the plan is among them: nobody shall get a carrier banned in its name.
func neverBanned(p *plan.Plan) []string {
	list := []string{"127.0.0.0/8", "::1"}
	list = append(list, p.Fail2ban.IgnoreIP...)
	return append(list, p.SIPAllowFrom...)
}

// enabledLink starts fail2ban at each boot. The package's own link does as well.
func enabledLink(m *Machine) ([]Change, error) {
	link := path.Join(unitDir, "multi-user.target.wants", fail2banUnit)
	n, err := m.Lookup(link)
	if err != nil || n.Kind == host.Symlink {
		return nil, err
	}
	target := "/lib/systemd/system/" + fail2banUnit
	if usr := "/usr/lib/systemd/system/" + fail2banUnit; m.Exists(usr) && !m.Exists(target) {
		target = usr
	}
	return []Change{{Path: link, Node: host.NewSymlink(target), Summary: fail2banUnit + " is enabled"}}, nil
}

// adviseFail2ban tells what was asked for and will not do what it seems to.
func adviseFail2ban(m *Machine) {
	p := m.Plan
	if window := (p.Recidive.MaxRetry - 1) * p.Fail2ban.BanTime; p.Recidive.FindTime <= window {
		m.Warn("recidive.find_time of %d s cannot hold %d bans of %d s, so the longer ban never comes: make it more than %d", p.Recidive.FindTime, p.Recidive.MaxRetry, p.Fail2ban.BanTime, window)
	}
	others, err := m.Glob(path.Join(fail2banDir, "jail.d", "*"))
	if err != nil {
		return // the pattern is well formed
	}
	for _, f := range append(others, path.Join(fail2banDir, "jail.local")) {
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
