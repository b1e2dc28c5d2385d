package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// quiet is the sink of a dry run: its output is the diff alone.
type quiet struct{}

func (quiet) Begin(string)    {}
func (quiet) End(report.Step) {}

// lines is the sink of --json.
type lines struct{ enc *json.Encoder }

func (l *lines) Begin(step string)  { _ = l.enc.Encode(report.Event{Begin: step}) }
func (l *lines) End(st report.Step) { _ = l.enc.Encode(report.Event{Step: &st}) }

// people is the sink for readers.
type people struct{ w io.Writer }

func (p *people) Begin(string) {}

func (p *people) End(st report.Step) {
	fmt.Fprintf(p.w, "%-10s %s", st.Status, st.Name)
	if st.Reason != "" {
		fmt.Fprintf(p.w, ": %s", strings.ReplaceAll(st.Reason, "\n", "\n           "))
	}
	fmt.Fprintln(p.w)
	for _, c := range st.Changes {
		fmt.Fprintf(p.w, "           %s %s: %s\n", c.Action, c.Path, c.Summary)
	}
	for _, c := range st.Checks {
		fmt.Fprintf(p.w, "           %s %s: %s\n", c.Status, c.Name, c.Detail)
	}
}

func summary(w io.Writer, rep *report.Report) error {
	for _, text := range rep.Warnings {
		if _, err := fmt.Fprintf(w, "warning    %s\n", text); err != nil {
			return err
		}
	}
	of := ""
	if rep.InstanceID != "" {
		of = " for instance " + rep.InstanceID
	}
	what := string(rep.Phase)
	if rep.DryRun {
		what += " (dry run, nothing was touched)"
	}
	_, err := fmt.Fprintf(w, "%s%s: %s in %d ms\n", what, of, rep.Result, rep.DurationMS)
	return err
}

func printStatus(w io.Writer, st harden.Status) error {
	row := func(name, value string) string {
		if value == "" {
			value = "-"
		}
		return fmt.Sprintf("%-14s %s\n", name, value)
	}
	ready := "yes"
	if !st.Ready {
		ready = "no: " + st.Why
	}
	_, err := io.WriteString(w, row("configuration", st.ConfDir)+
		row("baked", date(st.Baked))+
		row("backup", st.Backup)+
		row("secrets made", date(st.Made))+
		row("instance", strings.TrimSpace(st.Instance+" "+parenthesis(st.Source)))+
		row("may start", ready))
	return err
}

func parenthesis(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02 15:04:05 UTC")
}
