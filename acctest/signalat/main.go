//go:build linux

// Command signalat runs a program and sends it a signal as its first thread
// makes a system call for the nth time, before the call is carried out:
//
//	signalat KILL renameat 7 program argument...
//
// It ends as the program does; of a signal with 128 and its number, as a shell
// has it. strace(1) can do the same, and stops the program at every system call
// for it; here a seccomp filter stops it at those of that name alone, which is
// ten times as fast.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

var signals = map[string]syscall.Signal{
	"KILL": unix.SIGKILL, "TERM": unix.SIGTERM, "INT": unix.SIGINT, "HUP": unix.SIGHUP,
}

// filtered, in the environment, tells that this process is to become the program
// and stop at the call of that number.
const filtered = "SIGNALAT_CALL"

func main() {
	// Who traces is a thread, and so is who is filtered.
	runtime.LockOSThread()
	if call := os.Getenv(filtered); call != "" {
		fail(become(call, os.Args[1:]))
	}
	status, err := run(os.Args[1:])
	if err != nil {
		fail(err)
	}
	os.Exit(status)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "signalat:", err)
	os.Exit(125)
}

func run(args []string) (status int, err error) {
	if len(args) < 4 {
		return 0, errors.New("usage: signalat SIGNAL CALL N PROGRAM [ARGUMENT...]")
	}
	signal, known := signals[args[0]]
	call, ok := calls[args[1]]
	n, err := strconv.Atoi(args[2])
	if !known || !ok || err != nil {
		return 0, fmt.Errorf("%q is not understood: SIGNAL CALL N", args[:3])
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command(self, args[3:]...)
	cmd.Env = append(os.Environ(), filtered+"="+strconv.Itoa(int(call)))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	return trace(cmd.Process.Pid, signal, n)
}

// trace lets the program run and sends the signal. Threads that it makes are
// traced too: a filtered call of one that is not fails.
func trace(program int, signal syscall.Signal, n int) (status int, err error) {
	var ws unix.WaitStatus
	if _, err := unix.Wait4(program, &ws, unix.WALL, nil); err != nil {
		return 0, fmt.Errorf("waiting for the program to begin: %w", err)
	}
	const options = unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACEEXEC
	if err := unix.PtraceSetOptions(program, options); err != nil {
		return 0, err
	}
	thread, made := program, 0
	for pass := 0; ; {
		if err := unix.PtraceCont(thread, pass); err != nil && !errors.Is(err, unix.ESRCH) { // it was killed
			return 0, fmt.Errorf("letting the program go on: %w", err)
		}
		if thread, err = unix.Wait4(-1, &ws, unix.WALL, nil); err != nil {
			return 0, fmt.Errorf("waiting for the program: %w", err)
		}
		pass = 0
		switch {
		case thread == program && ws.Exited():
			return ws.ExitStatus(), nil
		case thread == program && ws.Signaled():
			return 128 + int(ws.Signal()), nil
		case !ws.Stopped(): // another thread ended
		case ws.TrapCause() == unix.PTRACE_EVENT_SECCOMP:
			if thread == program {
				made++
			}
			if thread == program && made == n {
				if err := unix.Kill(program, signal); err != nil {
					return 0, err
				}
			}
		case ws.TrapCause() > 0, ws.StopSignal() == unix.SIGSTOP, ws.StopSignal() == unix.SIGTRAP: // of tracing itself
		default:
			pass = int(ws.StopSignal())
		}
	}
}
