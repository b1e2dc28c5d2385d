package report_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// full is a report that uses every field.
var full = report.Report{
	Version: report.Version, Phase: report.Bake, Result: report.Failed,
	InstanceID: "i-0123456789abcdef0", DurationMS: 1234, DryRun: true, Warnings: []string{"open to the world"},
	Steps: []report.Step{{
		Name: "gate", Status: report.StepFailed, Reason: "masked",
		Changes: []report.Change{{Path: "/etc/x", Action: "edit", Summary: "<a> & \"b\"\nnext line"}},
		Checks:  []report.Check{{Name: "down", Status: report.Fail, Detail: "it listens"}, {Name: "unit", Status: report.Pass}},
	}},
}

// The lines are a contract with who reads `fs-harden --json`: their form is
// held to the byte, and the report stands bare on its line.
func TestEventsAreLines(t *testing.T) {
	tests := map[string]struct {
		event report.Event
		line  string
	}{
		"begin": {report.Event{Begin: "preflight"}, `{"event":"begin","name":"preflight"}`},
		"step": {
			report.Event{Step: &report.Step{Name: "backup", Status: report.Unchanged}},
			`{"event":"step","step":{"name":"backup","status":"unchanged"}}`,
		},
		"report": {
			report.Event{Final: &report.Report{Version: 1, Phase: report.Verify, Result: report.OK, Steps: []report.Step{}}},
			`{"version":1,"phase":"verify","result":"ok","instance_id":"","duration_ms":0,"steps":[]}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := json.Marshal(tt.event)
			if err != nil {
				t.Fatal(err)
			}
			if string(b) != tt.line {
				t.Errorf("got  %s\nwant %s", b, tt.line)
			}
			var back report.Event
			if err := json.Unmarshal(b, &back); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back, tt.event) {
				t.Errorf("came back as %+v", back)
			}
		})
	}
}

func TestEveryFieldComesBack(t *testing.T) {
	for _, e := range []report.Event{{Final: &full}, {Step: &full.Steps[0]}} {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\n") {
			t.Errorf("an event is one line: %s", b)
		}
		var back report.Event
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back, e) {
			t.Errorf("got  %+v\nwant %+v", back, e)
		}
	}
}

// notEvents are JSON, but not of fs-harden's.
var notEvents = map[string]string{
	"another program's version": `{"version":1,"name":"left-pad"}`,
	"another's version, result": `{"version":1,"result":"ok"}`,
	"docker's client":           `{"version":1,"result":"success","phase":"build"}`,
	"a later form":              `{"version":2,"phase":"bake","result":"ok","steps":[]}`,
	"version as a string":       `{"version":"1","phase":"bake","result":"ok","steps":[]}`,
	"steps of another kind":     `{"version":1,"phase":"bake","result":"ok","steps":3}`,
	"no version":                `{"phase":"bake","result":"ok","steps":[]}`,
	"a begin without a name":    `{"event":"begin"}`,
	"a step without a step":     `{"event":"step","name":"x"}`,
	"a null step":               `{"event":"step","step":null}`,
	"an unknown event":          `{"event":"end","version":1,"phase":"bake","result":"ok","steps":[]}`,
	"an empty object":           `{}`,
	"null":                      `null`,
	"a number":                  `1`,
	"a list":                    `[{"event":"begin","name":"x"}]`,
	"a string":                  `"begin"`,
}

func TestOtherJSONIsNoEvent(t *testing.T) {
	for name, in := range notEvents {
		var e report.Event
		if err := json.Unmarshal([]byte(in), &e); err == nil {
			t.Errorf("%s: %s was taken for %+v", name, in, e)
		}
	}
}

func TestFailedChecks(t *testing.T) {
	r := full
	r.Steps = append(r.Steps, report.Step{Checks: []report.Check{
		{Status: report.Fail}, {Status: report.CheckDeferred}, {Status: report.CheckSkipped},
	}})
	if n := r.FailedChecks(); n != 2 {
		t.Errorf("%d checks failed, want 2", n)
	}
	if n := new(report.Report).FailedChecks(); n != 0 {
		t.Errorf("an empty report has %d failed checks", n)
	}
}
