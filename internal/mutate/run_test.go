package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A module of one function and its tests, and mutants of every fate.
func TestJudge(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	source := "package add\n\nfunc Add(a, b int) int {\n\treturn a + b\n}\n\nfunc Sub(a, b int) int {\n\treturn a - b\n}\n"
	for name, text := range map[string]string{
		"go.mod":    "module example.com/add\n\ngo 1.21\n",
		"add.go":    source,
		"a_test.go": "package add\n\nimport \"testing\"\n\nfunc TestAdd(t *testing.T) {\n\tif Add(1, 2) != 3 {\n\t\tt.Error(\"wrong\")\n\t}\n}\n\nfunc TestFails(t *testing.T) { t.Error(\"always\") }\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := &runner{root: root, timeout: "1m", clean: map[string]error{}}
	for name, tt := range map[string]struct {
		test, old, new string
		want           verdict
		detail         string
	}{
		"noticed":            {"go test -run TestAdd .", "\treturn a + b\n", "\treturn a * b\n", caught, "TestAdd"},
		"hangs":              {"go test -run TestAdd .", "\treturn a + b\n", "\tpanic(a)\n", caught, "TestAdd"},
		"not noticed":        {"go test -run TestAdd .", "\treturn a - b\n", "\treturn a + b\n", survived, ""},
		"does not compile":   {"go test -run TestAdd .", "\treturn a + b\n", "\treturn c\n", broken, "undefined: c"},
		"does not apply":     {"go test -run TestAdd .", "\treturn c\n", "\treturn a\n", broken, "occur 0 times"},
		"fails anyway":       {"go test -run TestFails .", "\treturn a + b\n", "\treturn a\n", broken, "fails without a mutant"},
		"no such test":       {"go test -run TestNone .", "\treturn a + b\n", "\treturn a\n", broken, "no tests to run"},
		"needs real machine": {"go test -tags acceptance .", "\treturn a + b\n", "\treturn a\n", skipped, "-acceptance"},
	} {
		c, err := parseCommand(tt.test)
		if err != nil {
			t.Fatal(err)
		}
		got := r.judge(t.Context(), mutant{name: name, file: "add.go", test: c, edits: []edit{{tt.old, tt.new}}})
		if got.verdict != tt.want || !strings.Contains(got.detail, tt.detail) {
			t.Errorf("%s: %s, %q; want %s, %q", name, got.verdict, got.detail, tt.want, tt.detail)
		}
	}
	if b, err := os.ReadFile(filepath.Join(root, "add.go")); err != nil || string(b) != source {
		t.Errorf("the tree was written to: %v", err)
	}
}
