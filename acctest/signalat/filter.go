//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// calls are those that change a file system, or make a change durable.
var calls = map[string]uint32{
	"openat": unix.SYS_OPENAT, "write": unix.SYS_WRITE, "fsync": unix.SYS_FSYNC,
	"renameat": unix.SYS_RENAMEAT, "unlinkat": unix.SYS_UNLINKAT, "mkdirat": unix.SYS_MKDIRAT,
	"symlinkat": unix.SYS_SYMLINKAT, "fchmod": unix.SYS_FCHMOD, "fchown": unix.SYS_FCHOWN,
	"utimensat": unix.SYS_UTIMENSAT,
}

// become puts this thread behind a filter that stops it at the call of that
// number, and turns it into the program (seccomp(2)).
func become(call string, program []string) error {
	number, err := strconv.ParseUint(call, 10, 32)
	if err != nil {
		return err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number in struct seccomp_data
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(number), Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_TRACE},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		return fmt.Errorf("setting the filter: %w", errno)
	}
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, filtered+"=") {
			env = append(env, v)
		}
	}
	return unix.Exec(program[0], program, env)
}
