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
