package provisioner

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

func TestFindingsOnTheScreen(t *testing.T) {
	users := make([]report.Finding, 0, 40)
	for n := range 20 {
		path := fmt.Sprintf("/d/10%02d.xml", n)
		users = append(users, report.Finding{Path: path, Severity: report.Warning, Look: "directory", Why: "a known PIN", Remedy: "rm " + path})
	}
	calls := append([]report.Finding(nil), users...)
	for _, f := range users {
		f.Why = "may call abroad"
		calls = append(calls, f)
	}
	key := report.Finding{Path: "/etc/ssh/key", Severity: report.Warning, Look: "ssh-host-keys", Why: "shared by all", Remedy: "rm it"}
	bad := key
	bad.Severity = report.Error
	tests := map[string]struct {
		found []report.Finding
		want  string
	}{
		"as many as the report lists": {alike(100, key), "say          warning: ssh-host-keys: /k/0, /k/1, /k/2 and 97 more: shared by all\n"},
		"more than it lists": {alike(10000, key), "say          warning: ssh-host-keys: /k/0, /k/1, /k/2 and more: shared by all " +
			"(the first of 10000 findings: the report has the first 100 of each kind, and counts the rest)\n"},
		"more errors than it lists, and a warning": {append(alike(101, bad), key), "error      ! error: ssh-host-keys: /k/0, /k/1, /k/2 and more: shared by all " +
			"(the first of 101 findings: the report has the first 100 of each kind, and counts the rest)\nsay          warning: /etc/ssh/key: shared by all: rm it\n"},
		"none":      {nil, ""},
		"one":       {[]report.Finding{key}, "say          warning: /etc/ssh/key: shared by all: rm it\n"},
		"alike":     {users, "say          warning: directory: /d/1000.xml, /d/1001.xml, /d/1002.xml and 17 more: a known PIN\n"},
		"two looks": {append(users[:2:2], key), "say          warning: directory: /d/1000.xml, /d/1001.xml: a known PIN\nsay          warning: /etc/ssh/key: shared by all: rm it\n"},
		"several reasons": {calls, "say          warning: directory: /d/1000.xml, /d/1001.xml, /d/1002.xml and 17 more: a known PIN " +
			"(the first of 40 findings: all are in the report, and fs-harden inspect tells them)\n"},
		"an error beside a warning": {[]report.Finding{key, bad}, "say          warning: /etc/ssh/key: shared by all: rm it\nerror      ! error: /etc/ssh/key: shared by all: rm it\n"},
		"an escape sequence":        {[]report.Finding{{Path: "/a\x1b[2J", Why: "b"}}, "say          warning: " + clean("/a\x1b[2J") + ": b\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ui := &console{}
			step := report.Step{Name: "image", Status: report.Changed, Findings: tt.found}.Bounded()
			(&screen{ui: ui}).step(&step)
			want := "say      + image                changed\n" + tt.want
			if got := ui.String(); got != want && got+"\n" != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// alike are n findings like one.
func alike(n int, one report.Finding) []report.Finding {
	out := make([]report.Finding, n)
	for i := range out {
		out[i] = one
		out[i].Path = fmt.Sprintf("/k/%d", i)
	}
	return out
}

func TestChangesThatTheReportOnlyCounts(t *testing.T) {
	changes := make([]report.Change, 102)
	for i := range changes {
		changes[i] = report.Change{Path: fmt.Sprintf("/l/%d", i), Action: "remove", Summary: "a log"}
	}
	ui := &console{}
	step := report.Step{Name: "image", Status: report.Changed, Changes: changes}.Bounded()
	(&screen{ui: ui}).step(&step)
	if got := ui.String(); !strings.Contains(got, "/l/99: a log\nsay          and 2 more changes\n") || strings.Contains(got, "/l/100") {
		t.Errorf("got\n%s", got)
	}
}
