package harden

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// installHelper puts this program and the plan where first boot finds them.
func installHelper(_ context.Context, m *Machine) (Proposal, error) {
	self, err := os.ReadFile(m.program)
	if err != nil {
		return Proposal{}, fmt.Errorf("reading this program to copy it: %w", err)
	}
	if err := sameMachine(m, self); err != nil {
		return Proposal{}, err
	}
	return Proposal{Changes: []Change{
		{Path: state.HelperPath, Node: host.NewFile(self, 0o755), Summary: "the helper of first boot"},
		{Path: state.PlanPath, Node: host.NewFile(m.Plan.Encode(), 0o600), Summary: "what was asked for, without secrets"},
		{Path: state.Dir, Node: host.Node{Kind: host.Folder, Mode: 0o700}, Summary: "what fs-harden remembers"},
	}}, nil
}

// sameMachine refuses to put a helper into a tree whose processor it is not
// made for: the image would never start FreeSWITCH.
func sameMachine(m *Machine, self []byte) error {
	if !m.Rooted() {
		return nil
	}
	sh, err := m.ReadFile("/bin/sh")
	if err != nil {
		return nil // a bare tree tells nothing
	}
	ours, theirs := processorOf(self), processorOf(sh)
	if ours != 0 && theirs != 0 && ours != theirs {
		return fmt.Errorf("this fs-harden is for %s and the tree for %s: use the fs-harden of the tree's architecture, under emulation if need be", ours, theirs)
	}
	return nil
}

// processor is what a program is made for: e_machine of elf(5).
type processor uint16

func (p processor) String() string {
	switch p {
	case 62:
		return "amd64"
	case 183:
		return "arm64"
	default:
		return fmt.Sprintf("processor %d of elf(5)", uint16(p))
	}
}

// processorOf reads the header of a program, 0 for what is none. debug/elf does so
// too, and would add 170 KiB to the helper.
func processorOf(program []byte) processor {
	if len(program) < 20 || string(program[:4]) != "\x7fELF" {
		return 0
	}
	if program[5] == 2 { // EI_DATA: the most significant byte comes first
		return processor(binary.BigEndian.Uint16(program[18:]))
	}
	return processor(binary.LittleEndian.Uint16(program[18:]))
}

// checkHelper proves that the helper is there and that nobody but root can replace
// it: by its owner, its mode, or a folder above it.
func checkHelper(_ context.Context, m *Machine) []report.Check {
	c := report.Check{Name: "helper", Status: report.Pass, Detail: state.HelperPath}
	n, err := m.Outline(state.HelperPath)
	if err == nil && (n.Kind != host.File || n.Mode&0o111 == 0) {
		err = fmt.Errorf("%s cannot be run: FreeSWITCH will not start; run fs-harden apply again", state.HelperPath)
	}
	if err == nil {
		if err = m.OnlyRoot(state.HelperPath); err != nil {
			err = fmt.Errorf("others than root can replace what root runs before each start of FreeSWITCH: %w; chown root: it and chmod go-w it", err)
		}
	}
	if err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
	}
	return []report.Check{c}
}
