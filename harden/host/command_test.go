package host

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// script is a program of this test's, by its path.
func script(t *testing.T, name, body string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRunTellsTheLastLineOfStandardError(t *testing.T) {
	for name, tt := range map[string]struct{ body, ends string }{
		"several lines": {"echo out; echo first >&2; echo 'Unit x.service not found.' >&2; exit 5", "exit status 5: Unit x.service not found."},
		"blank lines":   {"printf 'why\\n\\n \\n' >&2; exit 1", "exit status 1: why"},
		"no newline":    {"printf why >&2; exit 1", "exit status 1: why"},
		"nothing":       {"exit 3", "exit status 3"},
		"killed":        {"kill -9 $$", "signal: killed"},
	} {
		p := script(t, "tool", tt.body)
		out, err := Exec{}.Run(t.Context(), p, "an", "argument")
		if err == nil || err.Error() != p+" an argument: "+tt.ends {
			t.Errorf("%s: %v, want %q at the end", name, err, tt.ends)
		}
		if name == "several lines" && string(out) != "out\n" {
			t.Errorf("what it printed before it failed is %q", out)
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Errorf("%s: the exit status is lost in %T", name, err)
		}
	}
}

func TestRunGivesStandardOutputAlone(t *testing.T) {
	out, err := Exec{}.Run(t.Context(), script(t, "tool", "echo out; echo err >&2; cat"))
	if err != nil || string(out) != "out\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestArgumentsPassNoShell(t *testing.T) {
	args := []string{"a b", "$HOME", "`id`", "$(id)", ";id", "*", "", "-n", "'", `"`, "\n", "\\"}
	out, err := Exec{}.Run(t.Context(), script(t, "tool", `for a; do printf '%s\0' "$a"; done`), args...)
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); err != nil || !slices.Equal(got, args) {
		t.Errorf("got %q, %v; want %q", got, err, args)
	}
}

func TestTheEnvironmentIsClean(t *testing.T) {
	t.Setenv("FS_HARDEN_TEST_SECRET", "hidden")
	t.Setenv("LC_ALL", "de_DE.UTF-8")
	t.Setenv("LD_PRELOAD", "")
	out, err := Exec{}.Run(t.Context(), "env")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	want := []string{"DEBIAN_FRONTEND=noninteractive", "HOME=/root", "LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A program is the system's, not one that the caller's PATH names first; and
// it is found where the caller's PATH lacks its folder.
func TestTheCallersPathDoesNotCount(t *testing.T) {
	planted := script(t, "env", "echo planted")
	for _, path := range []string{filepath.Dir(planted) + ":" + os.Getenv("PATH"), filepath.Dir(planted), ""} {
		t.Setenv("PATH", path)
		out, err := Exec{}.Run(t.Context(), "env")
		if err != nil || strings.Contains(string(out), "planted") {
			t.Errorf("with PATH=%s: %q, %v", path, out, err)
		}
	}
	t.Setenv("PATH", filepath.Dir(planted))
	if _, err := (Exec{}).Run(t.Context(), "fs-harden-no-such-tool"); !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), "fs-harden-no-such-tool") {
		t.Errorf("a tool that is nowhere: %v", err)
	}
}

func TestAProgramThatHangsIsEnded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := Exec{}.Run(ctx, "sleep", "3600")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "sleep 3600: ") {
		t.Errorf("got %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := (Exec{}).Run(ctx, "sleep", "3600"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// recorder stands in for a machine's programs.
type recorder struct{ ran []string }

func (r *recorder) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	r.ran = append(r.ran, name+" "+strings.Join(args, " "))
	return []byte("out"), nil
}

func TestNothingRunsBelowARoot(t *testing.T) {
	var r recorder
	h, err := Open(t.TempDir(), &r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Run(t.Context(), "systemctl", "daemon-reload"); !errors.Is(err, ErrRooted) || len(r.ran) != 0 {
		t.Errorf("got %v; %q ran", err, r.ran)
	}
	if h, err = Open("/", &r); err != nil {
		t.Fatal(err)
	}
	if out, err := h.Run(t.Context(), "systemctl", "daemon-reload"); err != nil || string(out) != "out" || !slices.Equal(r.ran, []string{"systemctl daemon-reload"}) {
		t.Errorf("got %q, %v; %q ran", out, err, r.ran)
	}
}
