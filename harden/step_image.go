package harden

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// image removes what every instance of the image would share: FreeSWITCH's keys,
// logs and databases, an instance's own secrets and records. What that is, the
// inspector says, and it is asked again once all of it is gone.
func image(ctx context.Context, m *Machine) (Proposal, error) {
	if !m.Image {
		return Proposal{Status: report.Skipped, Reason: noImage}, nil
	}
	found, err := lookThrough(ctx, m, false)
	if err != nil {
		return Proposal{}, err
	}
	var p Proposal
	for _, f := range found {
		switch {
		case f.Fix == inspect.None:
		case f.Owner == inspect.Image, f.Owner == inspect.System && m.Plan.CleanupSystem, m.forgets && f.Look == inspect.KeptPasswords:
			p.Changes = append(p.Changes, removal(f))
		}
	}
	return p, nil
}

// lookThrough puts the machine to the inspector as it is now.
func lookThrough(ctx context.Context, m *Machine, strict bool) ([]inspect.Found, error) {
	unit, err := unitFiles(m)
	if err != nil {
		return nil, fmt.Errorf("looking for FreeSWITCH's unit: %w", err)
	}
	return inspect.Look(ctx, m.View, inspect.Options{ConfDir: m.ConfDir, Unit: unit, Service: serviceName(m), Building: true, Strict: strict})
}

// removal is what a finding asks for.
func removal(f inspect.Found) Change {
	c := Change{Path: f.Path, Node: host.Node{Kind: host.Absent}, Summary: f.Why, Discard: true, As: f.Home}
	if f.Fix == inspect.Empty {
		c.Node.Kind = host.File
	}
	return c
}

// inspectImage tells whether the machine is fit to be an image by now.
func inspectImage(ctx context.Context, m *Machine) ([]report.Finding, []report.Check) {
	if !m.Image {
		return nil, nil
	}
	c := report.Check{Name: "image", Status: report.Fail}
	found, err := lookThrough(ctx, m, m.Plan.StrictImage)
	if err != nil {
		c.Detail = err.Error()
		return nil, []report.Check{c}
	}
	var findings []report.Finding
	var bad []string
	for _, f := range found {
		if ofThisRun(m, f.Path) {
			continue
		}
		f.Finding.Look = f.Look
		findings = append(findings, f.Finding)
		if f.Severity == report.Error {
			bad = append(bad, fmt.Sprintf("%s: %s; %s", f.Path, f.Why, f.Remedy))
		}
	}
	if len(bad) == 0 {
		c.Status, c.Detail = report.Pass, "fit to be an image, with "+count(len(findings), "warning")
		return findings, []report.Check{c}
	}
	c.Detail = fmt.Sprintf("not fit to be an image, %s: %s", count(len(bad), "error"), strings.Join(bad[:min(len(bad), shownErrors)], "; "))
	return findings, []report.Check{c}
}

// shownErrors is how many findings the sentence of a failed check holds; all of
// them are in the report.
const shownErrors = 5

// ofThisRun tells whether a path is there only until this very run is over: what
// it set aside, its journal, and the folder that this program was uploaded to.
func ofThisRun(m *Machine, at string) bool {
	if host.IsAside(at) || at == journal.Dir || strings.HasPrefix(at, journal.Dir+"/") {
		return true
	}
	program, err := os.Readlink(m.program)
	return err == nil && !m.Rooted() && path.Dir(program) == at
}
