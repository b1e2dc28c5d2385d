package host

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/internal/testenv"
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
	if here.Runs("fs-runs-probe", os.Getuid()) {
		t.Fatal("it runs before it was started")
	}
	cmd := exec.Command(program, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !here.Runs("fs-runs-probe", os.Getuid()) {
		t.Error("it runs, and is not seen")
	}
	if tree.Runs("fs-runs-probe", os.Getuid()) {
		t.Error("something runs below --root")
	}
	if os.Getuid() >= 1000 && here.Runs("fs-runs-probe") {
		t.Error("a person's process is taken for a service's")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if here.Runs("fs-runs-probe", os.Getuid()) {
		t.Error("it has ended, and is still seen")
	}
}

// Everybody may call a process as he likes, and is not taken for FreeSWITCH.
func TestRunsLooksAtWhoseAProcessIs(t *testing.T) {
	self := open(t, "/")
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSpace(string(comm))
	uid, ok := processUser("/proc/self")
	if !ok || uid != os.Getuid() {
		t.Errorf("this process is %d's, %v", uid, ok)
	}
	if got := self.Runs(name); got != (os.Getuid() < 1000) {
		t.Errorf("as user %d: %v", uid, got)
	}
	testenv.Root(t)                      // another user's process takes root to start
	dir, err := os.MkdirTemp("", "runs") // that another user may enter
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "fs-runs-other")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Symlink("/bin/sleep", program)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54321, Gid: 54321}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	if self.Runs("fs-runs-other") {
		t.Error("a person's process is taken for a service's")
	}
	if !self.Runs("fs-runs-other", 54321) {
		t.Error("one of FreeSWITCH's user is not seen")
	}
}
