package inspect

import (
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// coreDumps looks for the memory of programs that crashed. Debian's unit lets
// FreeSWITCH leave its own (LimitCORE=infinity), where the kernel or a program of
// the system puts it (core(5)).
func coreDumps(s *scene) {
	const why = "the memory of a program that crashed, passwords among it"
	for _, which := range []func(layout) string{
		func(l layout) string { return l.run }, func(l layout) string { return l.databases },
		func(l layout) string { return l.logs }, func(l layout) string { return l.work },
	} {
		for _, dir := range s.folders(which) {
			for _, at := range s.cores(dir) {
				s.addOwn(s.gone(Image, at, why))
			}
		}
	}
	for _, dir := range []string{"/", "/root"} {
		for _, at := range s.cores(dir) {
			s.add(s.gone(System, at, why))
		}
	}
	// coredump.conf(5), and apport where the program may leave a core.
	for _, dir := range []string{"/var/lib/systemd/coredump", "/var/lib/apport/coredump"} {
		for _, name := range s.list(dir) {
			if at, g, ok := s.file(path.Join(dir, name)); ok && g.Size > 0 {
				s.add(s.gone(crashed(name), at, why))
			}
		}
	}
	for _, name := range s.list("/var/crash") {
		p := path.Join("/var/crash", name)
		if s.glance(p).Kind == host.Folder { // kdump-config(8) makes one for each crash
			if s.holdsAny(p) {
				s.add(s.goneFolder(System, p, "the memory of a kernel that crashed, and of all that ran on it"))
			}
			continue
		}
		if at, g, ok := s.file(p); ok && g.Size > 0 && (strings.HasSuffix(name, ".crash") || s.isCore(at)) {
			s.add(s.gone(crashed(name), at, why))
		}
	}
}

// crashed tells whose a dump is that the system keeps: the program is in its
// name, as core.freeswitch.0.... or _usr_bin_freeswitch.0.crash.
func crashed(name string) Owner {
	if strings.Contains(name, "freeswitch") {
		return Image
	}
	return System
}

// cores are the core dumps in a folder.
func (s *scene) cores(dir string) []string {
	var out []string
	for _, name := range s.list(dir) {
		if at, _, ok := s.file(path.Join(dir, name)); ok && s.isCoreNamed(name, at) {
			out = append(out, at)
		}
	}
	return out
}

// isCoreNamed tells a core dump that the kernel may have written: core, core.PID
// and the like.
func (s *scene) isCoreNamed(name, at string) bool {
	return strings.HasPrefix(name, "core") && s.isCore(at)
}

// isCore tells a core dump by its header (elf(5): e_ident, e_type).
func (s *scene) isCore(p string) bool {
	const kind, bigEndian, etCore = 16, 2, 4
	head, err := s.Peek(p, 0, kind+2)
	if err != nil {
		s.unreadable(p, err)
		return false
	}
	if len(head) < kind+2 || string(head[:4]) != "\x7fELF" {
		return false
	}
	low, high := head[kind], head[kind+1]
	if head[5] == bigEndian {
		low, high = high, low
	}
	return low == etCore && high == 0
}
