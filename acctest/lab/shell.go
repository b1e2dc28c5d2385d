//go:build linux

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// machineEnv is the environment of commands run on a machine as root.
var machineEnv = []string{
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root", "USER=root", "LANG=C.UTF-8", "TERM=dumb",
}

// A Machine is a Debian machine that is running: a Container or a VM.
type Machine interface {
	Name() string
	Exec(ctx context.Context, argv ...string) (string, error)
	ReadFile(ctx context.Context, path string) ([]byte, error)
	WriteFile(ctx context.Context, path string, data []byte, mode os.FileMode) error
	CopyIn(ctx context.Context, local, remote string) error
	CopyOut(ctx context.Context, remote, local string) error
	WaitBoot(ctx context.Context) (BootState, error)
	Journal(ctx context.Context, args ...string) (string, error)
	SSH() SSH
	Console() string
	Start(ctx context.Context) error
	Reboot(ctx context.Context) error
	Poweroff(ctx context.Context) error
	Kill() error
}

var (
	_ Machine = (*Container)(nil)
	_ Machine = (*VM)(nil)
)

// However long the run may still take, no machine may use it up: what takes
// longer than these hangs. systemd itself gives up on a service that does not
// stop after 90 s, and emulated machines take a minute to boot.
const (
	commandWithin = 5 * time.Minute
	bootsWithin   = 5 * time.Minute
	endsWithin    = 3 * time.Minute
)

// ExecError is a command that ran on a machine and failed.
type ExecError struct {
	Machine string
	Argv    []string
	Code    int // exit status; -1: ended by a signal or never ran
	Stdout  string
	Stderr  string
	Err     error
}

func (e *ExecError) Error() string {
	return fmt.Sprintf("%s: %s: %v\n%s", e.Machine, strings.Join(e.Argv, " "), e.Err,
		strings.TrimSpace(tail(e.Stdout+e.Stderr, 4096)))
}

func (e *ExecError) Unwrap() error { return e.Err }

// A shell runs commands on a machine as root. How, command says.
type shell struct {
	name    string
	command func(ctx context.Context, argv []string) (*exec.Cmd, error)
	poll    time.Duration // between two looks whether it answers yet
}

// Name is the name that the machine was booted with, and its host name.
func (s *shell) Name() string { return s.name }

// Exec runs a command on the machine as root and returns its standard output. A
// command that fails is an *ExecError, with what it wrote so far returned too.
// When ctx ends, or commandWithin has passed, the command may live on until the
// machine ends.
func (s *shell) Exec(ctx context.Context, argv ...string) (string, error) {
	var out bytes.Buffer
	err := s.pipe(ctx, nil, &out, argv...)
	return out.String(), err
}

func (s *shell) pipe(ctx context.Context, stdin io.Reader, stdout io.Writer, argv ...string) error {
	ctx, cancel := context.WithTimeout(ctx, commandWithin)
	defer cancel()
	cmd, err := s.command(ctx, argv)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", s.name, strings.Join(argv, " "), err)
	}
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, &stderr
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Run(); err != nil {
		failed := &ExecError{Machine: s.name, Argv: argv, Code: -1, Stderr: stderr.String(), Err: err}
		if buf, ok := stdout.(*bytes.Buffer); ok {
			failed.Stdout = buf.String()
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			failed.Code = exit.ExitCode()
		}
		return failed
	}
	return nil
}

// ReadFile reads a file of the machine.
func (s *shell) ReadFile(ctx context.Context, path string) ([]byte, error) {
	out, err := s.Exec(ctx, "cat", "--", path)
	return []byte(out), err
}

// WriteFile writes a file of the machine, root's, with the given permissions.
func (s *shell) WriteFile(ctx context.Context, path string, data []byte, mode os.FileMode) error {
	return s.write(ctx, bytes.NewReader(data), path, mode)
}

// CopyIn copies a file of the host to the machine, with its permissions.
func (s *shell) CopyIn(ctx context.Context, local, remote string) error {
	f, err := os.Open(local)
	if err != nil {
		return fmt.Errorf("copying to %s: %w", s.name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("copying to %s: %w", s.name, err)
	}
	return s.write(ctx, f, remote, info.Mode())
}

func (s *shell) write(ctx context.Context, from io.Reader, path string, mode os.FileMode) error {
	const script = `umask 077 && mkdir -p -m 755 "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"`
	return s.pipe(ctx, from, io.Discard, "sh", "-c", script, "write", path, strconv.FormatUint(uint64(mode.Perm()), 8))
}

// CopyOut copies a file of the machine to the host.
func (s *shell) CopyOut(ctx context.Context, remote, local string) error {
	f, err := os.Create(local)
	if err != nil {
		return fmt.Errorf("copying from %s: %w", s.name, err)
	}
	return errors.Join(s.pipe(ctx, nil, f, "cat", "--", remote), f.Close())
}

// Journal returns the machine's journal; args are those of journalctl, such as
// "-u", "freeswitch", "-b".
func (s *shell) Journal(ctx context.Context, args ...string) (string, error) {
	return s.Exec(ctx, append([]string{"journalctl", "--no-pager", "-o", "short-precise"}, args...)...)
}

// BootState is how a boot ended.
type BootState struct {
	State  string   // as systemctl is-system-running says it: "running" or "degraded"
	Failed []string // the units that failed
}

// WaitBoot waits until systemd has finished the boot. A degraded boot is not an
// error: Failed names what failed.
func (s *shell) WaitBoot(ctx context.Context) (BootState, error) {
	ctx, cancel := context.WithTimeout(ctx, bootsWithin)
	defer cancel()
	var state BootState
	err := waitFor(ctx, s.name+" to boot", s.poll, func() (bool, error) {
		// It exits non-zero for every state but running, also while systemd does
		// not answer yet.
		out, err := s.Exec(ctx, "systemctl", "is-system-running", "--wait")
		if errors.Is(err, errNotRunning) {
			return false, err
		}
		state.State = strings.TrimSpace(out)
		switch state.State {
		case "running", "degraded":
			return true, nil
		case "maintenance", "stopping":
			return false, fmt.Errorf("%s: the boot ended in the state %s", s.name, state.State)
		}
		return false, nil
	})
	if err != nil || state.State == "running" {
		return state, err
	}
	out, err := s.Exec(ctx, "systemctl", "list-units", "--failed", "--plain", "--no-legend")
	for line := range strings.Lines(out) {
		state.Failed = append(state.Failed, strings.Fields(line)[0])
	}
	return state, err
}

// errNotRunning says that the machine has ended, or was never started.
var errNotRunning = errors.New("the machine is not running")
