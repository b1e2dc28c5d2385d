package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// step has one of each that a step can have.
var step = report.Step{
	Name: "image", Status: report.StepFailed, Reason: "first\nsecond",
	Changes:  []report.Change{{Path: "/a", Action: "edit", Summary: "a change"}},
	Findings: []report.Finding{{Path: "/k", Severity: report.Error, Why: "a key", Remedy: "rm /k"}},
	Checks:   []report.Check{{Name: "good", Status: report.Pass, Detail: "fine"}, {Name: "bad", Status: report.Fail, Detail: "one\ntwo"}},
}

func TestAStepForPeople(t *testing.T) {
	t.Parallel()
	const head = "failed     image: first\n           second\n           edit /a: a change\n  error    /k: a key; rm /k\n           pass good: fine\n"
	for name, tt := range map[string]struct {
		journal bool
		want    string
	}{
		"on a terminal": {false, head + "           fail bad: one\ntwo\n"},
		// A line of the journal has a priority of its own (sd-daemon(3)).
		"in the journal": {true, head + "<3>fail bad: one two\n"},
	} {
		var out strings.Builder
		(&people{w: &out, journal: tt.journal}).End(step)
		if out.String() != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, out.String(), tt.want)
		}
	}
	var out strings.Builder
	(&people{w: &out}).End(report.Step{Name: "gate", Status: report.Unchanged})
	if out.String() != "unchanged  gate\n" {
		t.Errorf("%q", out.String())
	}
}

// Standard output with --json is JSON alone, a line each, and the report comes
// also where the run failed.
func TestJSONLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	sink := &lines{json.NewEncoder(&out)}
	sink.Begin("image")
	sink.End(step)
	failure := errors.New("it failed")
	rep := &report.Report{Version: report.Version, Phase: report.Bake, Result: report.Failed, Steps: []report.Step{step}}
	if err := end(&invocation{json: true}, &out, rep, failure); !errors.Is(err, failure) {
		t.Errorf("the failure was lost: %v", err)
	}
	var kinds []string
	final, err := report.Scan(&out, func(e report.Event, text string) {
		switch {
		case e.Begin != "":
			kinds = append(kinds, "begin "+e.Begin)
		case e.Step != nil:
			kinds = append(kinds, "step "+e.Step.Name)
		case e.Final != nil:
			kinds = append(kinds, "report")
		default:
			kinds = append(kinds, "noise "+text)
		}
	})
	if got := strings.Join(kinds, ", "); err != nil || final.Result != report.Failed || got != "begin image, step image, report" {
		t.Errorf("%s, %+v, %v", got, final, err)
	}
}

func TestTheLastLine(t *testing.T) {
	t.Parallel()
	for want, rep := range map[string]report.Report{
		"bake: ok in 7 ms\n": {Phase: report.Bake, Result: report.OK, DurationMS: 7},
		"bake (dry run, nothing was touched): ok in 7 ms\n":                     {Phase: report.Bake, Result: report.OK, DurationMS: 7, DryRun: true},
		"warning    a\nwarning    b\nrotate for instance i-1: failed in 7 ms\n": {Phase: report.Rotate, Result: report.Failed, DurationMS: 7, InstanceID: "i-1", Warnings: []string{"a", "b"}},
	} {
		var out strings.Builder
		failure := errors.New("it failed")
		if err := end(&invocation{}, &out, &rep, failure); !errors.Is(err, failure) || out.String() != want {
			t.Errorf("%q, %v; want %q", out.String(), err, want)
		}
	}
}

// A report that cannot be written is a failure, and one that is replaces the old.
func TestTheReportsFile(t *testing.T) {
	t.Parallel()
	p := filepath.Join(t.TempDir(), "report.json")
	if err := os.WriteFile(p, []byte("old, and longer than what comes"), 0o600); err != nil {
		t.Fatal(err)
	}
	rep := &report.Report{Version: report.Version, Phase: report.Bake, Result: report.OK, Steps: []report.Step{step}}
	if err := writeReport(p, rep); err != nil {
		t.Fatal(err)
	}
	var back report.Report
	b, err := os.ReadFile(p)
	if err != nil || json.Unmarshal(b, &back) != nil || len(back.Steps) != 1 || !strings.HasSuffix(string(b), "}\n") {
		t.Errorf("%s, %v", b, err)
	}
	if err := writeReport(filepath.Join(p, "below-a-file"), rep); err == nil || !strings.Contains(err.Error(), "--report") {
		t.Error(err)
	}
}

func TestAStatusForPeople(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	st := harden.Status{
		State: "hardened", Instance: "i-1", Source: "cloud-init", Ready: false, Why: "the gate is shut", Made: at,
		Verified: &harden.Verified{At: at, Passed: 3, LeftOut: 2, Failed: []report.Check{{Name: "firewall", Detail: "flushed"}}},
		Failing:  []report.Check{{Name: "unit", Detail: "gone"}},
	}
	var out strings.Builder
	if err := printStatus(&out, st); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"state          hardened\n", "instance       i-1 (cloud-init)\n", "configuration  -\n", "secrets made   2026-11-27 12:00:00 UTC\n",
		"rotated        never\n", "may start      no: the gate is shut\n", "verified       2026-11-27 12:00:00 UTC, 3 passed, 1 failed, 2 left out\n               firewall: flushed\n",
		"drifted        -\n", "failing        unit: gone\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := printStatus(&out, harden.Status{Ready: true}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"may start      yes\n", "rotated        -\n", "secrets made   -\n", "verified       not since this machine booted\n", "failing        -\n", "instance       -\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
}
