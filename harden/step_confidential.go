package harden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
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
			return p, err
		}
		switch {
		case closed.Mode != n.Mode:
			p.Changes = append(p.Changes, Change{Path: f, Node: closed.WithData(n.Data), Summary: "FreeSWITCH reads it, and no other user"})
		case n.Mode&forOthers != 0:
			m.Warn("every user of this machine can read the passwords in %s: there is no user freeswitch here, and who runs FreeSWITCH is not known; chown the file to that user and chmod o= it", f)
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

// closed is a file without access for others, which FreeSWITCH still reads: as
// its owner, or else by its group. Where there is no user of FreeSWITCH's name,
// it is left as it is: FreeSWITCH may be one of those others.
func (m *Machine) closed(n host.Node) (host.Node, error) {
	if n.Kind != host.File || n.Mode&forOthers == 0 {
		return n, nil
	}
	passwd, err := m.ReadFile("/etc/passwd")
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	} else if err != nil {
		return n, err
	}
	user, ok := parsePasswd(string(passwd))["freeswitch"]
	if !ok {
		return n, nil
	}
	n.Mode &^= forOthers
	if n.UID != user.uid {
		n.GID = user.gid
		n.Mode |= 0o040
	}
	return n, nil
}

func checkConfidential(_ context.Context, m *Machine) []report.Check {
	c := report.Check{Name: "configuration-closed", Status: report.Pass, Detail: "the passwords in FreeSWITCH's configuration are for FreeSWITCH alone"}
	files, err := secretFiles(m)
	for _, f := range files {
		var n, closed host.Node
		if n, err = m.Lookup(f); err == nil {
			closed, err = m.closed(n)
		}
		if err == nil && closed.Mode != n.Mode {
			err = fmt.Errorf("every user can read the passwords in %s (mode %04o): run fs-harden apply, or chmod o= %[1]s", f, uint32(n.Mode.Perm()))
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
	}
	return []report.Check{c}
}
