package host

import (
	"slices"
	"strings"
)

// Container tells whether the machine is a container: its SMBIOS data is then the
// host's. Who made it says so in a file, or does not; the kernel tells by the
// namespaces, the control groups and the mounts of this process. Below --root there
// is no /proc of the machine's own, and the files alone tell.
//
// /proc/1/environ, where some write container=, is not asked: without CAP_SYS_PTRACE
// nobody may read it (proc(5)), and the first boot's unit would have another answer
// than root's shell.
func (h *Host) Container() bool {
	n, err := h.Outline("/proc/self/ns/pid")
	told := err == nil && n.Kind == Symlink && strings.HasPrefix(n.Target, "pid:[")
	switch {
	case h.containerSaysSo(), h.inContainerGroup(), h.onContainerRoot():
		return true
	case told:
		return n.Target != initPIDNamespace
	}
	// It lies on the disk, and a machine's disk may have been made of a container.
	return h.Exists("/.dockerenv")
}

// initPIDNamespace is the inode of the first PID namespace, in which init of every
// machine runs that is none (PROC_PID_INIT_INO in the kernel's
// include/linux/proc_ns.h, the same since 3.8; namespaces(7)). Docker, containerd,
// LXC and systemd-nspawn make another for each container.
const initPIDNamespace = "pid:[4026531836]"

// containerSaysSo looks for what systemd (its "Container Interface", and
// src/basic/virt.c), Podman and OpenVZ leave in the /run and /proc of their
// containers. OpenVZ's host has /proc/bc as well.
func (h *Host) containerSaysSo() bool {
	marks := []string{"/run/systemd/container", "/run/host/container-manager", "/run/.containerenv"}
	return slices.ContainsFunc(marks, h.Exists) || h.Exists("/proc/vz") && !h.Exists("/proc/bc")
}

// inContainerGroup reads cgroups(7), for containers that share the host's PID
// namespace. In a control group namespace of its own it sees none of this.
func (h *Host) inContainerGroup() bool {
	b, err := h.ReadFile("/proc/self/cgroup")
	if err != nil {
		return false
	}
	for l := range strings.Lines(string(b)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(l), ":")
		_, group, _ := strings.Cut(rest, ":")
		if slices.ContainsFunc(strings.Split(group, "/"), isContainerGroup) {
			return true
		}
	}
	return false
}

// isContainerGroup knows a part of a control group's path by the names that Docker,
// Kubernetes, containerd, CRI-O, Podman and LXC give, by cgroupfs and by systemd. A
// service of the machine, docker-compose@pbx.service, is none of them.
func isContainerGroup(part string) bool {
	if name, ok := strings.CutSuffix(part, ".scope"); ok {
		by, _, _ := strings.Cut(name, "-")
		return by == "docker" || by == "cri" || by == "crio" || by == "libpod"
	}
	return part == "docker" || part == "lxc" || strings.HasPrefix(part, "kubepods") || strings.HasPrefix(part, "lxc.payload")
}

// containerStores are where container managers keep layers, as parts of a path:
// Docker, containerd, and Podman with CRI-O.
var containerStores = []string{"/docker/", "/containerd/", "/io.containerd.", "/containers/storage/"}

// onContainerRoot tells whether the root is an overlay of a container manager's
// layers (/proc/self/mountinfo, proc(5)). A machine may have an overlay of its own as
// root, as live systems and overlayroot(8) do: its layers lie elsewhere.
func (h *Host) onContainerRoot() bool {
	b, err := h.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	overlay := false
	for l := range strings.Lines(string(b)) {
		// ID parent major:minor root mountpoint options [optional]... - type source super
		mount, fs, ok := strings.Cut(l, " - ")
		if f := strings.Fields(mount); !ok || len(f) < 5 || f[4] != "/" {
			continue
		}
		overlay = strings.HasPrefix(fs, "overlay ") && // the last mount on / is what is seen
			slices.ContainsFunc(containerStores, func(part string) bool { return strings.Contains(fs, part) })
	}
	return overlay
}
