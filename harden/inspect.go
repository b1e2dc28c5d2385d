package harden

import (
	"context"
	"fmt"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// Inspect tells whether this machine, or this tree, is fit to be an image. It
// changes nothing. strict makes every warning an error. Where there is no
// FreeSWITCH, also none that its unit names, the system is looked at all the
// same, and the error says so: half of what was asked for could not be done.
func (r *Runner) Inspect(ctx context.Context, strict bool) (*report.Report, error) {
	p, err := r.plan()
	if err != nil {
		p = plan.Default()
	}
	s := r.start(report.Inspect, p)
	if err != nil && r.Host.Exists(state.PlanPath) { // else it was not baked, which its passwords tell
		s.m.Warn("%v; the defaults are taken", err)
	}
	dir, missing := findConfDir(s.m)
	unit, err := unitFiles(s.m)
	if err != nil {
		return s.finish(fmt.Errorf("looking for FreeSWITCH's unit: %w", err))
	}
	found, err := inspect.Look(ctx, s.m.View, inspect.Options{ConfDir: dir, Unit: unit, Service: serviceName(s.m), Building: s.m.Live, Strict: strict})
	if err != nil {
		return s.finish(fmt.Errorf("inspecting: %w", err))
	}
	s.report.Steps = inspected(found)
	for _, st := range s.report.Steps {
		r.Out.End(st)
	}
	switch failed := s.report.FailedChecks(); {
	case missing != nil && inspect.ConfDir(s.m.View, unit) == "":
		return s.finish(fmt.Errorf("%w; only the system was looked at", missing))
	case failed > 0:
		return s.finish(fmt.Errorf("%w: this is not fit to be an image, %d of %d looks say", errCheck, failed, len(s.report.Steps)))
	}
	return s.finish(nil)
}

// inspected puts findings into the form of a report: a step for each look, with
// one check.
func inspected(found []inspect.Found) []report.Step {
	var steps []report.Step
	for _, l := range inspect.Looks() {
		st := report.Step{Name: l.Name, Status: report.Unchanged}
		errors, warnings := 0, 0
		for _, f := range found {
			if f.Look != l.Name {
				continue
			}
			st.Findings = append(st.Findings, f.Finding)
			if f.Severity == report.Error {
				errors++
			} else {
				warnings++
			}
		}
		c := report.Check{Name: l.Name, Status: report.Pass}
		switch {
		case errors > 0:
			c.Status, c.Detail = report.Fail, count(errors, "error")
			st.Status, st.Reason = report.StepFailed, c.Detail
		case warnings > 0:
			c.Detail = count(warnings, "warning")
		}
		st.Checks = []report.Check{c}
		steps = append(steps, st)
	}
	return steps
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
