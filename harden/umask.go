package harden

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	// systemdUMask is what a unit has that names none (systemd.exec(5)).
	systemdUMask = 0o022
	// forOthers are the bits of a mode for who is neither owner nor of the group.
	forOthers = 0o007
)

// unitUMask is the UMask= of FreeSWITCH's unit and its drop-ins, but for ours.
func unitUMask(m *Machine) (fs.FileMode, error) {
	files, err := unitFiles(m)
	if err != nil {
		return 0, err
	}
	mask := fs.FileMode(systemdUMask)
	for _, f := range files {
		text, err := m.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		mask = parseUMask(string(text), mask)
	}
	return mask, nil
}

// unitFiles are the unit and its drop-ins in the order in which they count, the
// last word last.
func unitFiles(m *Machine) ([]string, error) {
	names := slices.Compact([]string{serviceUnit(m), m.Plan.ServiceName + ".service"})
	var unit string
	dropIns := map[string]string{}
	for _, dir := range slices.Backward(unitDirs) {
		for _, name := range names {
			if f := path.Join(dir, name); m.Exists(f) {
				unit = f
			}
			found, err := m.Glob(path.Join(dir, name+".d", "*.conf"))
			if err != nil {
				return nil, err
			}
			for _, f := range found {
				dropIns[path.Base(f)] = f
			}
		}
	}
	var files []string
	if unit != "" {
		files = append(files, unit)
	}
	delete(dropIns, umaskDropIn)
	var order []string
	for name := range dropIns {
		order = append(order, name)
	}
	slices.Sort(order)
	for _, name := range order {
		files = append(files, dropIns[name])
	}
	return files, nil
}

// parseUMask reads a unit's text; before is what counts where it says nothing.
func parseUMask(text string, before fs.FileMode) fs.FileMode {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		}
		key, value, _ := strings.Cut(line, "=")
		if section != "[Service]" || strings.TrimSpace(key) != "UMask" {
			continue
		}
		if n, err := strconv.ParseUint(strings.TrimSpace(value), 8, 9); err == nil {
			before = fs.FileMode(n)
		}
	}
	return before
}
