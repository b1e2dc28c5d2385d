package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// ready is what the background process says once all is open; anything else
// that it says is why it failed.
const ready = "ready"

// startInBackground runs the same command line in a session of its own, and
// with wait stays until that is ready (daemonize, switch.c:254).
func startInBackground(args []string, wait bool, stderr io.Writer) int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitRefused
	}
	fromChild, toParent, err := os.Pipe()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitRefused
	}
	defer fromChild.Close()
	child := exec.Command(self, append(args, "-nf", "-ready-fd", "3")...)
	child.Args[0] = "freeswitch"
	child.ExtraFiles = []*os.File{toParent}
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		fmt.Fprintln(stderr, err)
		return exitRefused
	}
	_ = toParent.Close()
	fmt.Fprintf(stderr, "%d Backgrounding.\n", child.Process.Pid)
	if !wait {
		return exitDone
	}
	said, err := io.ReadAll(fromChild)
	if err != nil || string(said) != ready {
		fmt.Fprintf(stderr, "FreeSWITCH[%d] Error starting system! pid:%d %s\n", os.Getpid(), child.Process.Pid, said)
		_ = child.Wait()
		return exitFailed
	}
	fmt.Fprintf(stderr, "FreeSWITCH[%d] System Ready pid:%d\n", os.Getpid(), child.Process.Pid)
	return exitDone
}

// tell says one word to the process that waits, if one does.
func (a arguments) tell(word string) {
	if a.readyFD < 0 {
		return
	}
	parent := os.NewFile(uintptr(a.readyFD), "ready")
	_, _ = io.WriteString(parent, word) // with -nc nobody listens
	_ = parent.Close()
}

// becomeUser gives up root for the user and group, as change_user_group does:
// without a group, the user's own.
func becomeUser(userName, groupName string) error {
	if userName == "" && groupName == "" {
		return nil
	}
	uid, gid := -1, -1
	if userName != "" {
		u, err := user.Lookup(userName)
		if err != nil {
			return fmt.Errorf("switch to the user: %w", err)
		}
		uid, gid = atoi(u.Uid), atoi(u.Gid)
	}
	if groupName != "" {
		g, err := user.LookupGroup(groupName)
		if err != nil {
			return fmt.Errorf("switch to the group: %w", err)
		}
		gid = atoi(g.Gid)
	}
	if os.Geteuid() != 0 && (uid < 0 || uid == os.Geteuid()) && gid == os.Getegid() {
		return nil
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return fmt.Errorf("switch to the group %s: %w", groupName, err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("switch to the group %s: %w", groupName, err)
	}
	if uid < 0 {
		return nil
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("switch to the user %s: %w", userName, err)
	}
	return nil
}

// atoi reads a number of /etc/passwd; what is none becomes one that no system
// call takes.
func atoi(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return -1
	}
	return n
}
