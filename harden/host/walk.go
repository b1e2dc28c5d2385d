package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// dir is an open folder of the machine (O_PATH), reached one component at a time,
// each of them checked: whatever becomes of its name, this stays the folder that
// was checked. openat2(2) with RESOLVE_BENEATH would save some calls and know
// nothing of owners, which is what decides here.
type dir struct {
	fd   int
	dev  uint64 // with ino, which folder it is
	ino  uint64
	path string // as seen on the machine, without a link in it
	up   *dir
	own  int // who may change its names, see writer

	// realm is the user who decides which folder this is: root, while every folder
	// above is root's alone. top is the outermost folder of that realm.
	realm int
	top   *dir
	// linked tells that a link of the realm's user leads here.
	linked bool
	// sticky tells that many may make names here, and each change his own alone.
	sticky bool

	sub map[step]*dir
}

// step is one component below a folder.
type step struct {
	name   string
	linked bool
}

// door is what every Host of one machine shares. Its lock is held for as long as
// an operation uses one of the folders.
type door struct {
	mu  sync.Mutex
	top *dir
	fds *descriptors
}

const (
	// maxLinks is how many links one path may lead through (path_resolution(7)).
	maxLinks = 40
	// maxOpen is how many folders are kept open. A configuration has some thirty.
	maxOpen = 128
)

// UnsafeError says that a path leads through a link whose owner has no say over
// what it leads to.
type UnsafeError struct {
	Path   string // that was to be used
	Link   string
	Target string
	Folder string // where the link lies, or the outermost folder of its owner
	Owner  int    // user id; everybody: more than one user may write there
}

func (e *UnsafeError) Error() string {
	return fmt.Sprintf("%s leads through the symlink %s -> %s, which is not followed: %s decides what lies in %s, and not over what it leads to; put the thing itself in the place of the link, or make that folder root's",
		e.Path, e.Link, e.Target, inWhose(e.Owner), e.Folder)
}

// forget has every path walked anew: after a command, or a change of a folder or
// link, one may lead elsewhere. What is open stays so, for whoever is at work there.
func (d *door) forget() { d.top.sub = nil }

// drop has one name walked anew.
func (d *dir) drop(name string) {
	delete(d.sub, step{name, false})
	delete(d.sub, step{name, true})
}

// use takes the door for one operation.
func (d *door) use() (leave func()) {
	d.mu.Lock()
	if len(d.fds.below) > maxOpen {
		d.fds.closeBelow()
		d.forget()
	}
	return d.mu.Unlock
}

// descriptors are those of open folders.
type descriptors struct {
	top   int
	below []int
}

func (d *descriptors) closeBelow() {
	for _, fd := range d.below {
		_ = unix.Close(fd) // only a name (O_PATH)
	}
	d.below = nil
}

func (d *descriptors) closeAll() {
	d.closeBelow()
	_ = unix.Close(d.top) // only a name (O_PATH)
}

// place is where a path leads: a name in an open folder.
type place struct {
	dir  *dir   // nil, where there is no such folder
	name string // "." for the folder itself
	path string // as seen on the machine; what is not there is as it was given
	gone error  // why there is no folder: ENOENT or ENOTDIR
}

// walk is one path on its way.
type walk struct {
	*Host
	path  string // as it was given
	links int
}

// beside gives where path itself lies, its folder's links followed but not its
// own: what a rename would replace.
func (h *Host) beside(p string) (place, error) {
	if !filepath.IsAbs(p) {
		return place{}, fmt.Errorf("%s is not an absolute path", p)
	}
	w := walk{Host: h, path: p}
	return w.from(h.top, p, nil)
}

// real is beside with the path's own links followed as well.
func (h *Host) real(p string) (place, error) {
	if !filepath.IsAbs(p) {
		return place{}, fmt.Errorf("%s is not an absolute path", p)
	}
	w := walk{Host: h, path: p}
	at, err := w.from(h.top, p, nil)
	if err != nil {
		return place{}, err
	}
	at, by, err := w.end(at)
	if err != nil || by == nil || !by.binds() {
		return at, err
	}
	if st, err := at.stat(); err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && at.name != "." {
		_, err := w.enter(at.dir, at.name, by)
		return at, err
	}
	return at, nil
}

// end follows the links that stand at a place itself, and gives the last of them.
func (w *walk) end(at place) (place, *symlink, error) {
	var by *symlink
	for at.dir != nil {
		st, err := at.stat()
		if err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
			break // whoever opens it says what is wrong
		}
		if by, err = w.read(at, &st); err != nil {
			return place{}, nil, err
		}
		if at, err = w.follow(by); err != nil {
			return place{}, nil, err
		}
	}
	return at, by, nil
}

// from walks p below cur. by is the link that p is the target of, nil for a path
// that the caller gave.
func (w *walk) from(cur *dir, p string, by *symlink) (place, error) {
	elements := strings.FieldsFunc(p, func(r rune) bool { return r == '/' })
	for i, name := range elements {
		last := i == len(elements)-1
		switch {
		case name == ".":
			continue
		case name == "..":
			if by != nil && by.binds() && cur != w.top && (cur == by.at.top || cur.up.own != by.at.realm) {
				return place{}, w.unsafe(by)
			}
			cur = cur.up
			continue
		case last:
			return place{dir: cur, name: name, path: path.Join(cur.path, name)}, nil
		}
		next, err := w.enter(cur, name, by)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			rest := path.Join(elements[i:]...)
			return place{name: path.Base(rest), path: path.Join(cur.path, rest), gone: err}, nil
		}
		if err != nil {
			return place{}, placed("opening", path.Join(cur.path, name), err)
		}
		cur = next
	}
	return place{dir: cur, name: ".", path: cur.path}, nil
}

// enter gives the folder name in cur, a link followed. by is as in from.
func (w *walk) enter(cur *dir, name string, by *symlink) (*dir, error) {
	key := step{name, cur.linked || by != nil && by.binds()}
	if d := cur.sub[key]; d != nil {
		return d, nil
	}
	d, err := w.openFolder(cur, name, key.linked)
	if errors.Is(err, unix.ENOTDIR) { // what O_NOFOLLOW says of a link here
		d, err = w.linked(cur, name)
	}
	switch {
	case err != nil:
		return nil, err
	case by != nil && by.binds() && d.own != by.at.realm:
		return nil, w.unsafe(by)
	case cur.linked && d.own != cur.realm:
		return nil, w.unsafe(&symlink{at: cur, name: name, target: "."})
	}
	if cur.sub == nil {
		cur.sub = map[step]*dir{}
	}
	cur.sub[key] = d
	return d, nil
}

// linked gives the folder that the link name in cur leads to.
func (w *walk) linked(cur *dir, name string) (*dir, error) {
	at, by, err := w.end(place{dir: cur, name: name, path: path.Join(cur.path, name)})
	switch {
	case err != nil:
		return nil, err
	case by == nil:
		return nil, unix.ENOTDIR
	case at.dir == nil:
		return nil, at.gone
	case at.name != ".":
		return w.enter(at.dir, at.name, by)
	case by.binds():
		d := *at.dir
		d.linked, d.sub = true, nil
		return &d, nil
	}
	return at.dir, nil
}

// openFolder opens one folder that is no link.
func (w *walk) openFolder(cur *dir, name string, linked bool) (*dir, error) {
	fd, err := openat(cur.fd, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	w.fds.below = append(w.fds.below, fd)
	d := &dir{
		fd: fd, dev: st.Dev, ino: st.Ino, path: path.Join(cur.path, name), up: cur, linked: linked,
		own: writer(&st), realm: cur.realm, top: cur.top, sticky: st.Mode&unix.S_ISVTX != 0,
	}
	if d.own != root && d.own != cur.realm {
		d.realm, d.top = d.own, d
	}
	return d, nil
}

// symlink is a symbolic link on the way.
type symlink struct {
	at           *dir
	name, target string
}

// binds tells whether the link keeps the walk in the realm that it lies in.
func (l *symlink) binds() bool { return l.at.realm != root }

func (w *walk) unsafe(l *symlink) error {
	folder := l.at
	if l.at.top != nil {
		folder = l.at.top
	}
	owner := l.at.realm
	if owner == root {
		owner = everybody
	}
	return &UnsafeError{Path: w.path, Link: path.Join(l.at.path, l.name), Target: l.target, Folder: folder.path, Owner: owner}
}

// read reads the link at a place, and refuses one that nobody has a right to
// follow.
func (w *walk) read(at place, st *unix.Stat_t) (*symlink, error) {
	if w.links++; w.links > maxLinks {
		return nil, &fs.PathError{Op: "following", Path: w.path, Err: unix.ELOOP}
	}
	target, err := at.readlink()
	if err != nil {
		return nil, err
	}
	l := &symlink{at.dir, at.name, target}
	switch {
	case at.dir.sticky && at.dir.own == root && !trusted(st.Uid): // as fs.protected_symlinks has it
		return nil, w.unsafe(l)
	case filepath.IsAbs(target) && l.binds() && at.dir.top != w.top:
		return nil, w.unsafe(l)
	}
	return l, nil
}

// follow gives where a link leads, one step of it.
func (w *walk) follow(l *symlink) (place, error) {
	if filepath.IsAbs(l.target) {
		return w.from(w.top, l.target, l)
	}
	return w.from(l.at, l.target, l)
}

// stat tells of what stands at the place itself.
func (p place) stat() (st unix.Stat_t, err error) {
	if p.dir == nil {
		return st, p.gone
	}
	err = unix.Fstatat(p.dir.fd, p.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, err
}

func (p place) readlink() (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(p.dir.fd, p.name, buf)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: p.path, Err: err}
	}
	return string(buf[:n]), nil
}

// absent tells an error that says that nothing stands there.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// openat is openat(2), for this process alone and not its children.
func openat(at int, name string, flags int, mode uint32) (fd int, err error) {
	for {
		fd, err = unix.Openat(at, name, flags|unix.O_CLOEXEC, mode)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// placed puts the path, as seen on the machine, to what the kernel says.
func placed(doing, path string, err error) error {
	var errno unix.Errno
	if err == nil || !errors.As(err, &errno) {
		return err
	}
	var known *fs.PathError
	if errors.As(err, &known) {
		return err
	}
	return &fs.PathError{Op: doing, Path: path, Err: errno}
}
