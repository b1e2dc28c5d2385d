package harden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// confidential closes the files that hold the two secrets to everybody but
// FreeSWITCH: Debian's packages install them like that, a build from source
// leaves them open to all.
func confidential(_ context.Context, m *Machine) (Proposal, error) {
	var p Proposal
	files, err := secretFiles(m)
	if err != nil {
		return p, err
	}
	for _, f := range files {
		n, err := m.Lookup(f)
		if err != nil {
			return p, err
		}
		closed, err := m.closed(n)
		if err != nil {
			return p, fmt.Errorf("every user can read the passwords in %s: %w", f, err)
		}
		if closed.Mode != n.Mode {
			p.Changes = append(p.Changes, Change{Path: f, Node: closed.WithData(n.Data), Summary: "FreeSWITCH reads it, and no other user"})
		}
	}
	return p, nil
}

// secretFiles are the configuration files that set the two passwords, or, where
// none sets the one of SIP, the file that will.
func secretFiles(m *Machine) ([]string, error) {
	c, err := m.Config()
	if err != nil {
		return nil, err
	}
	var set []string
	for _, d := range c.Directives() {
		if d.Cmd == "set" && d.Name == sipVariable {
			set = append(set, d.File)
		}
	}
	if vars := path.Join(m.ConfDir, "vars.xml"); len(set) == 0 && m.Exists(vars) {
		set = append(set, vars)
	}
	for _, param := range c.Params(fsxml.EventSocket()) {
		if param.Name == "password" {
			set = append(set, param.File)
		}
	}
	var files []string
	for _, f := range set {
		real, err := m.ownConfig(f)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(files, real) {
			files = append(files, real)
		}
	}
	return files, nil
}

// closed is a file without access for others, which FreeSWITCH still reads: as its
// owner, as root, or else by its group. The error says that nobody knows who that is.
func (m *Machine) closed(n host.Node) (host.Node, error) {
	if n.Kind != host.File || n.Mode&forOthers == 0 {
		return n, nil
	}
	uid, gid, err := m.runsFreeSWITCH()
	if err != nil {
		return n, err
	}
	n.Mode &^= forOthers
	if uid != 0 && n.UID != uid {
		n.GID = gid
		n.Mode |= 0o040
	}
	return n, nil
}

// runsFreeSWITCH is as whom FreeSWITCH runs: by its unit, or else by the name that
// its packages give that user; root, where its unit starts it and says nothing.
func (m *Machine) runsFreeSWITCH() (uid, gid int, err error) {
	unit, err := unitFiles(m)
	if err != nil {
		return 0, 0, err
	}
	user, group, known := inspect.RunsAs(m.View, unit)
	passwd, err := m.ReadFile("/etc/passwd")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, err
	}
	accounts := parsePasswd(string(passwd))
	a, ok := accounts[user]
	if user == "" {
		a, ok = accounts["freeswitch"]
		ok = ok || known // root, which is the account of no name
	} else if n, err := strconv.Atoi(user); err == nil && !ok {
		a, ok = account{uid: n, gid: n}, true
	}
	if !ok {
		return 0, 0, fmt.Errorf("who runs FreeSWITCH is not known (User= of its unit: %q): make that user the owner of the file, or its group one of his, and chmod o= it", user)
	}
	if g, ok := m.groupNamed(group); ok {
		a.gid = g
	}
	return a.uid, a.gid, nil
}

// groupNamed looks a group up by its name or number (group(5)).
func (m *Machine) groupNamed(name string) (gid int, ok bool) {
	if gid, err := strconv.Atoi(name); err == nil {
		return gid, true
	}
	text, err := m.ReadFile("/etc/group")
	if err != nil || name == "" {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, ":"); len(f) == 4 && f[0] == name {
			gid, err := strconv.Atoi(f[2])
			return gid, err == nil
		}
	}
	return 0, false
}

func checkConfidential(_ context.Context, m *Machine) []report.Check {
	c := report.Check{Name: "configuration-closed", Status: report.Pass, Detail: "the passwords in FreeSWITCH's configuration are for FreeSWITCH alone"}
	if err := passwordsClosed(m); err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
	}
	return []report.Check{c}
}

func passwordsClosed(m *Machine) error {
	files, err := secretFiles(m)
	if err != nil {
		return err
	}
	for _, f := range files {
		n, err := m.Outline(f)
		if err != nil {
			return err
		}
		if n.Mode&forOthers != 0 {
			return fmt.Errorf("every user can read the passwords in %s (mode %04o): run fs-harden apply, or chmod o= %[1]s", f, uint32(n.Mode.Perm()))
		}
	}
	return nil
}
