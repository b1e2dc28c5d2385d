//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// nspawnScript runs in a mount namespace of its own, so that none of its mounts
// shows on the host and all go with it, and as process 1 of a process namespace,
// so that the kernel ends the whole container when it ends nspawn. nspawn's own
// state is hidden from the host as well. Its arguments are the overlay's
// options, its mount point, and the command to become.
const nspawnScript = `set -eu
mount -t proc proc /proc
mount -t overlay overlay -o "$1" "$2"
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
shift 2
exec "$@"
`

// nspawnCommand is the command that becomes systemd-nspawn, in the container's
// network namespace and control group, its console going to console. nspawn
// started there takes the network to be the host's and thus leaves it alone,
// while /sys shows that network only.
func (c *Container) nspawnCommand(console, group *os.File) *exec.Cmd {
	args := []string{
		"sh", "-c", nspawnScript, "sh", c.layer.options(), c.layer.root,
		"nsenter", "--net=" + filepath.Join(netnsDir, c.link.ns),
		"systemd-nspawn", "--directory=" + c.layer.root, "--boot", "--quiet",
		"--register=no", "--keep-unit",
		"--machine=" + c.name, "--hostname=" + c.name, "--uuid=" + plainUUID(c.options.UUID),
		"--capability=" + c.options.capabilities(),
		"--console=read-only", "--link-journal=no", "--resolv-conf=off", "--timezone=off",
	}
	cmd := ownProcessGroup(context.Background(), args[0], args[1:]...)
	cmd.Env = append(slices.Clone(machineEnv),
		"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
		"SYSTEMD_NSPAWN_API_VFS_WRITABLE=network",
	)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	cmd.SysProcAttr.Unshareflags = syscall.CLONE_NEWNS
	cmd.SysProcAttr.UseCgroupFD = true
	cmd.SysProcAttr.CgroupFD = int(group.Fd())
	return cmd
}

// dmiDir is where the kernel tells of the machine's hardware.
const dmiDir = "/sys/devices/virtual/dmi/id"

// hideHardware hides the host's hardware from the container whose init is pid:
// its product_uuid would be the same in all of them. nspawn's own --tmpfs ends
// up below the /sys that it mounts later.
func hideHardware(ctx context.Context, pid int) error {
	if !isDir(dmiDir) {
		return nil
	}
	_, err := run(ctx, "nsenter", "-t", strconv.Itoa(pid), "-m", "mount", "-t", "tmpfs", "-o", "ro,mode=755", "tmpfs", dmiDir)
	return err
}

// initBelow returns the child of parent that is process 1 of a namespace of its
// own and has become systemd, or 0 while there is none.
func initBelow(parent int) (int, error) {
	procs, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return 0, err
	}
	for _, path := range procs {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it ended meanwhile
		}
		if err != nil {
			return 0, fmt.Errorf("looking for a container's init: %w", err)
		}
		status := statusFields(string(text))
		pids := strings.Fields(status["NSpid"])
		if status["Name"] == "systemd" && status["PPid"] == strconv.Itoa(parent) &&
			len(pids) > 1 && pids[len(pids)-1] == "1" {
			return strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
	}
	return 0, nil
}

// statusFields splits a status file of proc_pid_status(5).
func statusFields(text string) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		fields[key] = strings.TrimSpace(value)
	}
	return fields
}
