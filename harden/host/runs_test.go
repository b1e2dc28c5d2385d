package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestRunsSeesAProcessByItsName(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "fs-runs-probe")
	if err := os.WriteFile(program, b, 0o755); err != nil {
		t.Fatal(err)
	}
	here, tree := open(t, "/"), open(t, t.TempDir())
	if here.Runs("fs-runs-probe") {
		t.Fatal("it runs before it was started")
	}
	cmd := exec.Command(program, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !here.Runs("fs-runs-probe") {
		t.Error("it runs, and is not seen")
	}
	if tree.Runs("fs-runs-probe") {
		t.Error("something runs below --root")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if here.Runs("fs-runs-probe") {
		t.Error("it has ended, and is still seen")
	}
}
