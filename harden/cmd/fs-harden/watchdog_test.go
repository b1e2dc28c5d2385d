package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A command that waits for what never comes ends when it is told to: here for the
// writer of a plan that is a FIFO.
func TestSIGTERMEndsWhatHangs(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "plan")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "apply", "--root", t.TempDir(), "--plan", fifo)
	cmd.Args[0] = "fs-harden"
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	opensFIFO(t, fifo)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(stuckGrace + 20*time.Second):
		_ = cmd.Process.Kill()
		t.Fatal("it does not end")
	}
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(said.String(), "told to end") {
		t.Errorf("exit status %d: %s", code, &said)
	}
}

// opensFIFO waits until somebody reads from the FIFO, and holds its other end until
// the test is over, without a word.
func opensFIFO(t *testing.T, fifo string) {
	t.Helper()
	for range 200 {
		fd, err := syscall.Open(fifo, syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
		if err == nil {
			t.Cleanup(func() { _ = syscall.Close(fd) })
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("nobody opens the FIFO")
}

// Putting things back has more time, and a run that ends by itself is left alone.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	const grace = 20 * time.Millisecond
	for name, c := range map[string]struct {
		undoing, ends, want bool
	}{
		"hangs":                      {false, false, true},
		"ends in time":               {false, true, false},
		"puts things back, and ends": {true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exited := make(chan int, 1)
			w := &watchdog{grace: grace, exit: func(status int) { exited <- status }}
			w.undoing.Store(c.undoing)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			var once sync.Once
			end := func() { once.Do(func() { close(ended) }) }
			defer end()
			var said safeBuffer
			w.watch(ctx, ended, &said, "rotate")
			cancel()
			if c.ends {
				if c.undoing {
					time.Sleep(3 * grace) // it outlasts the first patience
				}
				end()
			}
			select {
			case status := <-exited:
				if !c.want || status != exitFailed || !strings.Contains(said.String(), "fs-harden rotate: told to end") {
					t.Errorf("ended with %d: %s", status, said.String())
				}
			case <-time.After(10 * grace):
				if c.want {
					t.Error("it goes on")
				}
			}
		})
	}
}

// safeBuffer is written to by one goroutine and read by another.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
