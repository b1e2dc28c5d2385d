package harden

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

const umaskDropIn = "50-fs-harden-umask.conf"

// expandedNames are the files that FreeSWITCH writes at every load, the second
// while it writes the first (switch_xml.c, switch_xml_parse_file): fopen(3)
// makes them with mode 0666 less the umask.
var expandedNames = []string{"freeswitch.xml.fsxml", "freeswitch.xml.fsxml.tmp"}

// expandedConfiguration keeps others out of FreeSWITCH's configuration as it
// expands it, passwords in clear, at every load: by the folder's mode, which the
// chown at every start leaves alone, and by the umask, also where an upgrade
// brings a unit without one.
func expandedConfiguration(_ context.Context, m *Machine) (Proposal, error) {
	dir, err := logFolder(m, path.Dir(authLog(m)))
	if err != nil {
		return Proposal{}, err
	}
	dir.Mode &^= forOthers
	dropIn, err := umaskFile(m)
	if err != nil {
		return Proposal{}, err
	}
	p := Proposal{Changes: []Change{
		{Path: dir.path, Node: dir.Node, Summary: "closed to others: FreeSWITCH writes passwords in clear here"},
		dropIn,
	}}
	if settled, err := changesNothing(m, []Change{dropIn}); err == nil && !settled && m.Live {
		p.Actions = []Action{daemonReload(m.Host)}
	} else if err != nil {
		return Proposal{}, err
	}
	return p, nil
}

func umaskPath(m *Machine) string { return path.Join(unitDir, serviceUnit(m)+".d", umaskDropIn) }

// umaskFile never lets in whom the unit keeps out.
func umaskFile(m *Machine) (Change, error) {
	mask, err := unitUMask(m)
	if err != nil {
		return Change{}, err
	}
	text, err := templates.ReadFile("templates/" + umaskDropIn)
	if err != nil {
		return Change{}, err
	}
	octal := fmt.Sprintf("%04o", uint32(mask|forOthers))
	return Change{
		Path: umaskPath(m), Node: host.NewFile([]byte(strings.ReplaceAll(string(text), "@UMASK@", octal)), 0o644),
		Summary: "FreeSWITCH runs with the umask " + octal,
	}, nil
}

func checkExpanded(ctx context.Context, m *Machine) []report.Check {
	c := report.Check{Name: "expanded-configuration", Status: report.Pass, Detail: "nobody else reads FreeSWITCH's passwords in its log folder"}
	if err := expandedClosed(ctx, m); err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
	}
	return []report.Check{c}
}

func expandedClosed(ctx context.Context, m *Machine) error {
	for _, dir := range expandedDirs(ctx, m) {
		if err := closedToOthers(m, dir); err != nil {
			return err
		}
	}
	text, err := m.ReadFile(umaskPath(m))
	if err != nil || parseUMask(string(text), 0)&forOthers != forOthers {
		return fmt.Errorf("%s is missing or lets others in: run fs-harden apply", umaskPath(m))
	}
	if !m.Live {
		return nil
	}
	return umaskInForce(ctx, m)
}

// closedToOthers looks at the files, and at the folder that may keep others from
// them whatever their modes are.
func closedToOthers(m *Machine, dir string) error {
	real, err := m.Canonical(dir)
	if err != nil {
		return err
	}
	folder, err := m.Outline(real)
	if err != nil {
		return err
	}
	for _, name := range expandedNames {
		file, err := m.Outline(path.Join(real, name))
		if err != nil {
			return err
		}
		if file.Kind != host.Absent && file.Mode&forOthers != 0 && folder.Mode&forOthers != 0 {
			return fmt.Errorf("%s holds every password of FreeSWITCH and is open to others (mode %04o in a folder of %04o): run fs-harden apply, or chmod o= %[4]s", path.Join(real, name), uint32(file.Mode.Perm()), uint32(folder.Mode.Perm()), real)
		}
	}
	return nil
}

// expandedDirs are the log folder as the layout has it, and as the running
// FreeSWITCH has it, which may have been started with another.
func expandedDirs(ctx context.Context, m *Machine) []string {
	dirs := []string{path.Dir(authLog(m))}
	if !m.Live || !m.Runs(freeswitchComm) {
		return dirs
	}
	cfg, err := m.Config()
	if err != nil {
		return dirs // other checks say so
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	conn, err := m.eventSocket().Dial(ctx, eslAddress(cfg), currentESL(cfg).Reveal())
	if err != nil {
		return dirs
	}
	defer conn.Close()
	if dir, err := conn.API(ctx, "global_getvar log_dir"); err == nil && path.IsAbs(dir) && path.Clean(dir) != dirs[0] {
		dirs = append(dirs, path.Clean(dir))
	}
	return dirs
}

// umaskInForce asks systemd with which umask it would start FreeSWITCH now.
func umaskInForce(ctx context.Context, m *Machine) error {
	out, err := m.Run(ctx, "systemctl", "show", m.Plan.ServiceName+".service", "-p", "LoadState,UMask")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(out), "UMask=")
	value, _, _ := strings.Cut(rest, "\n")
	mask, err := strconv.ParseUint(value, 8, 9)
	switch {
	case strings.Contains(string(out), "LoadState=not-found"):
		return nil
	case err != nil:
		return fmt.Errorf("systemd tells no umask of %s: %q", m.Plan.ServiceName, out)
	case fs.FileMode(mask)&forOthers != forOthers:
		return fmt.Errorf("systemd starts %s with the umask %s, which lets others read what it writes: run systemctl daemon-reload, and look for a drop-in that says otherwise (systemctl cat %[1]s)", m.Plan.ServiceName, value)
	}
	return nil
}
