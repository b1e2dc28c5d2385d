package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden"
)

// stuckGrace is how long a run may take to end once it was told to, by a signal or
// its deadline. What it waits for then does not know of that: a network file
// system that is gone, a file that never ends.
const stuckGrace = 10 * time.Second

// watchdog ends a run that does not end by itself. What it leaves half done the
// next run puts back: it is as if the power had failed.
type watchdog struct {
	undoing atomic.Bool // putting things back takes longer, and is bounded by itself
	exit    func(status int)
	grace   time.Duration
}

// watch returns at once. The run is over when ended is closed.
func (w *watchdog) watch(ctx context.Context, ended <-chan struct{}, stderr io.Writer, name string) {
	go func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		for _, patience := range []time.Duration{w.grace, harden.UndoTimeout} {
			select {
			case <-ended:
				return
			case <-time.After(patience):
			}
			if !w.undoing.Load() {
				break
			}
		}
		fmt.Fprintf(stderr, "fs-harden %s: told to end and still waiting for something (a network file system? see /proc/PID/stack), so it is ended as it is; run it again, which first puts back what was half done\n", name)
		w.exit(exitFailed)
	}()
}
