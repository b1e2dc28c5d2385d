package provisioner

import (
	"fmt"
	"strings"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// screen shows a run in Packer's output. Colour is the Ui's: what went wrong
// goes through Error, the rest through Say.
type screen struct {
	ui   packersdk.Ui
	slow *time.Timer
}

// patience is how long a step may take before its name is shown as under way.
// Quick steps, which are nearly all of them, show once, when they end.
const patience = 5 * time.Second

// marks let the eye find what is not as usual in the first column.
var marks = map[report.Status]string{
	report.Changed:    "+",
	report.Unchanged:  "=",
	report.Deferred:   "~",
	report.Skipped:    "-",
	report.StepFailed: "!",
}

// event shows one line of the helper's output: what it means, or, when it is
// none of the helper's, as it is.
func (s *screen) event(e report.Event, text string) {
	switch {
	case e.Step != nil:
		s.stop()
		s.step(e.Step)
	case e.Begin != "":
		s.stop()
		name := clean(e.Begin)
		s.slow = time.AfterFunc(patience, func() { s.ui.Sayf("  > %-20s is under way", name) })
	case e.Final != nil:
		s.stop()
		for _, w := range e.Final.Warnings {
			s.ui.Say("  warning: " + clean(w))
		}
	default:
		s.chatter(text)
	}
}

func (s *screen) stop() {
	if s.slow != nil {
		s.slow.Stop()
	}
}

// chatter shows a line that is not the helper's: of sudo, or of a login shell.
func (s *screen) chatter(text string) {
	if text = clean(text); text != "" {
		s.ui.Say("  | " + text)
	}
}

func (s *screen) step(step *report.Step) {
	say := s.ui.Say
	if step.Status == report.StepFailed {
		say = s.ui.Error
	}
	mark, ok := marks[step.Status]
	if !ok {
		mark = "?"
	}
	status := because(string(step.Status), step.Reason)
	say(fmt.Sprintf("  %s %-20s %s", mark, clean(step.Name), status))
	for _, c := range step.Changes {
		s.ui.Say("      " + change(c))
	}
	if n := step.OmittedChanges; n > 0 {
		s.ui.Say("      and " + count(n, "more change"))
	}
	s.findings(step)
	for _, c := range step.Checks {
		if c.Status == report.Fail {
			s.ui.Error("    ! check failed: " + because(c.Name, c.Detail))
		}
	}
}

// change is where and what, as far as they are told.
func change(c report.Change) string {
	what := c.Summary
	if what == "" {
		what = c.Action
	}
	if c.Path == "" {
		return clean(what)
	}
	return because(c.Path, what)
}

// sum is the one line that tells how a run went.
func sum(rep *report.Report) string {
	steps := map[report.Status]int{}
	checks := map[report.CheckStatus]int{}
	for _, step := range rep.Steps {
		steps[step.Status]++
		for _, c := range step.Checks {
			checks[c.Status]++
		}
	}
	parts := []string{}
	for _, st := range []report.Status{
		report.Changed, report.Unchanged, report.Deferred, report.Skipped, report.StepFailed,
	} {
		if n := steps[st]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, st))
		}
	}
	line := count(len(rep.Steps), "step")
	if len(parts) > 0 {
		line += ": " + strings.Join(parts, ", ")
	}
	if n := checks[report.Pass]; n > 0 {
		line += "; " + count(n, "check") + " passed"
	}
	if n := checks[report.Fail]; n > 0 {
		line += "; " + count(n, "check") + " failed"
	}
	return fmt.Sprintf("%s (%.1f s)", line, float64(rep.DurationMS)/1000)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
