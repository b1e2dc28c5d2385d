//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// ownProcessGroup is exec.CommandContext for a command in a process group of its
// own, so that ctrl-C at the terminal does not end it before the lab can end it
// in order. Cancelling kills the whole group; so does nothing else: the command
// itself also dies with this process.
func ownProcessGroup(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// A process is a command that was started and is waited for.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it ended
}

func startProcess(cmd *exec.Cmd) (*process, error) {
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		// Its exit status is read from ProcessState.
		_ = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// wait waits until the process ended.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s (pid %d) to end: %w", p.cmd.Path, p.cmd.Process.Pid, ctx.Err())
	}
}

// diesWithin bounds how long the kernel may take to end what was killed.
const diesWithin = 30 * time.Second

// Kill kills the process with its group and waits for it.
func (p *process) Kill() error {
	if !p.running() {
		return nil
	}
	err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("killing %s (pid %d): %w", p.cmd.Path, p.cmd.Process.Pid, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), diesWithin)
	defer cancel()
	return p.wait(ctx)
}
