package harden

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

//go:embed templates
var templates embed.FS

const (
	unitDir       = "/etc/systemd/system"
	firstbootUnit = "fs-harden-firstboot.service"
	verifyUnit    = "fs-harden-verify.service"
	verifyTimer   = "fs-harden-verify.timer"
	failedUnit    = "fs-harden-failed.service"
	dropIn        = "50-fs-harden.conf"
	noticePath    = "/etc/fs-harden/notice.txt"
	// Every login shows it from there (pam_motd(8)), and a console before it by
	// way of the link (agetty(8); before util-linux 2.40 it reads no other folder
	// where /etc/issue is).
	noticeShown = "/run/motd.d/fs-harden"
	noticeIssue = "/etc/issue.d/fs-harden.issue"
	// cloud-init runs what is executable in this folder at the end of its clean
	// (cloudinit/cmd/clean.py, from 22.3 on). The hook is written also where
	// cloud-init is not: a later provisioner may install it.
	cleanHook = "/etc/cloud/clean.d/50-fs-harden"
)

// gate writes the units that make the secrets before FreeSWITCH starts, and
// hold it back until then. They are enabled by their links, which needs no
// running systemd.
func gate(_ context.Context, m *Machine) (Proposal, error) {
	changes, err := gateFiles(m)
	if err != nil {
		return Proposal{}, err
	}
	if !m.here {
		return Proposal{Changes: changes, Reason: "takes effect at the next boot: " + m.WhyNot}, nil
	}
	serves, err := m.inService()
	if err != nil {
		return Proposal{}, err
	}
	if serves {
		changes = append(changes, noBakingMark())
	} else {
		// The mark lies in /run and is gone after a reboot. It is there before the
		// units are, so that no restart of FreeSWITCH in this build makes secrets.
		changes = append([]Change{bakingMark()}, changes...)
	}
	if settled, err := changesNothing(m, changes); err != nil || settled {
		return Proposal{}, err
	}
	switch {
	case m.Image || serves:
	case m.Runs(freeswitchComm):
		m.Warn("the FreeSWITCH that runs here keeps its old passwords until it stops; on a machine that is to stay in service, run fs-harden firstboot now")
	default:
		m.Warn("FreeSWITCH does not start here until its secrets are made: on a machine that is to stay in service, run fs-harden firstboot now, or boot it again")
	}
	p := Proposal{Changes: changes}
	if m.Live {
		p.Actions = []Action{daemonReload(m.Host)}
	}
	return p, nil
}

func bakingMark() Change {
	return Change{Path: state.BakingPath, Node: host.NewFile(nil, 0o644), Summary: "no secrets are made until this machine boots again"}
}

// noBakingMark is for a machine that is an instance: its first boot must not be
// skipped.
func noBakingMark() Change {
	return Change{Path: state.BakingPath, Node: host.Node{Kind: host.Absent}, Summary: "this machine is an instance"}
}

func changesNothing(m *Machine, changes []Change) (bool, error) {
	for _, c := range changes {
		n, err := m.Lookup(c.Path)
		if err != nil {
			return false, err
		}
		if !host.Same(n, c.Node) {
			return false, nil
		}
	}
	return true, nil
}

func daemonReload(h *host.Host) Action {
	do := func(ctx context.Context) error {
		_, err := h.Run(ctx, "systemctl", "daemon-reload")
		return err
	}
	return Action{Name: "systemctl daemon-reload", Do: do, Undo: do}
}

// serviceUnit is FreeSWITCH's unit, the one whose drop-ins count. A template's
// instances share the template's (systemd.unit(5)).
func serviceUnit(m *Machine) string {
	if at := strings.IndexByte(m.Plan.ServiceName, '@'); at >= 0 {
		return m.Plan.ServiceName[:at+1] + ".service"
	}
	return m.Plan.ServiceName + ".service"
}

// serviceName is serviceUnit without its ending.
func serviceName(m *Machine) string { return strings.TrimSuffix(serviceUnit(m), ".service") }

func gateFiles(m *Machine) ([]Change, error) {
	service := serviceUnit(m)
	var out []Change
	for _, f := range []struct {
		template, path string
		mode           fs.FileMode
		summary        string
	}{
		{firstbootUnit, path.Join(unitDir, firstbootUnit), 0o644, "makes the secrets at first boot"},
		{verifyUnit, path.Join(unitDir, verifyUnit), 0o644, "proves them after each start"},
		{verifyTimer, path.Join(unitDir, verifyTimer), 0o644, "and once a day"},
		{dropIn, path.Join(unitDir, service+".d", dropIn), 0o644, "holds FreeSWITCH back until then"},
		{failedUnit, path.Join(unitDir, failedUnit), 0o644, "says on the console and at login that it is held back"},
		{"notice.txt", noticePath, 0o644, "what it says"},
		{"cloud-init-clean", cleanHook, 0o755, "cloud-init clean makes an image of an instance again"},
	} {
		text, err := render(m, f.template)
		if err != nil {
			return nil, err
		}
		out = append(out, Change{Path: f.path, Node: host.NewFile(text, f.mode), Summary: f.summary})
	}
	for _, l := range []struct{ wants, unit string }{
		{"multi-user.target.wants", firstbootUnit},
		{service + ".wants", verifyUnit},
		{"timers.target.wants", verifyTimer},
	} {
		out = append(out, Change{
			Path: path.Join(unitDir, l.wants, l.unit), Node: host.NewSymlink(path.Join(unitDir, l.unit)),
			Summary: l.unit + " is enabled",
		})
	}
	return append(out, Change{Path: noticeIssue, Node: host.NewSymlink(noticeShown), Summary: "consoles show the notice, once there is one"}), nil
}

// render fills a template in. Its few blanks do not need text/template, which
// would add a fifth to the size of the helper.
func render(m *Machine, name string) ([]byte, error) {
	text, err := templates.ReadFile("templates/" + name)
	if err != nil {
		return nil, err
	}
	return []byte(strings.NewReplacer(
		"@SERVICE@", m.Plan.ServiceName,
		"@HELPER@", state.HelperPath,
		"@BAKING@", state.BakingPath,
		"@NOTICE@", noticePath,
		"@SHOWN@", noticeShown,
		"@CONF_DIR@", m.ConfDir,
	).Replace(string(text))), nil
}

func checkGate(ctx context.Context, m *Machine) []report.Check {
	c := report.Check{Name: "gate", Status: report.Pass, Detail: "FreeSWITCH starts behind " + firstbootUnit}
	if err := gateStands(ctx, m); err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
	}
	return []report.Check{c, checkStarters(m)}
}

func gateStands(ctx context.Context, m *Machine) error {
	files, err := gateFiles(m)
	if err != nil {
		return err
	}
	for _, f := range files {
		if n, err := m.Lookup(f.Path); err != nil || !host.Same(n, f.Node) {
			return fmt.Errorf("%s is missing or was altered: run fs-harden apply", f.Path)
		}
	}
	if err := missingService(m); err != nil || !m.Live {
		return err
	}
	return inForce(ctx, m)
}

// inForce asks systemd whether the drop-in is part of the service as it would
// be started now. A masked one it does not start.
func inForce(ctx context.Context, m *Machine) error {
	out, err := m.Run(ctx, "systemctl", "show", m.Plan.ServiceName+".service", "-p", "LoadState,Requires,After,DropInPaths,ExecStartPre")
	if err != nil {
		return err
	}
	props := map[string]string{}
	for _, l := range strings.Split(string(out), "\n") {
		key, value, _ := strings.Cut(l, "=")
		props[key] += value + "\n" // ExecStartPre has a line for each command
	}
	for key, value := range props {
		props[key] = strings.TrimSuffix(value, "\n")
	}
	switch props["LoadState"] {
	case "masked":
		return nil
	case "not-found":
		return fmt.Errorf("systemd knows no unit %s.service: nothing holds FreeSWITCH back until its secrets are made; run systemctl daemon-reload, or name the unit that starts it in service_name and run fs-harden apply", m.Plan.ServiceName)
	}
	for _, key := range []string{"Requires", "After"} {
		if !slices.Contains(strings.Fields(props[key]), firstbootUnit) {
			return fmt.Errorf("systemd does not count %s in %s= of %s: run systemctl daemon-reload, and look for a drop-in that resets it", firstbootUnit, key, m.Plan.ServiceName)
		}
	}
	if !slices.Contains(strings.Fields(props["DropInPaths"]), path.Join(unitDir, serviceUnit(m)+".d", dropIn)) {
		return fmt.Errorf("systemd does not read %s for %s: run systemctl daemon-reload", dropIn, m.Plan.ServiceName)
	}
	if !asksTheGate(props["ExecStartPre"]) {
		return fmt.Errorf("systemd does not ask %s gate before it starts %s: look in systemctl cat %[2]s for an ExecStartPre= with nothing behind it, which takes away all before it, and remove it", state.HelperPath, m.Plan.ServiceName)
	}
	return nil
}

// asksTheGate tells whether one of these commands, as systemctl show prints
// them, is the gate, and one whose failure counts.
func asksTheGate(commands string) bool {
	for _, c := range strings.Split(commands, "\n") {
		if strings.Contains(c, "argv[]="+state.HelperPath+" gate ;") && strings.Contains(c, "ignore_errors=no") {
			return true
		}
	}
	return false
}

// checkStarters tells what else starts FreeSWITCH at a boot, without asking the gate.
func checkStarters(m *Machine) report.Check {
	c := report.Check{Name: "other-starters", Status: report.Pass, Detail: "nothing but " + m.Plan.ServiceName + ".service starts FreeSWITCH at a boot"}
	unit, err := unitFiles(m)
	if err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
		return c
	}
	var others []string
	for _, o := range inspect.Starters(m.View, serviceName(m), unit) {
		others = append(others, fmt.Sprintf("%s: %s; %s", o.Path, o.What, o.Remedy))
	}
	if len(others) > 0 {
		c.Status, c.Detail = report.Fail, "FreeSWITCH starts without waiting for its secrets: "+strings.Join(others, "; ")
	}
	return c
}
