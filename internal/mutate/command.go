package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// command is a "go test" as a mutant names it. Nothing else is ever run.
type command struct {
	text string
	args []string // behind "go test"
	run  string
	tags string
	race bool
	pkgs []string
}

// acceptance tells whether the command runs the tests on real machines.
func (c command) acceptance() bool { return strings.Contains(c.tags, "acceptance") }

// where is what two commands share that differ in the names of their tests alone.
func (c command) where() string { return fmt.Sprint(c.tags, c.race, c.pkgs) }

// with is the same command for other tests.
func (c command) with(run string) command {
	args := []string{"-run", run}
	if c.tags != "" {
		args = append(args, "-tags", c.tags)
	}
	if c.race {
		args = append(args, "-race")
	}
	c.run, c.args = run, append(args, c.pkgs...)
	c.text = "go test " + strings.Join(c.args, " ")
	return c
}

func parseCommand(text string) (command, error) {
	fields, err := split(text)
	if err != nil || len(fields) < 3 || fields[0] != "go" || fields[1] != "test" {
		return command{}, errors.Join(fmt.Errorf(`test: %q is not "go test [-run NAME] [-tags TAG] PACKAGE..."`, text), err)
	}
	c := command{text: text, args: fields[2:]}
	fs := flag.NewFlagSet("go test", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&c.run, "run", "", "")
	fs.StringVar(&c.tags, "tags", "", "")
	fs.BoolVar(&c.race, "race", false, "")
	if err := fs.Parse(c.args); err != nil {
		return command{}, fmt.Errorf("test: %q: %w", text, err)
	}
	c.pkgs = fs.Args()
	if len(c.pkgs) == 0 {
		return command{}, fmt.Errorf("test: %q names no package", text)
	}
	return c, nil
}

// split cuts a line at its spaces; what stands in single quotes is one word.
func split(line string) ([]string, error) {
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	if strings.Count(line, "'")%2 == 1 {
		return nil, errors.New("a quote is not closed")
	}
	return out, nil
}

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// there tells whether the packages, and the tests named in them, exist.
func (c command) there(root string) error {
	run, err := regexp.Compile(strings.SplitN(c.run, "/", 2)[0])
	if err != nil {
		return fmt.Errorf("-run %s: %w", c.run, err)
	}
	for _, pkg := range c.pkgs {
		if !strings.HasPrefix(pkg, "./") || strings.Contains(pkg, "...") {
			return fmt.Errorf("%s is no single package of this module, written as ./path", pkg)
		}
		files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
		if err != nil {
			return err
		}
		found := false
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				return err
			}
			for _, m := range testFunc.FindAllSubmatch(b, -1) {
				found = found || run.Match(m[1])
			}
		}
		if !found {
			return fmt.Errorf("%s has no test %s", pkg, c.run)
		}
	}
	return nil
}
