package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// lockRetry is how often a lock that another holds is tried again.
const lockRetry = 50 * time.Millisecond

// Lock takes the folder at path for this process alone, waiting until ctx ends.
// The kernel lets it go when the process dies. The folder must be closed to
// others (0700): whoever can open it can hold the lock.
func (h *Host) Lock(ctx context.Context, path string) (unlock func(), err error) {
	fd, err := h.openNow(path)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	for {
		switch err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil && h.stands(fd, path):
			return func() { _ = unix.Close(fd) }, nil // closing is unlocking
		case err == nil: // the folder was removed meanwhile: its lock keeps nobody out
			_ = unix.Close(fd)
			return h.Lock(ctx, path)
		case !errors.Is(err, unix.EWOULDBLOCK):
			_ = unix.Close(fd)
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = unix.Close(fd)
			return nil, fmt.Errorf("another fs-harden is at work here (it holds %s): wait for it to end and run this again", path)
		case <-time.After(lockRetry):
		}
	}
}

// openNow opens a folder as it is now, whatever it was when last looked at.
func (h *Host) openNow(path string) (fd int, err error) {
	defer h.use()()
	h.forget()
	at, err := h.real(path)
	if err != nil {
		return -1, err
	}
	if at.dir == nil {
		return -1, at.gone
	}
	return openat(at.dir.fd, at.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// stands tells whether the open folder is what stands at path.
func (h *Host) stands(fd int, path string) bool {
	now, err := h.openNow(path)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(now) }() // only looked at
	var a, b unix.Stat_t
	return unix.Fstat(fd, &a) == nil && unix.Fstat(now, &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}
