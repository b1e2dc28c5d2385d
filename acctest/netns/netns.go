//go:build linux

// Package netns makes network namespaces for tests and benchmarks of netfilter:
// nothing that happens in one reaches the machine's own network.
package netns

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// NS is a network namespace without a name. It ends when it is closed and the
// last process in it has ended.
type NS struct{ file *os.File }

// New makes a namespace with a loopback that is up. It needs root.
func New() (*NS, error) {
	var ns NS
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("making a network namespace (run this as root): %w", err)
		}
		var err error
		ns.file, err = os.Open(current)
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := ns.Run("", "ip", "link", "set", "lo", "up"); err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	return &ns, nil
}

// current is the namespace of the thread that opens it.
const current = "/proc/thread-self/ns/net"

// Close gives the namespace up.
func (ns *NS) Close() error { return ns.file.Close() }

// Do runs work inside: sockets that it opens and processes that it starts
// belong there and stay there.
func (ns *NS) Do(work func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering the network namespace: %w", err)
		}
		return work()
	})
}

// onThread runs work on a thread of its own that ends with it: no other
// goroutine ever finds itself in another namespace.
func onThread(work func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- work()
	}()
	return <-done
}

// Run runs a command inside and gives its standard output.
func (ns *NS) Run(stdin, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	err := ns.Do(func() error {
		cmd := exec.Command(name, args...) //nolint:gosec // tests name their commands
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
		return cmd.Run()
	})
	if err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// path names the namespace for "ip link".
func (ns *NS) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), ns.file.Fd()) }

// Link joins two namespaces by a cable. Each end is called eth0 and is given
// its addresses, with their masks.
func Link(a, b *NS, ofA, ofB []string) error {
	if _, err := a.Run("", "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", b.path()); err != nil {
		return err
	}
	for _, end := range []struct {
		ns        *NS
		addresses []string
	}{{a, ofA}, {b, ofB}} {
		for _, address := range end.addresses {
			args := []string{"addr", "add", address, "dev", "eth0"}
			if strings.Contains(address, ":") {
				args = append(args, "nodad")
			}
			if _, err := end.ns.Run("", "ip", args...); err != nil {
				return err
			}
		}
		if _, err := end.ns.Run("", "ip", "link", "set", "eth0", "up"); err != nil {
			return err
		}
	}
	return nil
}
