//go:build linux && acceptance

package acctest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Ended from outside, as systemd ends a unit that it stops and a terminal that
// is closed: the helper comes to an end of its own, which is all or nothing. The
// gate is shut unless it is all.
func TestEndedBySignals(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal("strace is not installed: apt-get install strace")
	}
	helper, err := filepath.Abs("../.build/fs-harden-linux-amd64")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		command string
		before  []string
		opens   bool // the gate, once it is done
	}{
		{"apply", nil, false},
		{"firstboot", []string{"apply"}, true},
		{"rotate", []string{"apply", "firstboot"}, true},
		{"forget", []string{"apply", "firstboot"}, false},
	} {
		t.Run(c.command, func(t *testing.T) {
			t.Parallel()
			base := newTree(t, helper)
			for _, command := range c.before {
				base.must(command)
			}
			before := base.listing()
			undone, done := 0, 0
			for _, call := range []string{"renameat", "fsync", "unlinkat"} {
				for i, n := range some(base.count(c.command, call)) {
					signal := []string{"TERM", "INT", "HUP"}[i%3]
					tr := base.copy()
					switch err := tr.end(c.command, call, n, signal); {
					case err == nil:
						done++
						if err := tr.run("gate"); (err == nil) != c.opens {
							t.Errorf("the gate when it was done: %v", err)
						}
					case err.ExitCode() != 1 || !strings.Contains(string(err.Stderr), "ended by a signal"):
						t.Errorf("it did not end by itself: %v\n%s", err, err.Stderr)
					default:
						undone++
						if after := tr.listing(); after != before {
							t.Errorf("not put back:\n%s\nbefore:\n%s", after, before)
						}
						tr.must(c.command) // and the next run does it
					}
					if _, err := os.Stat(filepath.Join(tr.dir, "var/lib/fs-harden/journal")); !errors.Is(err, fs.ErrNotExist) {
						t.Error("a journal was left behind")
					}
					if c.opens {
						tr.consistent()
					}
					if t.Failed() {
						t.Fatalf("SIG%s at %s %d", signal, call, n)
					}
					tr.remove()
				}
			}
			if undone < 3 {
				t.Errorf("only %d of %d runs were undone: this looks past something", undone, undone+done)
			}
			t.Logf("%d times undone, %d times done", undone, done)
		})
	}
}

// some are at most ten of many, from the first to the last.
func some(many []int) []int {
	var out []int
	for i := range many {
		if at := i * len(many) / 10; i < 10 && at < len(many) && (len(out) == 0 || many[at] != out[len(out)-1]) {
			out = append(out, many[at])
		}
	}
	return out
}

// end runs a command and sends it a signal as its main thread makes call for
// the nth time.
func (tr tree) end(command, call string, n int, signal string) *exec.ExitError {
	tr.t.Helper()
	_, err := tr.at(command, call, n, signal).Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tr.t.Fatal(err)
	}
	return exit
}
