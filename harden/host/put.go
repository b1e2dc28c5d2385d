package host

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Placed is a node and the path where it is to stand.
type Placed struct {
	Path string
	Node Node
}

// Put makes path be exactly n. A file or link appears whole or not at all, also
// across a power cut: temporary file in the same folder, fsync, rename, fsync
// of the folder. Missing parents are an error; Parents tells them.
func (h *Host) Put(path string, n Node) error { return h.PutAll(Placed{path, n}) }

// PutAll puts one after the other, each whole or not at all; that all of them
// are durable is certain when it returns. A folder is synced once for all that
// changed in it: a site has a thousand SIP profiles in one.
func (h *Host) PutAll(list ...Placed) error {
	var folders []string
	var err error
	for _, x := range list {
		var changed bool
		var p string
		if p, changed, err = h.put(x.Path, x.Node); err != nil {
			err = fmt.Errorf("writing %s: %w%s", x.Path, err, hint(err))
			break
		}
		if dir := filepath.Dir(p); changed && !slices.Contains(folders, dir) {
			folders = append(folders, dir)
		}
	}
	return errors.Join(err, h.syncFolders(folders))
}

// put does the work and tells where, on the machine that runs us, and whether
// there was any.
func (h *Host) put(path string, n Node) (p string, changed bool, err error) {
	if p, err = h.beside(path); err != nil {
		return "", false, err
	}
	if n.Kind != File {
		clear(h.folders)
	}
	switch n.Kind {
	case Absent:
		changed, err = remove(p)
		return p, changed, err
	case Folder:
		return p, true, makeFolder(p, n)
	case File, Symlink:
		return p, true, replace(p, n)
	default:
		return p, false, fmt.Errorf("unknown kind %q", n.Kind)
	}
}

// Parents are the folders above path that do not exist, outermost first.
func (h *Host) Parents(path string) ([]string, error) {
	var missing []string
	for dir := filepath.Dir(path); dir != "/"; dir = filepath.Dir(dir) {
		n, err := h.Lookup(dir)
		if err != nil {
			return nil, err
		}
		if n.Kind != Absent {
			break
		}
		missing = append([]string{dir}, missing...)
	}
	return missing, nil
}

// tempMark is in the name of every temporary file, behind a leading dot: no
// include of FreeSWITCH's, fail2ban's or systemd's picks such a name up.
const tempMark = ".fs-harden-tmp-"

// replace writes n beside p and renames it over p. The folder is the caller's to
// sync.
func replace(p string, n Node) (err error) {
	tmp := filepath.Join(filepath.Dir(p), "."+filepath.Base(p)+tempMark+rand.Text()[:10])
	defer func() {
		if err != nil {
			_ = os.Remove(tmp) // what is left of it is swept by the next run
		}
	}()
	if n.Kind == Symlink {
		if err := os.Symlink(n.Target, tmp); err != nil {
			return err
		}
		if err := os.Lchown(tmp, n.UID, n.GID); err != nil && os.Geteuid() == 0 {
			return err
		}
		if err := setTime(tmp, n.ModTime); err != nil {
			return err
		}
	} else if err := writeFile(tmp, n); err != nil {
		return err
	}
	return os.Rename(tmp, p)
}

func writeFile(tmp string, n Node) error {
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600) //nolint:gosec // see Host.ReadFile
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // closed with its error below; here for the error paths
	if _, err := f.Write(n.Data); err != nil {
		return err
	}
	if err := dress(f, n); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// dress gives an open file or folder its owner, mode, attributes and time, in
// this order: chown clears setuid, and a chmod changes an ACL's mask.
func dress(f *os.File, n Node) error {
	if os.Geteuid() == 0 { // a tree unpacked by a user stays that user's
		if err := f.Chown(n.UID, n.GID); err != nil {
			return err
		}
	}
	if err := f.Chmod(n.Mode); err != nil {
		return err
	}
	for name, value := range n.Xattrs {
		if err := unix.Fsetxattr(int(f.Fd()), name, value, 0); err != nil {
			return fmt.Errorf("keeping its extended attribute %s: %w", name, err)
		}
	}
	return setTime(f.Name(), n.ModTime)
}

// setTime sets the modification time of a file, or of a link itself. Zero leaves it.
func setTime(p string, t time.Time) error {
	if t.IsZero() {
		return nil
	}
	at, err := unix.TimeToTimespec(t)
	if err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

func makeFolder(p string, n Node) error {
	if err := os.Mkdir(p, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.OpenFile(p, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0) //nolint:gosec // see Host.ReadFile
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	n.ModTime = time.Time{}          // a folder's time changes with its entries anyway
	if err := dress(f, n); err != nil {
		return err
	}
	return f.Sync()
}

// remove takes a file, link or empty folder away, and tells whether there was
// one. A folder that holds what others put there stays.
func remove(p string) (removed bool, err error) {
	err = os.Remove(p)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENOTEMPTY):
		return false, nil
	default:
		return err == nil, err
	}
}

func syncFolder(dir string) error {
	f, err := os.Open(dir) //nolint:gosec // see Host.ReadFile
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	return f.Sync()
}

// Rename moves a file or folder within one file system, durably.
func (h *Host) Rename(from, to string) error {
	a, err := h.beside(from)
	if err != nil {
		return err
	}
	b, err := h.beside(to)
	if err != nil {
		return err
	}
	clear(h.folders)
	if err := os.Rename(a, b); err != nil {
		return fmt.Errorf("renaming %s to %s: %w%s", from, to, err, hint(err))
	}
	return errors.Join(syncFolder(filepath.Dir(a)), syncFolder(filepath.Dir(b)))
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
