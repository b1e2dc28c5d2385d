package host

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
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

// Lookup reads what stands at path itself: a link is told as a link.
func (h *Host) Lookup(path string) (Node, error) {
	p, err := h.beside(path)
	if err != nil {
		return Node{}, err
	}
	return lookup(p)
}

func lookup(p string) (Node, error) {
	n, err := outline(p)
	if err == nil && n.Kind == File {
		n.Data, err = readNoFollow(p)
	}
	return n, err
}

// outline is all of a node but a file's content.
func outline(p string) (Node, error) {
	info, err := os.Lstat(p)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return Node{Kind: Absent}, nil
	}
	if err != nil {
		return Node{}, err
	}
	n := Node{
		Mode:    info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky),
		ModTime: info.ModTime(),
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		n.UID, n.GID = int(st.Uid), int(st.Gid)
	}
	switch {
	case info.Mode().IsRegular():
		n.Kind = File
	case info.IsDir():
		n.Kind = Folder
	case info.Mode()&fs.ModeSymlink != 0:
		n.Kind, n.Mode = Symlink, 0
		if n.Target, err = os.Readlink(p); err != nil {
			return Node{}, err
		}
		return n, nil
	default:
		return Node{}, fmt.Errorf("%s is neither a file, a folder nor a link: move it out of the way", p)
	}
	if n.Xattrs, err = xattrs(p); err != nil {
		return Node{}, fmt.Errorf("reading the extended attributes of %s: %w", p, err)
	}
	return n, nil
}

// readNoFollow reads the file that was just looked at. A user who swaps it for a
// link to somebody else's file gets an error, not a copy.
func readNoFollow(p string) ([]byte, error) {
	f, err := os.OpenFile(p, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0) //nolint:gosec // see Host.ReadFile
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	return io.ReadAll(f)
}

// xattrs reads every extended attribute: SELinux labels, ACLs, capabilities.
func xattrs(p string) (map[string][]byte, error) {
	size, err := unix.Llistxattr(p, nil)
	if errors.Is(err, unix.ENOTSUP) || (err == nil && size == 0) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names := make([]byte, size)
	if size, err = unix.Llistxattr(p, names); err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, name := range splitNames(names[:size]) {
		n, err := unix.Lgetxattr(p, name, nil)
		if err != nil {
			return nil, err
		}
		value := make([]byte, n)
		if n, err = unix.Lgetxattr(p, name, value); err != nil {
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
