package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockRetry is how often a lock that another holds is tried again.
const lockRetry = 50 * time.Millisecond

// Lock takes the folder at path for this process alone, waiting until ctx ends.
// The kernel lets it go when the process dies. The folder must be closed to
// others (0700): whoever can open it can hold the lock.
func (h *Host) Lock(ctx context.Context, path string) (unlock func(), err error) {
	p, err := h.real(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(p) //nolint:gosec // see Host.ReadFile
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	for {
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil && stands(f, p):
			return func() { _ = f.Close() }, nil // closing is unlocking
		case err == nil: // the folder was removed meanwhile: its lock keeps nobody out
			_ = f.Close()
			return h.Lock(ctx, path)
		case !errors.Is(err, unix.EWOULDBLOCK):
			_ = f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("another fs-harden is at work here (it holds %s): wait for it to end and run this again", path)
		case <-time.After(lockRetry):
		}
	}
}

// stands tells whether the open file f is what stands at p.
func stands(f *os.File, p string) bool {
	a, errA := f.Stat()
	b, errB := os.Stat(p)
	return errA == nil && errB == nil && os.SameFile(a, b)
}
