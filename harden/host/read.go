package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// MaxFile bounds a file that is read whole and that others than root can write,
	// in bytes: a thousand times the largest of vanilla's.
	MaxFile = 64 << 20
	// maxOwn bounds one of root's own, in bytes. It is far above what our records
	// can be, which hold what was replaced.
	maxOwn = 1 << 30
	// maxAs bounds one that is read with a user's rights, in bytes: a file of
	// fs_cli's has some hundred.
	maxAs = 64 << 10
	// maxNames bounds a folder that is listed: FreeSWITCH's largest, of ten thousand
	// users' files or recordings, is a tenth of it.
	maxNames = 1 << 18
)

// ReadFile reads a file, following links. What is no regular file is an error,
// and never waited for, and so is one of more than MaxFile bytes that is not
// root's alone.
func (h *Host) ReadFile(path string) ([]byte, error) {
	defer h.use()()
	at, err := h.real(path)
	if err != nil {
		return nil, err
	}
	fd, st, err := at.openFile()
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }() // only read
	return at.readAll(fd, st.Size, at.limit(&st))
}

// limit is how many bytes of a file are read whole.
func (p place) limit(st *unix.Stat_t) int64 {
	switch {
	case os.Geteuid() == root && !actsAsRoot():
		return maxAs
	case p.dir.realm == root && trusted(st.Uid) && !othersWrite(st):
		return maxOwn
	default:
		return MaxFile
	}
}

// Peek reads at most n bytes of a file from offset on, in bytes, links followed
// inside the root. A fifo or a device is an error, and never waited for.
func (h *Host) Peek(path string, offset int64, n int) ([]byte, error) {
	return h.readFrom(path, func(int64) int64 { return offset }, n)
}

// Tail is Peek at the last n bytes of a file.
func (h *Host) Tail(path string, n int) ([]byte, error) {
	return h.readFrom(path, func(size int64) int64 { return max(size-int64(n), 0) }, n)
}

// readFrom reads at most n bytes of a file, from where start says for its size.
func (h *Host) readFrom(path string, start func(size int64) int64, n int) ([]byte, error) {
	defer h.use()()
	at, err := h.real(path)
	if err != nil {
		return nil, err
	}
	fd, st, err := at.openFile()
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }() // only read
	offset := start(st.Size)
	if _, err := unix.Seek(fd, offset, unix.SEEK_SET); err != nil {
		return nil, &fs.PathError{Op: "seek", Path: at.path, Err: err}
	}
	return at.readSome(fd, min(max(st.Size-offset, 0), int64(n)), n)
}

// Exists tells whether something stands at path, links followed.
func (h *Host) Exists(path string) bool {
	defer h.use()()
	at, err := h.real(path)
	if err != nil {
		return false
	}
	_, err = at.stat()
	return err == nil
}

// ReadDir lists a folder's names, sorted.
func (h *Host) ReadDir(path string) ([]string, error) {
	defer h.use()()
	at, err := h.real(path)
	if err != nil {
		return nil, err
	}
	if at.dir == nil {
		return nil, &fs.PathError{Op: "open", Path: at.path, Err: at.gone}
	}
	fd, err := openat(at.dir.fd, at.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: at.path, Err: err}
	}
	defer func() { _ = unix.Close(fd) }() // only read
	names, err := list(fd)
	if err != nil {
		return nil, &fs.PathError{Op: "list", Path: at.path, Err: err}
	}
	return names, nil
}

// list gives the names in an open folder, sorted.
func list(fd int) ([]string, error) {
	var names []string
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.ReadDirent(fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, err
		case n <= 0:
			slices.Sort(names)
			return names, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
		if len(names) > maxNames {
			return nil, fmt.Errorf("it holds more than %d names: move away what does not belong there", maxNames)
		}
	}
}

// openFile opens a regular file at the place, to read. It is looked at before it
// is opened: to open a device may set something off.
func (p place) openFile() (fd int, st unix.Stat_t, err error) {
	if st, err = p.stat(); err != nil {
		return -1, st, &fs.PathError{Op: "open", Path: p.path, Err: err}
	}
	if err := p.readable(&st); err != nil {
		return -1, st, err
	}
	fd, err = openat(p.dir.fd, p.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return -1, st, &fs.PathError{Op: "open", Path: p.path, Err: err}
	}
	// It may be another by now.
	if err = unix.Fstat(fd, &st); err == nil {
		err = p.readable(&st)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, st, err
	}
	return fd, st, nil
}

// readable refuses what is no regular file, or is another user's by a hard link.
func (p place) readable(st *unix.Stat_t) error {
	switch kind := st.Mode & unix.S_IFMT; {
	case kind == unix.S_IFDIR:
		return &fs.PathError{Op: "read", Path: p.path, Err: syscall.EISDIR}
	case kind != unix.S_IFREG:
		return fmt.Errorf("%s is not a file but %s, and is never opened: move it out of the way", p.path, inWords(kind))
	case p.dir.borrowed(st):
		return fmt.Errorf("%s is a hard link to a file of user %d in a folder of another: not opened; copy the file there", p.path, st.Uid)
	}
	return nil
}

func inWords(kind uint32) string {
	switch kind {
	case unix.S_IFLNK:
		return "a symlink"
	case unix.S_IFIFO:
		return "a FIFO"
	case unix.S_IFSOCK:
		return "a socket"
	default:
		return "a device"
	}
}

// readAll reads an open file of that size to its end.
func (p place) readAll(fd int, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, p.tooLarge(size)
	}
	b, err := p.readSome(fd, size, int(limit)+1)
	if int64(len(b)) > limit {
		return nil, p.tooLarge(int64(len(b)))
	}
	return b, err
}

// readSome reads at most n bytes. expected is how many the kernel says there are:
// none below /proc, and a file may grow.
func (p place) readSome(fd int, expected int64, n int) ([]byte, error) {
	b := make([]byte, 0, min(int(expected)+512, n))
	for len(b) < n {
		b = slices.Grow(b, 1)
		got, err := unix.Read(fd, b[len(b):min(cap(b), n)])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: p.path, Err: err}
		case got == 0:
			return b, nil
		}
		b = b[:len(b)+got]
	}
	return b, nil
}

func (p place) tooLarge(size int64) error {
	return fmt.Errorf("%s has %d bytes or more, and no file that is read here is that large: move it out of the way", p.path, size)
}
