package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
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
type people struct {
	w io.Writer
	// journal tells that systemd's journal reads it: what failed is then a line
	// of its own with the priority of an error (sd-daemon(3)).
	journal bool
}

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
	printFindings(p.w, st.Findings)
	for _, c := range st.Checks {
		if p.journal && c.Status == report.Fail {
			fmt.Fprintf(p.w, "<3>%s %s: %s\n", c.Status, c.Name, strings.Join(strings.Fields(c.Detail), " "))
			continue
		}
		fmt.Fprintf(p.w, "           %s %s: %s\n", c.Status, c.Name, c.Detail)
	}
}

// isJournal tells whether a file is systemd's journal, as systemd.exec(5) says
// to: JOURNAL_STREAM holds the file's device and inode.
func isJournal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
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
	ready := "yes"
	if !st.Ready {
		ready = "no"
		if st.Why != "" {
			ready += ": " + st.Why
		}
	}
	rotated := "never"
	if !st.Rotated.IsZero() {
		rotated = date(st.Rotated)
	}
	if st.Made.IsZero() {
		rotated = ""
	}
	drifted := make([]string, len(st.Drifted))
	for i, d := range st.Drifted {
		drifted[i] = d.Path + " " + d.What
		if !d.At.IsZero() {
			drifted[i] += ", " + date(d.At)
		}
	}
	_, err := io.WriteString(w, row("state", string(st.State))+
		row("instance", instance(st)...)+
		row("configuration", st.ConfDir)+
		row("baked", date(st.Baked))+
		row("backup", st.Backup)+
		row("secrets made", date(st.Made))+
		row("rotated", rotated)+
		row("may start", ready)+
		row("verified", verified(st.Verified)...)+
		row("drifted", drifted...)+
		row("failing", sentences(st.Failing)...))
	return err
}

func instance(st harden.Status) []string {
	is := []string{strings.TrimSpace(st.Instance + " " + parenthesis(st.Source))}
	if st.Doubt != "" {
		is = append(is, "warning: "+st.Doubt)
	}
	return is
}

// row is a name and what there is to say of it, a line for each.
func row(name string, values ...string) string {
	if len(values) == 0 || values[0] == "" {
		values = []string{"-"}
	}
	return fmt.Sprintf("%-14s %s\n", name, strings.Join(values, "\n"+strings.Repeat(" ", 15)))
}

// verified tells what the last verify saw.
func verified(v *harden.Verified) []string {
	if v == nil {
		return []string{"not since this machine booted"}
	}
	return append([]string{fmt.Sprintf("%s, %d passed, %d failed, %d left out", date(v.At), v.Passed, len(v.Failed), v.LeftOut)}, sentences(v.Failed)...)
}

func sentences(checks []report.Check) []string {
	out := make([]string, len(checks))
	for i, c := range checks {
		out[i] = c.Name + ": " + c.Detail
	}
	return out
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
