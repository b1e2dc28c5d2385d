package host

import (
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// Glimpse is what a path is, without what is in it.
type Glimpse struct {
	Kind    Kind // Absent, File, Symlink, Folder, or Other
	Size    int64
	Mode    fs.FileMode // permission bits
	UID     int
	GID     int
	Target  string // of a symlink
	ModTime time.Time
}

// Other is a device, a socket or a fifo: never opened.
const Other Kind = "other"

// Glance tells what stands at path itself, a link as a link, and reads nothing.
func (h *Host) Glance(path string) (Glimpse, error) {
	defer h.use()()
	at, err := h.beside(path)
	if err != nil {
		return Glimpse{}, err
	}
	st, err := at.stat()
	if absent(err) {
		return Glimpse{Kind: Absent}, nil
	}
	if err != nil {
		return Glimpse{}, &fs.PathError{Op: "stat", Path: at.path, Err: err}
	}
	g := Glimpse{
		Kind: Other, Size: st.Size, Mode: fs.FileMode(st.Mode & 0o777), UID: int(st.Uid), GID: int(st.Gid),
		ModTime: time.Unix(st.Mtim.Unix()),
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		g.Kind = File
	case unix.S_IFDIR:
		g.Kind = Folder
	case unix.S_IFLNK:
		g.Kind = Symlink
		g.Target, err = at.readlink()
	}
	return g, err
}

// Glob is View.Glob on the machine as it is.
func (h *Host) Glob(pattern string) ([]string, error) { return NewView(h).Glob(pattern) }

// Glance is Host.Glance with what is staged.
func (v *View) Glance(path string) (Glimpse, error) {
	key, err := v.key(path)
	if err != nil {
		return Glimpse{}, err
	}
	if n, ok := v.staged[key]; ok {
		return Glimpse{Kind: n.Kind, Size: int64(len(n.Data)), Mode: n.Mode.Perm(), UID: n.UID, GID: n.GID, Target: n.Target, ModTime: n.ModTime}, nil
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
