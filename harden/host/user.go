package host

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// User is whose rights something is done with.
type User struct {
	UID int `json:"uid"`
	GID int `json:"gid"`
}

// As is the same machine, on which files are read and written with the rights of
// that user, and no more: what lies in his home is his, and so is a quota that is
// used up. The folders above are still walked as root. Only root can become
// somebody else; for others it is the same machine.
func (h *Host) As(u User) *Host {
	other := *h
	other.as = &u
	return &other
}

// become takes on the rights of the user that this Host acts as, where there is
// one. The kernel keeps them per thread (setfsuid(2)).
func (h *Host) become() (back func(), err error) {
	if h.as == nil || h.as.UID == root || os.Geteuid() != root {
		return func() {}, nil
	}
	runtime.LockOSThread()
	if err := setGroups(uint32(h.as.GID)); err != nil { //nolint:gosec // from passwd(5)
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("taking on the rights of user %d (CAP_SETGID): %w", h.as.UID, err)
	}
	if err := fsRights(h.as.UID, h.as.GID); err != nil {
		comeBack()
		return nil, fmt.Errorf("taking on the rights of user %d (CAP_SETUID): %w", h.as.UID, err)
	}
	return comeBack, nil
}

// comeBack takes root's rights on again. Root needs no group: it passes by all modes.
func comeBack() {
	if err := errors.Join(fsRights(root, root), setGroups()); err != nil {
		panic(err) // nothing may go on with the rights of somebody else
	}
	runtime.UnlockOSThread()
}

// setGroups sets the groups of this thread. Go's own would set every thread's.
func setGroups(groups ...uint32) error {
	var first unsafe.Pointer
	if len(groups) > 0 {
		first = unsafe.Pointer(&groups[0]) //nolint:gosec // as setgroups(2) takes them
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(first), 0); errno != 0 {
		return errno
	}
	return nil
}

// fsRights sets by whose rights this thread uses files.
func fsRights(uid, gid int) error {
	_, _ = unix.SetfsgidRetGid(gid)
	_, _ = unix.SetfsuidRetUid(uid)
	// They report no error: asking for what cannot be gives what is in force.
	nowGID, _ := unix.SetfsgidRetGid(-1)
	nowUID, _ := unix.SetfsuidRetUid(-1)
	if nowUID != uid || nowGID != gid {
		return unix.EPERM
	}
	return nil
}
