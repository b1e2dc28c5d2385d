package main

import (
	"cmp"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// mutant is one small bug. A file of the folder mutants/ keeps those of a subject,
// with an empty line between two:
//
//	mutant: put-not-synced
//	# what is broken, in one sentence
//	file: harden/host/put.go
//	test: go test -run TestX ./harden/host
//	survives: why no test can notice it (only where that is so)
//	needs: root (only where the test shows it to root alone)
//	--- old
//	lines that occur exactly once in the file
//	--- new
//	the lines in their place
//	--- end
//
// More than one pair of old and new may stand before the end.
type mutant struct {
	name     string
	what     string
	file     string // relative to the module's root
	test     command
	survives string
	root     bool
	edits    []edit
}

type edit struct{ old, new string }

// ext ends the name of a file of mutants.
const ext = ".mutants"

// load reads the mutants in a folder, in the order of the files' names and then of the
// files.
func load(dir string) ([]mutant, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+ext))
	if err != nil {
		return nil, err
	}
	var all []mutant
	var errs []error
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for _, text := range strings.SplitAfter(string(b), "--- end\n") {
			if strings.TrimSpace(text) == "" {
				continue
			}
			m, err := parse(strings.TrimLeft(text, "\n"))
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %s: %w", path, cmp.Or(m.name, text), err))
				continue
			}
			all = append(all, m)
		}
	}
	return all, errors.Join(errs...)
}

func parse(text string) (mutant, error) {
	var m mutant
	head, body, ok := strings.Cut(text, "\n--- old\n")
	if !ok {
		return m, errors.New(`there is no line "--- old"`)
	}
	for line := range strings.Lines(head) {
		if err := m.header(strings.TrimSpace(line)); err != nil {
			return m, err
		}
	}
	body, rest, ok := strings.Cut(body, "--- end\n")
	if !ok || strings.TrimSpace(rest) != "" {
		return m, errors.New(`the last line is not "--- end"`)
	}
	for part := range strings.SplitSeq(body, "--- old\n") {
		before, after, ok := strings.Cut(part, "--- new\n")
		if !ok || strings.TrimSpace(before) == "" || before == after {
			return m, errors.New(`between "--- old" and the end stands no "--- new" with other lines`)
		}
		m.edits = append(m.edits, edit{before, after})
	}
	if m.name == "" || m.what == "" || m.file == "" || len(m.test.args) == 0 {
		return m, errors.New(`it lacks "mutant:", the sentence behind "#", "file:" or "test:"`)
	}
	return m, nil
}

func (m *mutant) header(line string) (err error) {
	if what, ok := strings.CutPrefix(line, "#"); ok {
		m.what = strings.TrimSpace(m.what + " " + strings.TrimSpace(what))
		return nil
	}
	key, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch key {
	case "mutant":
		m.name = value
	case "file":
		m.file = value
	case "test":
		m.test, err = parseCommand(value)
	case "survives":
		m.survives = value
	case "needs":
		if m.root = value == "root"; !m.root {
			return fmt.Errorf("needs: %q is not known, only root is", value)
		}
	default:
		return fmt.Errorf("the line %q has no meaning here", line)
	}
	return err
}

// apply gives the mutated source.
func (m mutant) apply(source string) (string, error) {
	for _, e := range m.edits {
		at := lines(source, e.old)
		if len(at) != 1 {
			return "", fmt.Errorf("the old lines occur %d times in %s: bring the mutant up to date with the code", len(at), m.file)
		}
		source = source[:at[0]] + e.new + source[at[0]+len(e.old):]
	}
	if _, err := parser.ParseFile(token.NewFileSet(), m.file, source, parser.SkipObjectResolution); strings.HasSuffix(m.file, ".go") && err != nil {
		return "", fmt.Errorf("the mutated file does not parse: %w", err)
	}
	return source, nil
}

// lines tells at which bytes whole lines occur in a text.
func lines(text, whole string) (at []int) {
	i := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(text[i:], whole) {
			at = append(at, i)
		}
		i += len(line)
	}
	return at
}

// mutated reads the mutant's file below the module's root and applies it.
func (m mutant) mutated(root string) (string, error) {
	if !filepath.IsLocal(m.file) {
		return "", fmt.Errorf("file: %q is not a path below the module's root", m.file)
	}
	b, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	return m.apply(string(b))
}
