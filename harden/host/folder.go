package host

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// makeFolder makes a folder, or gives one that is there its owner and mode.
func (p place) makeFolder(n Node) error {
	err := unix.Mkdirat(p.dir.fd, p.name, 0o700)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	fd, err := openat(p.dir.fd, p.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }() // only read
	if err := p.ours(fd, made, n); err != nil {
		return err
	}
	if err := dress(fd, n); err != nil {
		return err
	}
	return again(func() error { return unix.Fsync(fd) })
}

// ours refuses, in a folder whose names a user may change, to give away or to
// open what is not the folder that was meant: he may have put another there.
func (p place) ours(fd int, made bool, n Node) error {
	if p.dir.realm == root || !actsAsRoot() {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if made {
		if names, err := list(fd); err != nil || len(names) > 0 || st.Uid != root {
			return errors.Join(errSwapped, err)
		}
		return nil
	}
	opens := kernelMode(n.Mode) &^ (st.Mode & 0o7777)
	if int(st.Uid) != n.UID || int(st.Gid) != n.GID || st.Uid == root && opens != 0 {
		return fmt.Errorf("the folder belongs to %d:%d, mode %04o, in a place that user %d may change: it is not made %d:%d, mode %04o; look at it, and chown or chmod it yourself",
			st.Uid, st.Gid, st.Mode&0o7777, p.dir.realm, n.UID, n.GID, kernelMode(n.Mode))
	}
	return nil
}
