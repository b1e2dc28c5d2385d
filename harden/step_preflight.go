package harden

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// confDirs are where FreeSWITCH's configuration lies: the Debian packages', a
// build from source's, and a build from source's with --sysconfdir.
var confDirs = []string{"/etc/freeswitch", "/usr/local/freeswitch/conf", "/usr/local/freeswitch/etc/freeswitch"}

// requiredFiles must stand below the configuration folder. Without
// event_socket.conf.xml the module listens with its built-in password.
var requiredFiles = []string{"freeswitch.xml", "vars.xml", "autoload_configs/event_socket.conf.xml"}

// preflight refuses a machine that cannot be hardened, telling every fault at
// once, and finds FreeSWITCH's configuration for the steps after it.
func preflight(_ context.Context, m *Machine) (Proposal, error) {
	var faults []error
	if !m.Rooted() && os.Geteuid() != 0 {
		faults = append(faults, errors.New("this needs root: run it with sudo"))
	}
	faults = append(faults, debianLike(m))
	dir, err := findConfDir(m)
	if err != nil {
		return Proposal{}, errors.Join(append(faults, err)...)
	}
	m.ConfDir = dir
	for _, name := range requiredFiles {
		if !m.Exists(path.Join(dir, name)) {
			faults = append(faults, fmt.Errorf("%s is missing: install FreeSWITCH's configuration package, or point conf_dir at the folder that has it", path.Join(dir, name)))
		}
	}
	if m.Phase == report.Bake {
		faults = append(faults, missingService(m))
	}
	if err := errors.Join(faults...); err != nil {
		return Proposal{}, err
	}
	if _, err := m.Config(); err != nil {
		return Proposal{}, fmt.Errorf("%w; FreeSWITCH could not read this either: mend it first", err)
	}
	return Proposal{Reason: "FreeSWITCH is configured in " + dir}, nil
}

func findConfDir(m *Machine) (string, error) {
	if dir := m.Plan.ConfDir; dir != "" {
		dir = path.Clean(dir)
		if !m.Exists(dir) {
			return "", fmt.Errorf("conf_dir: there is no folder %s on this machine", dir)
		}
		return dir, nil
	}
	found := map[string]string{} // canonical path to the name it was found by
	var dirs []string
	for _, dir := range confDirs {
		if !m.Exists(path.Join(dir, "freeswitch.xml")) {
			continue
		}
		real, err := m.Canonical(dir)
		if err != nil {
			return "", err
		}
		if found[real] == "" {
			found[real] = dir
			dirs = append(dirs, dir)
		}
	}
	switch len(dirs) {
	case 0:
		return "", fmt.Errorf("no FreeSWITCH configuration in %s: install FreeSWITCH before this provisioner, or name its folder in conf_dir", strings.Join(confDirs, ", "))
	case 1:
		return dirs[0], nil
	default:
		return "", fmt.Errorf("FreeSWITCH is configured in %s: say in conf_dir which one is used", strings.Join(dirs, " and "))
	}
}

// debianLike refuses other distributions: units, packages and paths differ. A
// tree without os-release is let through, being somebody's bare tree.
func debianLike(m *Machine) error {
	b, err := m.ReadFile("/etc/os-release")
	if err != nil {
		return nil
	}
	var name string
	for _, l := range strings.Split(string(b), "\n") {
		key, value, _ := strings.Cut(l, "=")
		value = strings.Trim(value, `"'`)
		if key == "ID" || key == "ID_LIKE" {
			for _, id := range strings.Fields(value) {
				if id == "debian" || id == "ubuntu" {
					return nil
				}
			}
		}
		if key == "PRETTY_NAME" {
			name = value
		}
	}
	return fmt.Errorf("this is %q, and only Debian and Ubuntu are known", name)
}

// missingService is nil where this machine has FreeSWITCH's unit: without it nothing
// asks the gate, however FreeSWITCH is started. systemd makes a unit of a script in
// the manner of System V, and a masked one comes back with its drop-ins.
func missingService(m *Machine) error {
	if file, _ := inspect.UnitFile(m.View, unitNames(m)...); file != "" || m.Exists(path.Join("/etc/init.d", m.Plan.ServiceName)) {
		return nil
	}
	return fmt.Errorf("there is no unit %s.service: nothing would hold FreeSWITCH back until its secrets are made; name the unit that starts it in service_name", m.Plan.ServiceName)
}
