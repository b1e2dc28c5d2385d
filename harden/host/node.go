package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Kind is what stands at a path.
type Kind string

// The kinds. Anything else, a device or a socket, is never touched.
const (
	Absent  Kind = "absent"
	File    Kind = "file"
	Symlink Kind = "symlink"
	Folder  Kind = "folder"
)

// Node is all that is kept of a path: enough to put it back as it was.
type Node struct {
	Kind    Kind              `json:"kind"`
	Data    []byte            `json:"data,omitempty"`
	Target  string            `json:"target,omitempty"` // of a symlink
	Mode    fs.FileMode       `json:"mode,omitempty"`   // permission, setuid, setgid and sticky bits
	UID     int               `json:"uid,omitempty"`
	GID     int               `json:"gid,omitempty"`
	Xattrs  map[string][]byte `json:"xattrs,omitempty"`
	ModTime time.Time         `json:"mod_time,omitzero"` // zero: the time of writing
}

// NewFile is a regular file of root's.
func NewFile(data []byte, mode fs.FileMode) Node {
	return Node{Kind: File, Data: data, Mode: mode}
}

// NewSymlink is a symbolic link of root's.
func NewSymlink(target string) Node { return Node{Kind: Symlink, Target: target} }

// WithData is the same file, owner, mode and attributes kept, holding data.
func (n Node) WithData(data []byte) Node {
	n.Data = data
	n.ModTime = time.Time{}
	return n
}

// Same tells whether putting after over before would change nothing that counts.
func Same(before, after Node) bool {
	if before.Kind != after.Kind {
		return false
	}
	owned := os.Geteuid() != 0 || (before.UID == after.UID && before.GID == after.GID)
	switch after.Kind {
	case Absent:
		return true
	case Symlink:
		return before.Target == after.Target
	default:
		return owned && before.Mode == after.Mode && bytes.Equal(before.Data, after.Data)
	}
}

// Lookup reads what stands at path itself: a link is told as a link. A file of more
// than MaxFile bytes is an error.
func (h *Host) Lookup(path string) (Node, error) { return h.look(path, true) }

// Outline is Lookup without a file's content.
func (h *Host) Outline(path string) (Node, error) { return h.look(path, false) }

func (h *Host) look(path string, whole bool) (Node, error) {
	defer h.use()()
	at, err := h.beside(path)
	if err != nil {
		return Node{}, err
	}
	back, err := h.become()
	if err != nil {
		return Node{}, err
	}
	defer back()
	return at.node(whole)
}

// node is what stands at the place, with a file's content where whole says so.
// All of it is of one and the same open file.
func (p place) node(whole bool) (Node, error) {
	st, err := p.stat()
	if absent(err) {
		return Node{Kind: Absent}, nil
	}
	if err != nil {
		return Node{}, &fs.PathError{Op: "stat", Path: p.path, Err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		n := described(&st)
		n.Kind, n.Mode = Symlink, 0
		n.Target, err = p.readlink()
		return n, err
	case unix.S_IFDIR:
		fd, err := openat(p.dir.fd, p.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		if errors.Is(err, unix.EACCES) {
			n := described(&st)
			n.Kind = Folder
			return n, nil
		}
		if err != nil {
			return Node{}, &fs.PathError{Op: "open", Path: p.path, Err: err}
		}
		defer func() { _ = unix.Close(fd) }() // only looked at
		return p.opened(fd, Folder)
	default:
		return p.fileNode(&st, whole)
	}
}

func (p place) fileNode(st *unix.Stat_t, whole bool) (Node, error) {
	fd, opened, err := p.openFile()
	if errors.Is(err, unix.EACCES) && !whole {
		n := described(st)
		n.Kind = File
		return n, nil
	}
	if err != nil {
		return Node{}, err
	}
	defer func() { _ = unix.Close(fd) }() // only read
	n, err := p.opened(fd, File)
	if err == nil && whole {
		n.Data, err = p.readAll(fd, opened.Size, p.limit(&opened))
	}
	return n, err
}

// opened is all of an open file or folder but what is in it.
func (p place) opened(fd int, kind Kind) (Node, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return Node{}, &fs.PathError{Op: "stat", Path: p.path, Err: err}
	}
	n := described(&st)
	n.Kind = kind
	var err error
	if n.Xattrs, err = xattrs(fd); err != nil {
		return Node{}, fmt.Errorf("reading the extended attributes of %s: %w", p.path, err)
	}
	return n, nil
}

// described is what stat(2) tells of a node.
func described(st *unix.Stat_t) Node {
	return Node{Mode: fileMode(st.Mode), UID: int(st.Uid), GID: int(st.Gid), ModTime: time.Unix(st.Mtim.Unix())}
}

// modeBits are those that os.FileMode has elsewhere than stat(2).
var modeBits = []struct {
	kernel uint32
	ours   fs.FileMode
}{{unix.S_ISUID, fs.ModeSetuid}, {unix.S_ISGID, fs.ModeSetgid}, {unix.S_ISVTX, fs.ModeSticky}}

func fileMode(kernel uint32) fs.FileMode {
	mode := fs.FileMode(kernel & 0o777)
	for _, b := range modeBits {
		if kernel&b.kernel != 0 {
			mode |= b.ours
		}
	}
	return mode
}

func kernelMode(mode fs.FileMode) uint32 {
	kernel := uint32(mode.Perm())
	for _, b := range modeBits {
		if mode&b.ours != 0 {
			kernel |= b.kernel
		}
	}
	return kernel
}

// maxXattrs bounds the extended attributes of a file, in bytes: a label, an access
// list and a capability have some hundred.
const maxXattrs = 16 << 10

// xattrs reads every extended attribute: SELinux labels, ACLs, capabilities.
func xattrs(fd int) (map[string][]byte, error) {
	size, err := unix.Flistxattr(fd, nil)
	if errors.Is(err, unix.ENOTSUP) || (err == nil && size == 0) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if size > maxXattrs {
		return nil, fmt.Errorf("their names have %d bytes: remove them (attr(1))", size)
	}
	names := make([]byte, size)
	if size, err = unix.Flistxattr(fd, names); err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	total := 0
	for _, name := range splitNames(names[:size]) {
		n, err := unix.Fgetxattr(fd, name, nil)
		if err != nil {
			return nil, err
		}
		if total += n; total > maxXattrs {
			return nil, fmt.Errorf("they have more than %d bytes: remove them (attr(1))", maxXattrs)
		}
		value := make([]byte, n)
		if n, err = unix.Fgetxattr(fd, name, value); err != nil {
			return nil, err
		}
		out[name] = value[:n]
	}
	return out, nil
}

func splitNames(b []byte) []string {
	var names []string
	start := 0
	for i, c := range b {
		if c == 0 {
			names = append(names, string(b[start:i]))
			start = i + 1
		}
	}
	return names
}
