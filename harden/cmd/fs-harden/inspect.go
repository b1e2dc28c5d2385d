package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

func inspect(ctx context.Context, inv *invocation, stdout io.Writer) error {
	r, err := runner(inv, stdout)
	if err != nil {
		return err
	}
	if !inv.json {
		r.Out = &inspection{w: stdout}
	}
	rep, err := r.Inspect(ctx, inv.strict)
	if inv.json {
		return end(inv, stdout, rep, err)
	}
	for _, text := range rep.Warnings {
		fmt.Fprintf(stdout, "warning    %s\n", text)
	}
	_, failed := fmt.Fprintln(stdout, verdict(rep))
	return errors.Join(err, failed)
}

// inspection is the sink of inspect for readers: what was found, look by look.
// A look that found nothing says nothing.
type inspection struct{ w io.Writer }

func (*inspection) Begin(string) {}

func (i *inspection) End(st report.Step) {
	if len(st.Findings) > 0 {
		fmt.Fprintf(i.w, "%s\n", st.Name)
		printFindings(i.w, st.Findings)
	}
}

// moreShown is how many further paths of one kind are named: vanilla has twenty
// users with the same fault. --json names more.
const moreShown = 3

// printFindings writes a line for each kind of finding, and below it where else
// the same was found.
func printFindings(w io.Writer, findings []report.Finding) {
	for len(findings) > 0 {
		first := findings[0]
		var also []string
		var rest []report.Finding
		for _, f := range findings[1:] {
			if f.Severity == first.Severity && f.Why == first.Why {
				also = append(also, f.Path)
			} else {
				rest = append(rest, f)
			}
		}
		fmt.Fprintf(w, "  %-8s %s\n", first.Severity, plain(first.Path+": "+first.Why+"; "+first.Remedy))
		if n := len(also) - moreShown; n > 0 {
			also = append(also[:moreShown], fmt.Sprintf("and %d more (--json names %s)", n, namedByJSON(1+len(also))))
		}
		if len(also) > 0 {
			fmt.Fprintf(w, "           also %s\n", plain(strings.Join(also, ", ")))
		}
		findings = rest
	}
}

// namedByJSON is how many of n findings of one kind a report names.
func namedByJSON(n int) string {
	if n > report.Listed {
		return fmt.Sprintf("the first %d", report.Listed)
	}
	return "all"
}

// plain takes out what a terminal would act upon: names of files in an image are
// whoever's who made it.
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '?'
	}, text)
}

// verdict is the last line.
func verdict(rep *report.Report) string {
	errors, warnings := 0, 0
	for _, st := range rep.Steps {
		errors += st.Count(report.Error)
		warnings += st.Count(report.Warning)
	}
	return fmt.Sprintf("inspect: %s in %d ms, errors: %d, warnings: %d", rep.Result, rep.DurationMS, errors, warnings)
}
