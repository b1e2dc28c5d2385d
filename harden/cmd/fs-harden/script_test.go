package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fs-harden": main})
}

// TestScripts runs the program as a person would. $VANILLA is a copy of a
// vanilla configuration, to be put where a script wants it.
func TestScripts(t *testing.T) {
	vanilla, err := filepath.Abs("../../../../shared/data/vanilla-conf-1.10.12")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:  "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": wantStatus},
		Setup: func(env *testscript.Env) error {
			if err := os.CopyFS(filepath.Join(env.WorkDir, "tree/etc/freeswitch"), os.DirFS(vanilla)); err != nil {
				return err
			}
			units := filepath.Join(env.WorkDir, "tree/lib/systemd/system")
			if err := os.MkdirAll(units, 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(units, "freeswitch.service"), []byte("[Service]\nExecStart=/usr/bin/freeswitch -nonat\n"), 0o644); err != nil {
				return err
			}
			return filepath.WalkDir(filepath.Join(env.WorkDir, "tree"), func(p string, d os.DirEntry, err error) error {
				if err != nil {
					return err
				}
				mode := os.FileMode(0o644)
				if d.IsDir() {
					mode = 0o755
				}
				return os.Chmod(p, mode)
			})
		},
	})
}

// wantStatus runs a program that is to end with a status: status 3 fs-harden ...
func wantStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status NUMBER PROGRAM [ARGUMENTS]")
	}
	got := 0
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		got = ended.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v: %v", args[1:], err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%v: status %d, want %s", args[1:], got, args[0])
	}
}
