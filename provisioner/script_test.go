package provisioner

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The script alone, as it runs on when Packer has gone.
func TestScript(t *testing.T) {
	tests := []struct {
		name   string
		keep   bool
		helper string
		status int
		said   string
	}{
		{"done", false, `echo "$0 $*"; echo "$PASSWORD"`, 0, "/plan.json --image\n"},
		{"failed", false, `exit 3`, 3, ""},
		{"killed", false, `kill -9 $$`, 137, ""},
		{"told to stop", false, `kill -TERM $PPID`, 1, ""},
		{"kept", true, `exit 1`, 1, ""},
	}
	for _, tt := range tests {
		for _, shell := range [][]string{{"sh"}, {"sh", "-eux"}} {
			t.Run(tt.name+" "+strings.Join(shell, " "), func(t *testing.T) {
				folder := filepath.Join(t.TempDir(), "it's here")
				c := Config{SkipCleanUp: tt.keep, EnvironmentVars: []string{"PASSWORD=hunter'2"}}
				script, err := c.script(folder)
				if err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(folder, scriptFile)
				if err := errors.Join(
					os.Mkdir(folder, 0o700),
					os.WriteFile(filepath.Join(folder, helperFile), []byte("#!/bin/sh\n"+tt.helper+"\n"), 0o755),
					os.WriteFile(path, script, 0o755),
				); err != nil {
					t.Fatal(err)
				}
				var out, bad strings.Builder
				cmd := exec.Command(shell[0], append(shell[1:], path)...)
				cmd.Stdout, cmd.Stderr = &out, &bad
				_ = cmd.Run() // the status says it
				if got := cmd.ProcessState.ExitCode(); got != tt.status {
					t.Errorf("status %d, want %d: %s", got, tt.status, bad.String())
				}
				if !strings.Contains(out.String(), tt.said) || tt.said != "" && !strings.Contains(out.String(), "hunter'2\n") {
					t.Errorf("it said %q", out.String())
				}
				if strings.Contains(bad.String(), "hunter") {
					t.Errorf("the value was traced: %s", bad.String())
				}
				if _, err := os.Stat(folder); (err == nil) != tt.keep {
					t.Errorf("kept: want %v, got %v", tt.keep, err)
				}
			})
		}
	}
}
