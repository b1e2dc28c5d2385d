package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// verdict is what became of a mutant.
type verdict string

const (
	caught   verdict = "caught"
	survived verdict = "survived"
	// broken says that the mutant shows nothing: it does not apply or compile, or
	// its test fails, or does not run, without it.
	broken  verdict = "broken"
	skipped verdict = "skipped"
)

type result struct {
	mutant
	verdict verdict
	detail  string
}

// good reports whether the verdict is the one that the mutant's file tells of.
func (r result) good() bool {
	return r.verdict == skipped || r.verdict == caught && r.survives == "" || r.verdict == survived && r.survives != ""
}

// runner runs the tests of mutants. The tree is never written to: the mutated
// file lies in a temporary folder, and go reads it in the place of the other
// (go help build, -overlay).
type runner struct {
	root       string
	timeout    string // of one test binary, as go test -timeout has it
	acceptance bool

	commands []command // of all mutants that are run
	mu       sync.Mutex
	clean    map[string]error // by the text of a command: how its tests end without a mutant
}

func (r *runner) judge(ctx context.Context, m mutant) result {
	res := result{mutant: m}
	res.verdict, res.detail = r.run(ctx, m)
	return res
}

func (r *runner) run(ctx context.Context, m mutant) (verdict, string) {
	switch {
	case m.test.acceptance() && !r.acceptance:
		return skipped, "its test needs real machines: run with -acceptance"
	case m.root && os.Geteuid() != 0:
		return skipped, "its test needs root"
	}
	source, err := m.mutated(r.root)
	if err != nil {
		return broken, err.Error()
	}
	if err := r.passes(ctx, m.test); err != nil {
		return broken, err.Error()
	}
	overlay, remove, err := r.overlay(m.file, source)
	if err != nil {
		return broken, err.Error()
	}
	defer remove()
	out, err := r.goTest(ctx, m.test, overlay)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return broken, ctx.Err().Error()
	case err == nil:
		return survived, ""
	case !errors.As(err, &exit):
		return broken, err.Error()
	case notRun(out) != "":
		return broken, notRun(out)
	}
	return caught, firstFailure(out)
}

// passes tells whether a command's tests pass without a mutant.
func (r *runner) passes(ctx context.Context, c command) error {
	r.mu.Lock()
	defer r.mu.Unlock() // one at a time: the others need the answer too
	all := r.together(c)
	err, known := r.clean[all.text]
	if !known {
		out, failed := r.goTest(ctx, all, "")
		if why := notRun(out); why != "" {
			err = fmt.Errorf("%s, without a mutant: %s", all.text, why)
		} else if failed != nil {
			err = fmt.Errorf("%s fails without a mutant: %w: %s", all.text, failed, firstFailure(out))
		}
		r.clean[all.text] = err
	}
	return err
}

// together is one command for all of the tests that the mutants name in the same
// packages: what is not mutated need not be built for each.
func (r *runner) together(c command) command {
	names := []string{}
	for _, o := range r.commands {
		if o.where() != c.where() {
			continue
		}
		if o.run == "" || strings.Contains(o.run, "/") {
			return c
		}
		if !slices.Contains(names, o.run) {
			names = append(names, o.run)
		}
	}
	if len(names) == 0 || c.run == "" {
		return c
	}
	return c.with(strings.Join(names, "|"))
}

// overlay writes a source and the file that names it in place of another.
func (r *runner) overlay(file, source string) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	other := filepath.Join(dir, filepath.Base(file))
	names, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(r.root, file): other}})
	path = filepath.Join(dir, "overlay.json")
	if err := errors.Join(err, os.WriteFile(other, []byte(source), 0o600), os.WriteFile(path, names, 0o600)); err != nil {
		remove()
		return "", nil, err
	}
	return path, remove, nil
}

// goTest runs the tests. The overlay goes by the environment, so that a test
// which builds the helper builds the mutated one.
func (r *runner) goTest(ctx context.Context, c command, overlay string) ([]byte, error) {
	// No vet and no debugging information: most of the time goes into building.
	args := append([]string{"test", "-vet=off", "-ldflags=-w", "-count=1", "-failfast", "-timeout", r.timeout}, c.args...)
	cmd := exec.CommandContext(ctx, "go", args...) // what parseCommand lets through
	cmd.Dir = r.root
	// What is ended early is all of it: go leaves the tests that it has started.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Env = os.Environ()
	if overlay != "" {
		cmd.Env = append(cmd.Env, "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.Bytes(), err
}

// notRun says why the output of go test tells of no test at all.
func notRun(out []byte) string {
	for _, sign := range []string{"[build failed]", "[setup failed]", "[no tests to run]", "[no test files]"} {
		if bytes.Contains(out, []byte(sign)) {
			return sign + " " + firstLine(out)
		}
	}
	return ""
}

// firstFailure names the test that failed.
func firstFailure(out []byte) string {
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		for _, sign := range []string{"--- FAIL: ", "panic: "} {
			if rest, ok := strings.CutPrefix(line, sign); ok {
				name, _, _ := strings.Cut(rest, " (")
				return name
			}
		}
	}
	return firstLine(out)
}

func firstLine(out []byte) string {
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line
		}
	}
	return ""
}
