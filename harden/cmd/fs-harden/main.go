// Command fs-harden hardens the FreeSWITCH of the machine it runs on: `apply`
// while its image is baked, `firstboot` on each instance before FreeSWITCH may
// start. See docs/fs-harden.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden"
)

// version is set when the release is built.
var version = "dev"

// Exit statuses, part of the contract with scripts and with Packer's side.
const (
	exitOK     = 0
	exitFailed = 1 // and what was changed is undone
	exitUsage  = 2 // wrong usage or plan, nothing touched
	exitCheck  = 3
)

func main() {
	// One thread makes every change, in one order. The test that kills this
	// program at its n-th write, for every n, counts on it.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// Who reads our output may go away, as Packer does when it is cancelled. That
	// must not end us between two writes.
	signal.Ignore(syscall.SIGPIPE)
	// A core dump would hold the secrets, and LimitCORE= of a unit does not bind a
	// kernel that pipes them to a program (core(5)). It cannot fail: prctl(2).
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program, for tests to call.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	// Secrets pass through files made here; none is to be readable even for
	// the moment between its making and its chmod.
	syscall.Umask(0o077)
	inv, err := parse(args, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "fs-harden: %v\n", err)
		return exitUsage
	}
	if inv == nil { // help was asked for and given
		return exitOK
	}
	ctx, cancel := context.WithTimeout(ctx, inv.command.deadline)
	defer cancel()
	inv.watchdog = &watchdog{exit: os.Exit, grace: stuckGrace}
	ended := make(chan struct{})
	defer close(ended)
	inv.watchdog.watch(ctx, ended, stderr, inv.command.name)
	err = inv.command.run(ctx, inv, stdout)
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("ended by a signal: %w; run it again", err)
	}
	if err != nil {
		fmt.Fprintf(stderr, "fs-harden %s: %v\n", inv.command.name, err)
	}
	return status(err)
}

func status(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, harden.ErrCheck):
		return exitCheck
	default:
		return exitFailed
	}
}

// usageError is a fault of the person's words or plan: nothing was touched.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
