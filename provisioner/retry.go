package provisioner

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// transportError is a failure of the way to the guest, not of what was asked
// of it. Only these are tried again.
type transportError struct{ err error }

func (e transportError) Error() string { return e.err.Error() }
func (e transportError) Unwrap() error { return e.err }

// tries bounds how often one upload or one start of a command is tried.
const tries = 5

// backoff is the wait before try n, counted from 1: 1, 2, 4 and 8 seconds,
// enough for a network that is being set up again and for an sshd that
// restarts.
func backoff(n int) time.Duration { return time.Second << (n - 1) }

// persist calls do until it succeeds, fails by more than the transport, has
// been tried often enough, or ctx ends.
func persist(ctx context.Context, wait func(int) time.Duration, do func() error) error {
	for n := 1; ; n++ {
		err := do()
		var transport transportError
		if err == nil || !errors.As(err, &transport) {
			return err
		}
		if n == tries {
			return fmt.Errorf("after %d tries: %w", tries, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait(n)):
		}
	}
}
