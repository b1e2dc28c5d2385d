package provisioner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// shownPlaces is how many places of one look's findings are named on the screen.
// The report has more of them.
const shownPlaces = 3

// findings shows what the inspection found, one line for each look and severity:
// in a vanilla FreeSWITCH there are a hundred, and most of them are alike.
func (s *screen) findings(step *report.Step) {
	for _, g := range byLook(step.Findings) {
		omitted := 0
		for _, o := range step.Omitted {
			if o.Severity == g[0].Severity && o.Look == g[0].Look {
				omitted += o.Count
			}
		}
		if g[0].Severity == report.Error {
			s.ui.Error("    ! error: " + together(g, omitted))
		} else {
			s.ui.Say("      warning: " + together(g, omitted))
		}
	}
}

// byLook puts together what one look found and weighs the same, in the order of
// the first of each.
func byLook(all []report.Finding) [][]report.Finding {
	var groups [][]report.Finding
	for _, f := range all {
		i := slices.IndexFunc(groups, func(g []report.Finding) bool {
			return g[0].Look == f.Look && g[0].Severity == f.Severity
		})
		if i < 0 {
			i = len(groups)
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

// together says a group in one line: where, why the first of them, what mends
// that, and how many more there are; so many the report only counts.
func together(g []report.Finding, omitted int) string {
	var paths, reasons []string
	for _, f := range g {
		if p := clean(f.Path); !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
		if !slices.Contains(reasons, f.Why) {
			reasons = append(reasons, f.Why)
		}
	}
	line := because(places(paths, omitted), g[0].Why)
	switch {
	case omitted > 0:
		line += fmt.Sprintf(" (the first of %s: the report has the first %d of each kind, and counts the rest)", count(len(g)+omitted, "finding"), report.Listed)
	case len(paths) == 1 && len(reasons) == 1:
		line = because(line, g[0].Remedy)
	case len(reasons) > 1:
		line += " (the first of " + count(len(g), "finding") + ": all are in the report, and fs-harden inspect tells them)"
	}
	if len(g)+omitted > 1 && g[0].Look != "" {
		line = clean(g[0].Look) + ": " + line
	}
	return line
}

// places names the first of them, and how many more there are; of those that were
// left out nobody knows whether they are other places.
func places(paths []string, omitted int) string {
	line := strings.Join(paths[:min(len(paths), shownPlaces)], ", ")
	switch n := len(paths) - shownPlaces; {
	case omitted > 0:
		line += " and more"
	case n > 0:
		line += fmt.Sprintf(" and %d more", n)
	}
	return line
}
