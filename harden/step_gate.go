package harden

import (
	"context"
	"embed"
	"fmt"
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

//go:embed templates
var templates embed.FS

const (
	unitDir       = "/etc/systemd/system"
	firstbootUnit = "fs-harden-firstboot.service"
	verifyUnit    = "fs-harden-verify.service"
	dropIn        = "50-fs-harden.conf"
)

// gate writes the units that make the secrets before FreeSWITCH starts, and
// hold it back until then. They are enabled by their links, which needs no
// running systemd.
func gate(_ context.Context, m *Machine) (Proposal, error) {
	changes, err := gateFiles(m)
	if err != nil {
		return Proposal{}, err
	}
	if !m.Live {
		return Proposal{Changes: changes, Reason: "takes effect at the next boot: " + m.WhyNot}, nil
	}
	// The mark lies in /run and is gone after a reboot. It is there before the
	// units are, so that no restart of FreeSWITCH in this build makes secrets.
	baking := Change{Path: state.BakingPath, Node: host.NewFile(nil, 0o644), Summary: "no secrets are made until this machine boots again"}
	changes = append([]Change{baking}, changes...)
	if settled, err := changesNothing(m, changes); err != nil || settled {
		return Proposal{}, err
	}
	if m.Runs(freeswitchComm) {
		m.Warn("the FreeSWITCH that runs here keeps its old passwords until it stops; on a machine that is to stay in service, run fs-harden firstboot now")
	}
	return Proposal{Changes: changes, Actions: []Action{daemonReload(m.Host)}}, nil
}

func changesNothing(m *Machine, changes []Change) (bool, error) {
	for _, c := range changes {
		n, err := m.Lookup(c.Path)
		if err != nil {
			return false, err
		}
		if !same(n, c.Node) {
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

func gateFiles(m *Machine) ([]Change, error) {
	service := m.Plan.ServiceName + ".service"
	// A template's instances share the template's drop-in (systemd.unit(5)).
	if at := strings.IndexByte(m.Plan.ServiceName, '@'); at >= 0 {
		service = m.Plan.ServiceName[:at+1] + ".service"
	}
	var out []Change
	for _, f := range []struct{ template, path, summary string }{
		{firstbootUnit, path.Join(unitDir, firstbootUnit), "makes the secrets at first boot"},
		{verifyUnit, path.Join(unitDir, verifyUnit), "proves them after each start"},
		{dropIn, path.Join(unitDir, service+".d", dropIn), "holds FreeSWITCH back until then"},
	} {
		text, err := render(m, f.template)
		if err != nil {
			return nil, err
		}
		out = append(out, Change{Path: f.path, Node: host.NewFile(text, 0o644), Summary: f.summary})
	}
	for _, l := range []struct{ wants, unit string }{
		{"multi-user.target.wants", firstbootUnit},
		{service + ".wants", verifyUnit},
	} {
		out = append(out, Change{
			Path: path.Join(unitDir, l.wants, l.unit), Node: host.NewSymlink(path.Join(unitDir, l.unit)),
			Summary: l.unit + " is enabled",
		})
	}
	return out, nil
}

// render fills a template in. Its four blanks do not need text/template, which
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
		"@CONF_DIR@", m.ConfDir,
	).Replace(string(text))), nil
}

func checkGate(ctx context.Context, m *Machine) []report.Check {
	c := report.Check{Name: "gate", Status: report.Pass, Detail: "FreeSWITCH starts behind " + firstbootUnit}
	files, err := gateFiles(m)
	if err != nil {
		return []report.Check{{Name: "gate", Status: report.Fail, Detail: err.Error()}}
	}
	for _, f := range files {
		if n, err := m.Lookup(f.Path); err != nil || !same(n, f.Node) {
			return []report.Check{{Name: "gate", Status: report.Fail, Detail: f.Path + " is missing or was altered: run fs-harden apply"}}
		}
	}
	if !m.Live {
		return []report.Check{c}
	}
	if err := inForce(ctx, m); err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
	}
	return []report.Check{c}
}

// inForce asks systemd whether the drop-in is part of the service as it would
// be started now. A service that does not exist was warned about in preflight.
func inForce(ctx context.Context, m *Machine) error {
	out, err := m.Run(ctx, "systemctl", "show", m.Plan.ServiceName+".service", "-p", "LoadState,Requires,After,DropInPaths")
	if err != nil {
		return err
	}
	props := map[string]string{}
	for _, l := range strings.Split(string(out), "\n") {
		key, value, _ := strings.Cut(l, "=")
		props[key] = value
	}
	if props["LoadState"] == "not-found" {
		return nil
	}
	for _, key := range []string{"Requires", "After"} {
		if !strings.Contains(" "+props[key]+" ", " "+firstbootUnit+" ") {
			return fmt.Errorf("systemd does not count %s in %s= of %s: run systemctl daemon-reload, and look for a drop-in that resets it", firstbootUnit, key, m.Plan.ServiceName)
		}
	}
	if !strings.Contains(props["DropInPaths"], dropIn) {
		return fmt.Errorf("systemd does not read %s for %s: run systemctl daemon-reload", dropIn, m.Plan.ServiceName)
	}
	return nil
}
