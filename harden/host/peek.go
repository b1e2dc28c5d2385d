package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Glimpse is what a path is, without what is in it.
type Glimpse struct {
	Kind    Kind // Absent, File, Symlink, Folder, or Other
	Size    int64
	Mode    fs.FileMode // permission bits
	Target  string      // of a symlink
	ModTime time.Time
}

// Other is a device, a socket or a fifo: never opened.
const Other Kind = "other"

// Glance tells what stands at path itself, a link as a link, and reads nothing.
func (h *Host) Glance(path string) (Glimpse, error) {
	p, err := h.beside(path)
	if err != nil {
		return Glimpse{}, err
	}
	info, err := os.Lstat(p)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return Glimpse{Kind: Absent}, nil
	}
	if err != nil {
		return Glimpse{}, err
	}
	g := Glimpse{Kind: Other, Size: info.Size(), Mode: info.Mode().Perm(), ModTime: info.ModTime()}
	switch {
	case info.Mode().IsRegular():
		g.Kind = File
	case info.IsDir():
		g.Kind = Folder
	case info.Mode()&fs.ModeSymlink != 0:
		g.Kind = Symlink
		g.Target, err = os.Readlink(p)
	}
	return g, err
}

// Peek reads at most n bytes of a file from offset on, links followed inside the
// root. A fifo or a device is an error, and never waited for.
func (h *Host) Peek(path string, offset int64, n int) ([]byte, error) {
	p, err := h.real(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(p, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0) //nolint:gosec // see Host.ReadFile
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	switch info, err := f.Stat(); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	}
	return io.ReadAll(io.NewSectionReader(f, offset, int64(n)))
}

// Root is where the machine's files lie on the one that runs us; "/", if it is
// that one.
func (h *Host) Root() string { return h.root }

// Glob is View.Glob on the machine as it is.
func (h *Host) Glob(pattern string) ([]string, error) { return NewView(h).Glob(pattern) }

// Glance is Host.Glance with what is staged.
func (v *View) Glance(path string) (Glimpse, error) {
	key, err := v.key(path)
	if err != nil {
		return Glimpse{}, err
	}
	if n, ok := v.staged[key]; ok {
		return Glimpse{Kind: n.Kind, Size: int64(len(n.Data)), Mode: n.Mode.Perm(), Target: n.Target, ModTime: n.ModTime}, nil
	}
	return v.Host.Glance(path)
}

// Peek is Host.Peek with what is staged.
func (v *View) Peek(path string, offset int64, n int) ([]byte, error) {
	switch staged, ok, err := v.over(path); {
	case err != nil:
		return nil, err
	case !ok:
		return v.Host.Peek(path, offset, n)
	case staged.Kind == File:
		from := min(offset, int64(len(staged.Data)))
		return staged.Data[from:min(from+int64(n), int64(len(staged.Data)))], nil
	default:
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
}
