package provisioner

import (
	"fmt"
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
			(&screen{ui: ui}).step(&report.Step{Name: "image", Status: report.Changed, Findings: tt.found})
			want := "say      + image                changed\n" + tt.want
			if got := ui.String(); got != want && got+"\n" != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
