package harden

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
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
	files, err := inspect.UnitFiles(m.View, unitNames(m)...)
	return slices.DeleteFunc(files, func(f string) bool { return path.Base(f) == umaskDropIn }), err
}

// unitNames are the names of FreeSWITCH's unit: a template's, and the instance's.
func unitNames(m *Machine) []string {
	return slices.Compact([]string{serviceUnit(m), m.Plan.ServiceName + ".service"})
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
