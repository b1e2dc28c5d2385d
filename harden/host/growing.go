package host

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Growing is a log: a file of this process's user that only grows, until it is
// so large that it becomes FILE.1 and a new one begins.
type Growing struct {
	host *Host
	path string
	max  int64 // bytes
	file *os.File
	size int64 // bytes
}

// Grow opens a log, or makes it with the mode 0600. What stands there and is no
// regular file, or has a second name, is an error: it was not made by Grow. So is
// a folder that another user than root can change.
func (h *Host) Grow(path string, maxBytes int64) (*Growing, error) {
	g := &Growing{host: h, path: path, max: maxBytes}
	return g, g.open()
}

func (g *Growing) open() error {
	defer g.host.use()()
	at, err := g.at()
	if err != nil {
		return err
	}
	const flags = unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := openat(at.dir.fd, at.name, flags, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log %s: %w", g.path, err)
	}
	g.file = os.NewFile(uintptr(fd), g.path)
	var st unix.Stat_t
	switch err := unix.Fstat(fd, &st); {
	case err != nil:
		return errors.Join(fmt.Errorf("opening the log %s: %w", g.path, err), g.file.Close())
	case st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1:
		return errors.Join(fmt.Errorf("%s is no log: it is %s with %d names; move it out of the way", g.path, inWords(st.Mode), st.Nlink), g.file.Close())
	}
	g.size = st.Size
	return nil
}

// at is where the log lies, as it is now: it is open for months.
func (g *Growing) at() (place, error) {
	g.host.forget()
	at, err := g.host.real(g.path)
	if err == nil && at.dir == nil {
		err = at.gone
	}
	return at, err
}

// Write appends, which is one write of the kernel's. The file is renamed before,
// where it is full.
func (g *Growing) Write(b []byte) (int, error) {
	if g.size >= g.max {
		if err := g.turn(); err != nil {
			return 0, err
		}
	}
	n, err := g.file.Write(b)
	g.size += int64(n)
	return n, err
}

func (g *Growing) turn() error {
	// It is closed already where the last turn failed half way.
	if err := g.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	if err := g.rename(); err != nil {
		return fmt.Errorf("beginning a new log: %w", err)
	}
	return g.open()
}

func (g *Growing) rename() error {
	defer g.host.use()()
	at, err := g.at()
	if err != nil {
		return err
	}
	return unix.Renameat(at.dir.fd, at.name, at.dir.fd, at.name+".1")
}

// Close ends it.
func (g *Growing) Close() error { return g.file.Close() }
