package host

import (
	"os"

	"golang.org/x/sys/unix"
)

const (
	root = 0
	// everybody stands for more than one user, root not counted.
	everybody = -1
)

// trusted tells whose word counts: root's, and that of whoever runs us. An
// ordinary user may do to his own tree what he likes.
func trusted(uid uint32) bool { return uid == root || int(uid) == os.Geteuid() }

// writer tells who, besides root, may change the names in a folder: root for
// nobody. In a sticky one everybody may make a name, and change none of
// another's. Access lists need no look: their mask shows as the group's bits
// (acl(5)).
func writer(st *unix.Stat_t) int {
	switch {
	case !trusted(st.Uid):
		return int(st.Uid)
	case st.Mode&unix.S_ISVTX != 0:
		return root
	case othersWrite(st):
		return everybody
	default:
		return root
	}
}

// othersWrite tells whether the mode lets others than the owner write.
func othersWrite(st *unix.Stat_t) bool {
	ours := st.Gid == root || os.Geteuid() != root && int(st.Gid) == os.Getegid()
	return st.Mode&unix.S_IWOTH != 0 || st.Mode&unix.S_IWGRP != 0 && !ours
}

// borrowed tells a hard link in a user's folder to a file that is not his. The
// kernel lets nobody make one (fs.protected_hardlinks), unless told otherwise.
func (d *dir) borrowed(st *unix.Stat_t) bool {
	return d.realm != root && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink > 1 && int(st.Uid) != d.realm
}
