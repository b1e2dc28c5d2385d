//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// A Lab is one run: its folder, its network, its key, its machines. Its methods
// may be called from several goroutines.
type Lab struct {
	Cache *Cache

	log  func(format string, args ...any)
	name string // of the network namespace and the control group
	dir  string
	key  keyPair
	net  *network

	mu       sync.Mutex
	machines []machine
	dirs     int
	closed   bool
	undo     []func() error // in reverse order, once the machines are gone

	closing  sync.Once
	closeErr error
}

// A machine is what Close has to end: a container, a virtual machine, a command.
type machine interface {
	Kill() error
}

// New installs the tools that the host lacks, sweeps away what killed runs left,
// and starts a lab. Close ends it; so do SIGINT and SIGTERM, after which the
// process ends as that signal would have ended it. log may be nil.
func New(ctx context.Context, log func(format string, args ...any)) (_ *Lab, err error) {
	if log == nil {
		log = func(string, ...any) {}
	}
	if missing := Missing(); len(missing) > 0 {
		return nil, fmt.Errorf("this machine cannot hold the lab: %s", strings.Join(missing, "; "))
	}
	if err := InstallTools(ctx, log); err != nil {
		return nil, err
	}
	cache, err := OpenCache()
	if err != nil {
		return nil, err
	}
	l := &Lab{Cache: cache, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if err := l.openRun(ctx); err != nil {
		return nil, err
	}
	if l.key, err = newKeyPair(ctx, l.dir); err != nil {
		return nil, err
	}
	if l.net, err = newNetwork(ctx, l.name); err != nil {
		return nil, err
	}
	l.undo = append(l.undo, l.net.close)
	l.closeOnSignal()
	return l, nil
}

// openRun makes the folder of this run. Its lock, held until the process ends,
// tells later runs that it is in use.
func (l *Lab) openRun(ctx context.Context) error {
	runs := filepath.Join(l.Cache.Dir(), "runs")
	if err := os.MkdirAll(runs, 0o755); err != nil {
		return fmt.Errorf("making the folder of the lab's runs: %w", err)
	}
	unlock, err := lockFile(ctx, filepath.Join(runs, ".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if err := sweep(ctx, runs, l.log); err != nil {
		return err
	}
	if l.dir, err = os.MkdirTemp(runs, "fslab-"); err != nil {
		return fmt.Errorf("making the folder of this run: %w", err)
	}
	l.name = filepath.Base(l.dir)
	held, err := tryLock(filepath.Join(l.dir, "lock"))
	if err != nil {
		return err
	}
	l.undo = append(l.undo, held.Close, func() error { return removeRun(l.dir) })
	return nil
}

// Close ends every machine and leaves nothing of the run behind. It may be
// called more than once.
func (l *Lab) Close() error {
	// Whoever comes second waits as well, and does not end the process halfway.
	l.closing.Do(func() { l.closeErr = l.close() })
	return l.closeErr
}

func (l *Lab) close() error {
	l.mu.Lock()
	l.closed = true
	machines, undo := l.machines, l.undo
	l.mu.Unlock()

	var errs []error
	for _, m := range slices.Backward(machines) {
		errs = append(errs, m.Kill())
	}
	for _, f := range slices.Backward(undo) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

func (l *Lab) closeOnSignal() {
	signals := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	l.undo = append(l.undo, func() error {
		signal.Stop(signals)
		close(done)
		return nil
	})
	go func() {
		select {
		case <-done:
		case sig := <-signals:
			l.log("%v: ending the lab's machines", sig)
			if err := l.Close(); err != nil {
				l.log("ending the lab: %v", err)
			}
			signal.Reset(sig)
			if err := syscall.Kill(os.Getpid(), sig.(syscall.Signal)); err != nil {
				os.Exit(1)
			}
		}
	}()
}

// track has Close end m too, until untrack is called. Once the lab is closed it
// ends m at once.
func (l *Lab) track(m machine) (untrack func(), err error) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, errors.Join(errors.New("the lab is closed"), m.Kill())
	}
	defer l.mu.Unlock()
	l.machines = append(l.machines, m)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.machines = slices.DeleteFunc(l.machines, func(other machine) bool { return other == m })
	}, nil
}

// newDir makes a new folder in the run's folder.
func (l *Lab) newDir(prefix string) (string, error) {
	l.mu.Lock()
	l.dirs++
	dir := filepath.Join(l.dir, fmt.Sprintf("%03d-%s", l.dirs, prefix))
	l.mu.Unlock()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", fmt.Errorf("making a folder of the lab: %w", err)
	}
	return dir, nil
}
