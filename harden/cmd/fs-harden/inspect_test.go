package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

func TestPrintFindings(t *testing.T) {
	found := []report.Finding{{Path: "/a\x1b[2Jb", Severity: report.Error, Why: "w\n", Remedy: "rm"}}
	for i := range 5 {
		found = append(found, report.Finding{Path: fmt.Sprintf("/%d", i), Severity: report.Warning, Why: "same", Remedy: fmt.Sprintf("rm /%d", i)})
	}
	found = append(found, report.Finding{Path: "/z", Severity: report.Error, Why: "same", Remedy: "rm /z"})
	const want = `  error    /a?[2Jb: w?; rm
  warning  /0: same; rm /0
           also /1, /2, /3, and 1 more (--json names all)
  error    /z: same; rm /z
`
	var out strings.Builder
	printFindings(&out, found)
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", out.String(), want)
	}
}

func TestWhatJSONNamesIsTold(t *testing.T) {
	for n, want := range map[int]string{99: "and 95 more (--json names all)", 100: "and 96 more (--json names all)", 101: "and 97 more (--json names the first 100)", 10000: "and 9996 more (--json names the first 100)"} {
		found := make([]report.Finding, n)
		for i := range found {
			found[i] = report.Finding{Path: fmt.Sprintf("/%d", i), Severity: report.Warning, Why: "same"}
		}
		var out strings.Builder
		printFindings(&out, found)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%d alike: %q lacks %q", n, out.String(), want)
		}
		step := report.Step{Findings: found}.Bounded()
		if got := verdict(&report.Report{Steps: []report.Step{step}}); !strings.HasSuffix(got, fmt.Sprintf("errors: 0, warnings: %d", n)) {
			t.Errorf("%d alike: %s", n, got)
		}
	}
}
