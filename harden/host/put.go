package host

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Placed is a node and the path where it is to stand.
type Placed struct {
	Path string
	Node Node
	// As is whose rights it is put with, as with Host.As. Nil: root's.
	As *User
}

// Put makes path be exactly n. A file or link appears whole or not at all, also
// across a power cut: temporary file in the same folder, fsync, rename, fsync
// of the folder. Missing parents are an error; Parents tells them.
func (h *Host) Put(path string, n Node) error { return h.PutAll(Placed{Path: path, Node: n}) }

// PutAll puts one after the other, each whole or not at all; that all of them
// are durable is certain when it returns. A folder is synced once for all that
// changed in it: a site has a thousand SIP profiles in one.
func (h *Host) PutAll(list ...Placed) error {
	defer h.use()()
	if slices.ContainsFunc(list, func(x Placed) bool { return x.Node.Kind != File }) {
		defer h.forget() // by way of a link, more than one name may lead elsewhere now
	}
	var changed folders
	var err error
	for _, x := range list {
		if err = h.put(x, &changed); err != nil {
			err = fmt.Errorf("writing %s: %w%s", x.Path, err, hint(err))
			break
		}
	}
	return errors.Join(err, changed.sync())
}

// put does the work, and adds the folder that it has changed.
func (h *Host) put(x Placed, changed *folders) (err error) {
	if x.As != nil {
		h = h.As(*x.As)
	}
	at, err := h.beside(x.Path)
	if err != nil {
		return err
	}
	if at.dir == nil {
		if x.Node.Kind == Absent {
			return nil
		}
		return &fs.PathError{Op: "open", Path: filepath.Dir(at.path), Err: at.gone}
	}
	back, err := h.become()
	if err != nil {
		return err
	}
	defer back()
	at.dir.drop(at.name)
	switch x.Node.Kind {
	case Absent:
		var removed bool
		if removed, err = at.remove(); removed {
			changed.add(at.dir)
		}
		return err
	case Folder:
		changed.add(at.dir)
		return at.makeFolder(x.Node)
	case File, Symlink:
		changed.add(at.dir)
		return at.replace(x.Node)
	default:
		return fmt.Errorf("unknown kind %q", x.Node.Kind)
	}
}

// folders are those that changed and are not durable yet.
type folders []*dir

func (f *folders) add(d *dir) {
	if !slices.ContainsFunc(*f, func(x *dir) bool { return x.dev == d.dev && x.ino == d.ino }) {
		*f = append(*f, d)
	}
}

func (f *folders) sync() error {
	var errs []error
	for _, d := range *f {
		if err := d.sync(); err != nil {
			errs = append(errs, fmt.Errorf("syncing the folder %s: %w", d.path, err))
		}
	}
	return errors.Join(errs...)
}

// sync makes durable what changed in a folder.
func (d *dir) sync() error {
	fd, err := openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil // it was removed
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // only synced
	return again(func() error { return unix.Fsync(fd) })
}

// Parents are the folders above path that do not exist, outermost first.
func (h *Host) Parents(path string) ([]string, error) {
	var missing []string
	for dir := filepath.Dir(path); dir != "/"; dir = filepath.Dir(dir) {
		g, err := h.Glance(dir)
		if err != nil {
			return nil, err
		}
		if g.Kind != Absent {
			break
		}
		missing = append([]string{dir}, missing...)
	}
	return missing, nil
}

// tempMark is in the name of every temporary file, behind a leading dot: no
// include of FreeSWITCH's, fail2ban's or systemd's picks such a name up.
const tempMark = ".fs-harden-tmp-"

// errSwapped is the answer to who changes a name while we are at work on it.
var errSwapped = errors.New("it was changed by somebody else in this very moment: run this again")

// replace writes n beside the place and renames it over what stands there.
func (p place) replace(n Node) (err error) {
	tmp := place{dir: p.dir, name: "." + p.name + tempMark + rand.Text()[:10]}
	tmp.path = filepath.Join(p.dir.path, tmp.name)
	defer func() {
		if err != nil {
			_ = unix.Unlinkat(p.dir.fd, tmp.name, 0) // what is left of it is swept by the next run
		}
	}()
	if n.Kind == Symlink {
		if err := tmp.makeSymlink(n); err != nil {
			return err
		}
		return p.rename(tmp)
	}
	fd, err := openat(p.dir.fd, tmp.name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	if err := fill(fd, n); err != nil {
		return err
	}
	if err := p.rename(tmp); err != nil {
		return err
	}
	return p.holds(fd)
}

func (p place) rename(tmp place) error {
	return again(func() error { return unix.Renameat(tmp.dir.fd, tmp.name, p.dir.fd, p.name) })
}

// holds tells whether the open file is what stands at the place now. Whoever
// owns the folder may have put another in place of the temporary one.
func (p place) holds(fd int) error {
	if p.dir.realm == root {
		return nil
	}
	var ours unix.Stat_t
	if err := unix.Fstat(fd, &ours); err != nil {
		return err
	}
	if st, err := p.stat(); err != nil || st.Dev != ours.Dev || st.Ino != ours.Ino {
		return errSwapped
	}
	return nil
}

// fill makes a new file what n is, durably.
func fill(fd int, n Node) error {
	for data := n.Data; len(data) > 0; {
		written, err := unix.Write(fd, data)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		data = data[written:]
	}
	if err := dress(fd, n); err != nil {
		return err
	}
	if err := setTime(fd, n.ModTime); err != nil {
		return err
	}
	return again(func() error { return unix.Fsync(fd) })
}

// dress gives a new file or folder its owner, mode and attributes, in this order:
// chown clears setuid, and a chmod changes an ACL's mask.
func dress(fd int, n Node) error {
	if actsAsRoot() { // a tree unpacked by a user stays that user's
		if err := unix.Fchown(fd, n.UID, n.GID); err != nil {
			return err
		}
	}
	if err := unix.Fchmod(fd, kernelMode(n.Mode)); err != nil {
		return err
	}
	for name, value := range n.Xattrs {
		if err := unix.Fsetxattr(fd, name, value, 0); err != nil && (actsAsRoot() || !errors.Is(err, unix.EPERM)) {
			return fmt.Errorf("keeping its extended attribute %s: %w", name, err)
		}
	}
	return nil
}

// actsAsRoot tells whether this thread uses files with root's rights.
func actsAsRoot() bool {
	uid, _ := unix.SetfsuidRetUid(-1) // changes nothing, and gives what is in force
	return uid == root
}

// setTime sets the modification time of an open file. Zero leaves it.
func setTime(fd int, t time.Time) error {
	if t.IsZero() {
		return nil
	}
	at, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	// futimens(3), which x/sys has by a name below /proc alone.
	times := [2]unix.Timespec{at, at}
	if _, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0); errno != 0 { //nolint:gosec // two timespecs, as utimensat(2) takes them
		return errno
	}
	return nil
}

// makeSymlink makes the link n at a place where nothing is.
func (p place) makeSymlink(n Node) error {
	if err := unix.Symlinkat(n.Target, p.dir.fd, p.name); err != nil {
		return err
	}
	if actsAsRoot() && (n.UID != root || n.GID != root) {
		fd, err := openat(p.dir.fd, p.name, unix.O_PATH|unix.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }() // only a name
		// Only what root has made is given away.
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK || st.Uid != root {
			return errSwapped
		}
		if err := unix.Fchownat(fd, "", n.UID, n.GID, unix.AT_EMPTY_PATH); err != nil {
			return err
		}
	}
	if n.ModTime.IsZero() {
		return nil
	}
	at, err := unix.TimeToTimespec(n.ModTime)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(p.dir.fd, p.name, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

// remove takes a file, link or empty folder away, and tells whether there was
// one. A folder that holds what others put there stays.
func (p place) remove() (removed bool, err error) {
	err = unix.Unlinkat(p.dir.fd, p.name, 0)
	if errors.Is(err, unix.EISDIR) {
		err = unix.Unlinkat(p.dir.fd, p.name, unix.AT_REMOVEDIR)
	}
	switch {
	case absent(err), errors.Is(err, unix.ENOTEMPTY):
		return false, nil
	default:
		return err == nil, err
	}
}

// again repeats what a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Sweep removes temporary files that a killed run left in a folder.
func (h *Host) Sweep(dir string) error {
	names, err := h.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, ".") && strings.Contains(name, tempMark) {
			if err := h.Put(filepath.Join(dir, name), Node{Kind: Absent}); err != nil {
				return err
			}
		}
	}
	return nil
}

// hint says what a person can do about the faults that machines really have.
func hint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return " (make room on that file system and run it again)"
	case errors.Is(err, syscall.EROFS):
		return " (the file system is mounted read-only: remount it, and see dmesg for why)"
	case errors.Is(err, fs.ErrPermission):
		return " (run as root; if it already does, look for an immutable attribute with lsattr)"
	default:
		return ""
	}
}
