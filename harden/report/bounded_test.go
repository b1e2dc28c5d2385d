package report_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// alike are n findings of one kind.
func alike(n int, severity report.Severity, look, why string) []report.Finding {
	out := make([]report.Finding, n)
	for i := range out {
		out[i] = report.Finding{Path: fmt.Sprintf("/etc/freeswitch/directory/default/%05d.xml", i), Severity: severity, Look: look, Why: why, Remedy: "rm it"}
	}
	return out
}

// unlike are n findings of as many kinds.
func unlike(n int, severity report.Severity) []report.Finding {
	out := alike(n, severity, "acl", "")
	for i := range out {
		out[i].Why = fmt.Sprintf("list %d", i)
	}
	return out
}

func TestWhatAReportLists(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in     []report.Finding
		listed int
		want   []report.Omitted
	}{
		"nothing":             {nil, 0, nil},
		"as many as a kind":   {alike(100, report.Warning, "directory", "a PIN"), 100, nil},
		"one more":            {alike(101, report.Warning, "directory", "a PIN"), 100, []report.Omitted{{Severity: report.Warning, Look: "directory", Why: "a PIN", Count: 1}}},
		"10,000":              {alike(10000, report.Error, "", "a PIN"), 100, []report.Omitted{{Severity: report.Error, Why: "a PIN", Count: 9900}}},
		"two kinds":           {slices.Concat(alike(150, report.Error, "a", "w"), alike(150, report.Error, "a", "v")), 200, []report.Omitted{{Severity: report.Error, Look: "a", Why: "w", Count: 50}, {Severity: report.Error, Look: "a", Why: "v", Count: 50}}},
		"two looks":           {slices.Concat(alike(150, report.Error, "a", "w"), alike(60, report.Error, "b", "w")), 160, []report.Omitted{{Severity: report.Error, Look: "a", Why: "w", Count: 50}}},
		"one kind, weighed":   {slices.Concat(alike(150, report.Error, "a", "w"), alike(60, report.Warning, "a", "w")), 160, []report.Omitted{{Severity: report.Error, Look: "a", Why: "w", Count: 50}}},
		"a rare one at last":  {append(alike(5000, report.Warning, "a", "w"), alike(1, report.Warning, "a", "rare")...), 101, []report.Omitted{{Severity: report.Warning, Look: "a", Why: "w", Count: 4900}}},
		"1,500 kinds":         {unlike(1500, report.Warning), 1000, []report.Omitted{{Severity: report.Warning, Look: "acl", Count: 500}}},
		"errors behind those": {append(unlike(1500, report.Warning), alike(2, report.Error, "keys", "a key")...), 1002, []report.Omitted{{Severity: report.Warning, Look: "acl", Count: 500}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := report.Step{Name: "image", Status: report.Changed, Findings: tt.in}
			got := st.Bounded()
			if len(got.Findings) != tt.listed || !slices.Equal(got.Omitted, tt.want) {
				t.Errorf("%d listed, left out %+v; want %d, %+v", len(got.Findings), got.Omitted, tt.listed, tt.want)
			}
			for _, severity := range []report.Severity{report.Error, report.Warning} {
				if got.Count(severity) != st.Count(severity) {
					t.Errorf("%d of %s, there were %d", got.Count(severity), severity, st.Count(severity))
				}
			}
			if len(st.Findings) != len(tt.in) || len(st.Omitted) != 0 {
				t.Error("bounding changed what it was given")
			}
			if again := got.Bounded(); !reflect.DeepEqual(again, got) {
				t.Errorf("bounded twice: %+v", again.Omitted)
			}
			checkEncoded(t, st, got)
		})
	}
}

// checkEncoded sees that what is written and read back is the bounded step.
func checkEncoded(t *testing.T, st, want report.Step) {
	t.Helper()
	for range 2 { // the second time as the provisioner writes what it has read
		b, err := json.Marshal(report.Report{Steps: []report.Step{st}})
		if err != nil {
			t.Fatal(err)
		}
		var back report.Report
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if len(back.Steps) != 1 || !reflect.DeepEqual(back.Steps[0], want) {
			t.Fatalf("%d findings and %+v came back", len(back.Steps[0].Findings), back.Steps[0].Omitted)
		}
		st = back.Steps[0]
	}
}

func TestChangesOfOneKindAreBounded(t *testing.T) {
	t.Parallel()
	var all []report.Change
	for i := range 250 {
		all = append(all, report.Change{Path: fmt.Sprintf("/var/log/freeswitch/%d", i), Action: "remove", Summary: "a log"})
	}
	all = append(all, report.Change{Path: "/k", Action: "remove", Summary: "a key"}, report.Change{Path: "/l", Action: "empty", Summary: "a log"})
	got := report.Step{Changes: all}.Bounded()
	if n := len(got.Changes); n != 102 || got.OmittedChanges != 150 || got.Changes[100].Path != "/k" || got.Changes[101].Path != "/l" {
		t.Errorf("%d listed, %d left out", n, got.OmittedChanges)
	}
	if again := got.Bounded(); !reflect.DeepEqual(again, got) {
		t.Error("bounded twice it is another")
	}
	var kinds []report.Change
	for i := range 1200 {
		kinds = append(kinds, report.Change{Summary: fmt.Sprint(i)})
	}
	if got := (report.Step{Changes: kinds}).Bounded(); len(got.Changes) != 1000 || got.OmittedChanges != 200 {
		t.Errorf("%d kinds listed, %d left out", len(got.Changes), got.OmittedChanges)
	}
}

// A report of a machine of 10,000 users was one line of 5.8 MB.
func TestAReportOfManyUsersIsShort(t *testing.T) {
	t.Parallel()
	users := slices.Concat(alike(10000, report.Warning, "directory", strings.Repeat("w", 200)), alike(10000, report.Warning, "directory", strings.Repeat("v", 200)))
	rep := &report.Report{Version: report.Version, Phase: report.Bake, Result: report.OK, Steps: []report.Step{{Name: "image", Status: report.Changed, Findings: users}}}
	b, err := json.Marshal(report.Event{Final: rep})
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 128<<10 {
		t.Errorf("the closing line has %d bytes", len(b))
	}
	final, _, err := scan(strings.NewReader(string(b) + "\n"))
	if err != nil || final.Steps[0].Count(report.Warning) != 20000 {
		t.Errorf("it came back as %+v, %v", final, err)
	}
}
