package main

import (
	"strings"
	"testing"
)

// The kept mutants change with the code, or they show nothing any more.
func TestEveryMutantApplies(t *testing.T) {
	t.Parallel()
	const root = "../.."
	mutants, err := load(root + "/mutants")
	if err != nil {
		t.Error(err)
	}
	if len(mutants) == 0 {
		t.Fatal("there are no mutants")
	}
	names := map[string]bool{}
	for _, m := range mutants {
		if names[m.name] {
			t.Errorf("two mutants have the name %s", m.name)
		}
		names[m.name] = true
		if _, err := m.mutated(root); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if err := m.test.there(root); err != nil {
			t.Errorf("%s: test: %v", m.name, err)
		}
	}
}

const sample = "mutant: one\n# one is two\nfile: a.go\ntest: go test -run 'TestA|TestB' ./harden/host\n--- old\nconst a = 1\n--- new\nconst a = 2\n--- end\n"

func TestParse(t *testing.T) {
	t.Parallel()
	m, err := parse(sample)
	if err != nil {
		t.Fatal(err)
	}
	if m.what != "one is two" || m.file != "a.go" || m.test.run != "TestA|TestB" || strings.Join(m.test.pkgs, " ") != "./harden/host" {
		t.Errorf("got %+v", m)
	}
	got, err := m.apply("package a\n\nconst a = 1\n")
	if err != nil || got != "package a\n\nconst a = 2\n" {
		t.Errorf("applied: %q, %v", got, err)
	}
	for source, want := range map[string]string{
		"package a\n\nconst a = 1\nconst a = 1\n": "occur 2 times",
		"package a\n":                      "occur 0 times",
		"package a\n\n\tconst a = 1\n":     "occur 0 times", // a part of a line is not the line
		"package a\n\nfunc\nconst a = 1\n": "does not parse",
	} {
		if _, err := m.apply(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", source, err, want)
		}
	}
}

func TestBadMutantsAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no old":             strings.Replace(sample, "--- old\n", "", 1),
		"no new":             strings.Replace(sample, "--- new\n", "", 1),
		"no end":             strings.Replace(sample, "--- end\n", "", 1),
		"no sentence":        strings.Replace(sample, "# one is two\n", "", 1),
		"no name":            strings.Replace(sample, "mutant: one\n", "", 1),
		"no file":            strings.Replace(sample, "file: a.go\n", "", 1),
		"another program":    strings.Replace(sample, "go test", "rm -r", 1),
		"a flag that runs":   strings.Replace(sample, "-run 'TestA|TestB'", "-exec sh", 1),
		"no package":         strings.Replace(sample, " ./harden/host", "", 1),
		"an open quote":      strings.Replace(sample, "TestB'", "TestB", 1),
		"a key not known":    strings.Replace(sample, "file:", "path:", 1),
		"a need not known":   strings.Replace(sample, "file:", "needs: disk\nfile:", 1),
		"the same as before": strings.Replace(sample, "= 2", "= 1", 1),
	} {
		if m, err := parse(text); err == nil {
			t.Errorf("%s: taken as %+v", name, m)
		}
	}
}

func TestATestThatIsNotThere(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"go test -run TestNowhere ./internal/mutate": "has no test",
		"go test ./internal/nowhere":                 "has no test",
		"go test ./...":                              "no single package",
	} {
		c, err := parseCommand(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.there("../.."); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// What go test prints, and what it says of a mutant.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]string{
		"# pkg\na.go:1: undefined: x\nFAIL\tpkg [build failed]\n":                "[build failed] a.go:1: undefined: x",
		"ok  \tpkg\t0.01s [no tests to run]\n":                                   "[no tests to run] ok  \tpkg\t0.01s [no tests to run]",
		"--- FAIL: TestA (0.00s)\n    a_test.go:1: no\nFAIL\nFAIL\tpkg\t0.01s\n": "",
	} {
		if got := notRun([]byte(out)); got != want {
			t.Errorf("%q: %q, want %q", out, got, want)
		}
	}
	if got := firstFailure([]byte("x\n--- FAIL: TestA/one (0.00s)\n")); got != "TestA/one" {
		t.Errorf("the failed test is told as %q", got)
	}
	results := []result{
		{mutant{name: "a", file: "p/a.go"}, caught, "TestA"},
		{mutant{name: "b", file: "p/b.go", survives: "the same"}, survived, ""},
		{mutant{name: "c", file: "q/c.go"}, skipped, ""},
	}
	var text strings.Builder
	if err := table(&text, results); err != nil {
		t.Errorf("%v:\n%s", err, text.String())
	}
	for _, bad := range []result{
		{mutant{name: "d", file: "p/d.go"}, survived, ""},
		{mutant{name: "d", file: "p/d.go", survives: "the same"}, caught, "TestA"},
		{mutant{name: "d", file: "p/d.go"}, broken, ""},
		{mutant{name: "d", file: "p/d.go", survives: "the same"}, broken, ""},
	} {
		if err := table(&text, append(results[:3:3], bad)); err == nil {
			t.Errorf("nothing is said of %+v", bad)
		}
	}
	if got := totals(results); len(got) != 3 || got[0] != (total{"p", 2, 1, 1, 0}) || got[1] != (total{"q", 0, 0, 0, 1}) || got[2] != (total{"all", 2, 1, 1, 1}) {
		t.Errorf("totals: %+v", got)
	}
}
