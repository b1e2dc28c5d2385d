package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A tracer sees what a process asks of the kernel, and in which order: whether a
// file was synced before it got its name shows in nothing that is left on a disk
// which has not lost its power. It needs no program and no root (ptrace(2)).

// traced are the calls that change a file system or make a change durable, and
// how each is written down.
var traced = map[uint64]func(*tracee, [6]uint64) string{
	unix.SYS_OPENAT: func(p *tracee, a [6]uint64) string {
		flags := int(a[2])
		if flags&unix.O_CREAT == 0 {
			return ""
		}
		return fmt.Sprintf("create %s %s %04o", p.at(a[0], a[1]), flagNames(flags), a[3])
	},
	unix.SYS_MKDIRAT:   func(p *tracee, a [6]uint64) string { return fmt.Sprintf("mkdir %s %04o", p.at(a[0], a[1]), a[2]) },
	unix.SYS_SYMLINKAT: func(p *tracee, a [6]uint64) string { return "symlink " + p.at(a[1], a[2]) },
	unix.SYS_UNLINKAT:  func(p *tracee, a [6]uint64) string { return "unlink " + p.at(a[0], a[1]) },
	unix.SYS_RENAMEAT: func(p *tracee, a [6]uint64) string {
		return "rename " + p.at(a[0], a[1]) + " " + p.at(a[2], a[3])
	},
	unix.SYS_WRITE:  func(p *tracee, a [6]uint64) string { return "write " + p.open(a[0]) },
	unix.SYS_FCHOWN: func(p *tracee, a [6]uint64) string { return fmt.Sprintf("chown %s %d:%d", p.open(a[0]), a[1], a[2]) },
	unix.SYS_FCHMOD: func(p *tracee, a [6]uint64) string { return fmt.Sprintf("chmod %s %04o", p.open(a[0]), a[1]) },
	unix.SYS_UTIMENSAT: func(p *tracee, a [6]uint64) string {
		if a[1] == 0 {
			return "time " + p.open(a[0])
		}
		return "time " + p.at(a[0], a[1])
	},
	unix.SYS_FSYNC: func(p *tracee, a [6]uint64) string { return "sync " + p.open(a[0]) },
}

func flagNames(flags int) string {
	var out []string
	for _, f := range []struct {
		bit  int
		name string
	}{{unix.O_EXCL, "EXCL"}, {unix.O_NOFOLLOW, "NOFOLLOW"}, {unix.O_TRUNC, "TRUNC"}, {unix.O_APPEND, "APPEND"}} {
		if flags&f.bit != 0 {
			out = append(out, f.name)
		}
	}
	return strings.Join(out, "|")
}

// tracee is the process that is traced. root is left out of the paths.
type tracee struct {
	pid  int
	root string
}

// open names an open file or folder, "" where it is not below the root.
func (p *tracee) open(fd uint64) string {
	at, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", p.pid, int32(fd)))
	if err != nil {
		return ""
	}
	return p.below(at)
}

// at names a name in an open folder. One that no folder is given for is none of
// the Host's: it opens by an open folder alone.
func (p *tracee) at(dir, name uint64) string {
	at, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", p.pid, int32(dir)))
	if err != nil {
		return ""
	}
	buf := make([]byte, 512)
	n, err := syscall.PtracePeekData(p.pid, uintptr(name), buf)
	if err != nil {
		return ""
	}
	text, _, _ := bytes.Cut(buf[:n], []byte{0})
	return p.below(path.Join(at, string(text)))
}

// below is a path as seen on the machine, temporary names without what is random.
func (p *tracee) below(at string) string {
	rest, ok := strings.CutPrefix(at, p.root+"/")
	if !ok {
		return ""
	}
	if before, _, ok := strings.Cut(rest, tempMark); ok {
		rest = path.Join(path.Dir(before), "TEMP")
	}
	return "/" + rest
}

// errNoTrace says that this machine lets no process trace its child.
var errNoTrace = errors.New("ptrace is refused")

// trace starts a command and gives what its first thread does below root, each as
// the kernel is asked for it. The process is killed before the one with the
// number last, from 1 on; 0 is none.
func trace(cmd *exec.Cmd, root string, last int) (calls []string, killed bool, err error) {
	runtime.LockOSThread() // who traces is a thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return nil, false, fmt.Errorf("%w: %w", errNoTrace, err)
	}
	defer func() { _ = cmd.Process.Release() }()
	p := &tracee{cmd.Process.Pid, root}
	ws, err := p.wait()
	if err != nil || !ws.Stopped() {
		return nil, false, fmt.Errorf("the child did not stop: %v, %w", ws, err)
	}
	if err := syscall.PtraceSetOptions(p.pid, unix.PTRACE_O_TRACESYSGOOD|unix.PTRACE_O_EXITKILL); err != nil {
		return nil, false, fmt.Errorf("%w: %w", errNoTrace, err)
	}
	for signal := 0; ; {
		if err := syscall.PtraceSyscall(p.pid, signal); err != nil {
			return calls, false, err
		}
		if ws, err = p.wait(); err != nil {
			return calls, false, err
		}
		switch {
		case ws.Exited() && ws.ExitStatus() != 0:
			return calls, false, fmt.Errorf("it ended with status %d", ws.ExitStatus())
		case ws.Exited():
			return calls, false, nil
		case ws.Signaled():
			return calls, false, fmt.Errorf("it was ended by %v", ws.Signal())
		case ws.StopSignal() != syscall.SIGTRAP|0x80: // a signal of its own, as Go's runtime sends them
			signal = int(ws.StopSignal())
			continue
		}
		signal = 0
		call, err := p.entered()
		if err != nil {
			return calls, false, err
		}
		if call == "" || len(calls) > 0 && calls[len(calls)-1] == call && strings.HasPrefix(call, "write ") {
			continue
		}
		calls = append(calls, call)
		if len(calls) == last {
			return calls, true, p.kill()
		}
	}
}

// kill ends the process before it makes the call that it is stopped at.
func (p *tracee) kill() error {
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
		return err
	}
	for {
		if ws, err := p.wait(); err != nil || ws.Signaled() {
			return err
		}
	}
}

func (p *tracee) wait() (ws syscall.WaitStatus, err error) {
	for {
		if _, err = syscall.Wait4(p.pid, &ws, unix.WALL, nil); !errors.Is(err, syscall.EINTR) {
			return ws, err
		}
	}
}

// entered gives the call that the process is about to make, "" for one that does
// not count, and for one that it comes back from.
func (p *tracee) entered() (string, error) {
	var info [88]byte // struct ptrace_syscall_info, the same on every processor
	if _, _, errno := syscall.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(p.pid), uintptr(len(info)), uintptr(unsafe.Pointer(&info)), 0, 0); errno != 0 {
		return "", fmt.Errorf("%w: %w", errNoTrace, errno)
	}
	if info[0] != unix.PTRACE_SYSCALL_INFO_ENTRY {
		return "", nil
	}
	show := traced[binary.NativeEndian.Uint64(info[24:])]
	if show == nil {
		return "", nil
	}
	var args [6]uint64
	for i := range args {
		args[i] = binary.NativeEndian.Uint64(info[32+8*i:])
	}
	call := show(p, args)
	if what, names, _ := strings.Cut(call, " "); what == "" || names == "" || names[0] != '/' {
		return "", nil
	}
	return call, nil
}

// traceChild traces one of the children at work in dir, whose machine is dir/root.
func traceChild(t *testing.T, name, dir string, last int) (calls []string, killed bool) {
	t.Helper()
	cmd := child(name, dir)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path = binary
	says, err := os.Create(filepath.Join(dir, "says"))
	if err != nil {
		t.Fatal(err)
	}
	defer says.Close()
	cmd.Stderr = says
	calls, killed, err = trace(cmd, filepath.Join(dir, "root"), last)
	if errors.Is(err, errNoTrace) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, content(t, says.Name()))
	}
	return calls, killed
}
