package host

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Live tells whether systemd runs this machine and may be asked to do things.
// If not, why says so in words for a report.
func (h *Host) Live() (live bool, why string) {
	switch {
	case h.Rooted():
		return false, "nothing runs below --root"
	case h.running == nil && inChroot():
		return false, "this is a chroot: what runs belongs to another machine"
	case !h.Exists("/run/systemd/system"): // sd_booted(3)
		return false, "systemd does not run here"
	default:
		return true, ""
	}
}

// inChroot compares our root with init's. Who may not look at init's root is
// no root user, and so is refused for that elsewhere.
func inChroot() bool {
	ours, err1 := os.Stat("/")
	inits, err2 := os.Stat("/proc/1/root/.")
	return err1 == nil && err2 == nil && !os.SameFile(ours, inits)
}

// firstLogin is the first user id that people are given; services have smaller ones
// (login.defs(5), UID_MIN).
const firstLogin = 1000

// Runs tells whether a process of that name (proc(5), comm) lives on this machine,
// as a service or as one of the users: everybody may give a process any name. One of
// a container that this machine holds is not its own.
func (h *Host) Runs(comm string, users ...int) bool {
	if h.Rooted() {
		return false // and not one of a hundred processes is looked at
	}
	if h.running != nil {
		return h.running.Runs(comm, users...)
	}
	procs, _ := filepath.Glob("/proc/[0-9]*/comm") // the pattern is well formed
	for _, p := range procs {
		b, err := os.ReadFile(p) //nolint:gosec // a name of /proc
		if err != nil || strings.TrimSpace(string(b)) != comm {
			continue
		}
		if uid, ok := processUser(filepath.Dir(p)); ok && uid >= firstLogin && !slices.Contains(users, uid) {
			continue
		}
		// Who may not look at its root is told nothing, and then it counts as ours.
		root, err := os.Stat(filepath.Join(filepath.Dir(p), "root/."))
		ours, err2 := os.Stat("/")
		if err != nil || err2 != nil || os.SameFile(root, ours) {
			return true
		}
	}
	return false
}

// processUser is as whom a process runs. The owner of its folder is not: that is
// root's where it may not be dumped.
func processUser(dir string) (uid int, ok bool) {
	b, err := os.ReadFile(filepath.Join(dir, "status")) //nolint:gosec // a name of /proc
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(string(b), "\nUid:")
	line, _, _ := strings.Cut(rest, "\n")
	f := strings.Fields(line)
	if len(f) == 0 {
		return 0, false
	}
	uid, err = strconv.Atoi(f[0])
	return uid, err == nil
}

// clockTick is the kernel's USER_HZ, 100 on every Linux of amd64 and arm64.
const clockTick = 100

// BootTime is when this machine's init started: the start of the container in a
// container, of the kernel's user space elsewhere. Zero when /proc does not say.
func (h *Host) BootTime() time.Time {
	stat, err := h.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	_, rest, ok := strings.Cut("\n"+string(stat), "\nbtime ")
	if !ok {
		return time.Time{}
	}
	first, _, _ := strings.Cut(rest, "\n")
	btime, err := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
	if err != nil {
		return time.Time{}
	}
	ticks, err := h.initStart()
	if err != nil {
		return time.Time{}
	}
	return time.Unix(btime+ticks/clockTick, 0)
}

// initStart is field 22 of /proc/1/stat, in clock ticks since the kernel's start (proc(5)).
func (h *Host) initStart() (int64, error) {
	b, err := h.ReadFile("/proc/1/stat")
	if err != nil {
		return 0, err
	}
	// The command in field 2 may hold anything; the last ")" ends it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("/proc/1/stat has %d fields after the command", len(fields))
	}
	return strconv.ParseInt(fields[19], 10, 64)
}

// Inode is when the file's inode last changed. Copies and snapshots of a file
// system keep a modification time; they cannot forge this one to be later.
func (h *Host) Inode(path string) (changed time.Time, err error) {
	defer h.use()()
	at, err := h.real(path)
	if err != nil {
		return time.Time{}, err
	}
	st, err := at.stat()
	if err != nil {
		return time.Time{}, &fs.PathError{Op: "stat", Path: at.path, Err: err}
	}
	return time.Unix(st.Ctim.Unix()), nil
}
