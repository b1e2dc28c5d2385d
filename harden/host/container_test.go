package host

import (
	"os"
	"path/filepath"
	"testing"
)

// What /proc holds of the kinds of machines: the lines that tell, and some that do
// not, of Debian 12 and 13.
const (
	ownPIDs  = "pid:[4026531836]" // the first namespace
	itsPIDs  = "pid:[4026532241]"
	diskRoot = "26 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n" +
		"27 26 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
	// The machine on which containers run has their roots mounted elsewhere.
	dockerHost = diskRoot + "310 26 0:60 / /var/lib/docker/overlay2/4f2c/merged rw,relatime shared:120 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/A:/var/lib/docker/overlay2/l/B,upperdir=/var/lib/docker/overlay2/4f2c/diff\n"
	dockerRoot = "1193 1032 0:60 / / rw,relatime master:120 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/A:/var/lib/docker/overlay2/l/B,upperdir=/var/lib/docker/overlay2/4f2c/diff,workdir=/var/lib/docker/overlay2/4f2c/work\n" +
		"1194 1193 0:64 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n"
	containerdRoot = "812 790 0:91 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/31/fs,upperdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/32/fs,workdir=/x\n"
	crioRoot       = "812 790 0:91 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/containers/storage/overlay/l/Q,upperdir=/var/lib/containers/storage/overlay/7/diff\n"
	overlayroot    = "21 1 0:24 / / rw,relatime shared:1 - overlay overlayroot rw,lowerdir=/media/root-ro,upperdir=/media/root-rw/overlay,workdir=/media/root-rw/overlay-workdir/_\n"
	liveRoot       = "28 1 0:25 / / rw,noatime - overlay overlay rw,lowerdir=/run/live/rootfs/filesystem.squashfs/,upperdir=/run/live/overlay/rw\n"
	unitGroup      = "0::/system.slice/fs-harden-firstboot.service\n"
)

func TestContainer(t *testing.T) {
	type proc struct {
		files                map[string]string
		pids, groups, mounts string
		want                 bool
	}
	for name, p := range map[string]proc{
		// A real machine, whatever runs on it and whatever it was made of.
		"a machine":                          {nil, ownPIDs, unitGroup, diskRoot, false},
		"a machine, from a shell":            {nil, ownPIDs, "0::/user.slice/user-0.slice/session-3.scope\n", diskRoot, false},
		"a machine that runs Docker":         {nil, ownPIDs, unitGroup, dockerHost, false},
		"started by Docker's unit":           {nil, ownPIDs, "0::/system.slice/docker.service\n", dockerHost, false},
		"started by containerd's":            {nil, ownPIDs, "0::/system.slice/containerd.service\n", diskRoot, false},
		"started by a unit of Docker's name": {nil, ownPIDs, "0::/system.slice/docker-compose@pbx.service\n", diskRoot, false},
		"lxc's monitor":                      {nil, ownPIDs, "0::/lxc.monitor.pbx\n", diskRoot, false},
		"a disk made of a container":         {map[string]string{"/.dockerenv": ""}, ownPIDs, unitGroup, diskRoot, false},
		"overlayroot":                        {nil, ownPIDs, unitGroup, overlayroot, false},
		"a live system":                      {nil, ownPIDs, unitGroup, liveRoot, false},
		"switched from a live system":        {nil, ownPIDs, unitGroup, liveRoot + diskRoot, false},
		"control groups 1":                   {nil, ownPIDs, "9:name=systemd:/\n8:pids:/\n0::/\n", diskRoot, false},
		"LXD's machine":                      {map[string]string{"/dev/lxd/sock": ""}, ownPIDs, unitGroup, diskRoot, false},
		"OpenVZ's host":                      {map[string]string{"/proc/vz/x": "", "/proc/bc/x": ""}, ownPIDs, unitGroup, diskRoot, false},
		"a machine of which /proc is silent": {nil, "", "", "", false},
		"mounted over a container's":         {nil, ownPIDs, unitGroup, containerdRoot + diskRoot, false},
		"/proc garbled":                      {nil, "->", "no\x00::groups", "no - mounts / /\n - \n", false},

		// Containers that say so.
		"systemd-nspawn":        {map[string]string{"/run/systemd/container": "systemd-nspawn"}, itsPIDs, "0::/\n", diskRoot, true},
		"of which only it says": {map[string]string{"/run/systemd/container": "lxc"}, ownPIDs, "0::/\n", diskRoot, true},
		"of a newer one":        {map[string]string{"/run/host/container-manager": "lxc"}, ownPIDs, "0::/\n", diskRoot, true},
		"podman":                {map[string]string{"/run/.containerenv": ""}, ownPIDs, "0::/\n", diskRoot, true},
		"docker":                {map[string]string{"/.dockerenv": ""}, itsPIDs, "0::/\n", dockerRoot, true},
		"OpenVZ":                {map[string]string{"/proc/vz/x": ""}, ownPIDs, "0::/\n", diskRoot, true},

		// And those that do not.
		"containerd":                       {nil, itsPIDs, "0::/\n", containerdRoot, true},
		"systemd-nspawn without its file":  {nil, itsPIDs, "0::/\n", diskRoot, true},
		"lxc on a folder":                  {nil, itsPIDs, "0::/\n", "90 80 8:1 /var/lib/lxc/pbx/rootfs / rw,relatime - ext4 /dev/sda1 rw\n", true},
		"kubernetes, the host's processes": {nil, ownPIDs, "0::/\n", containerdRoot, true},
		"docker, the host's processes":     {nil, ownPIDs, "0::/\n", dockerRoot, true},
		"cri-o, the host's processes":      {nil, ownPIDs, "0::/\n", crioRoot, true},
		"docker, its group":                {nil, ownPIDs, "12:pids:/docker/4f2c9a\n0::/system.slice/docker-4f2c9a.scope\n", diskRoot, true},
		"kubernetes, its group":            {nil, ownPIDs, "0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-31.scope\n", diskRoot, true},
		"lxc, its group":                   {nil, ownPIDs, "0::/lxc.payload.pbx/init.scope\n", diskRoot, true},

		// Below --root there is no /proc: what lies on the disk is all there is.
		"a tree with a mark": {map[string]string{"/.dockerenv": ""}, "", "", "", true},
		"a tree without":     {map[string]string{"/run/systemd/system/x": ""}, "", "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			h, root := tree(t)
			for path, text := range p.files {
				write(t, root, path, text)
			}
			write(t, root, "/proc/self/x", "")
			if p.groups != "" {
				write(t, root, "/proc/self/cgroup", p.groups)
			}
			if p.mounts != "" {
				write(t, root, "/proc/self/mountinfo", p.mounts)
			}
			if p.pids != "" {
				dir := filepath.Join(root, "/proc/self/ns")
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(p.pids, filepath.Join(dir, "pid")); err != nil {
					t.Fatal(err)
				}
			}
			if h.Container() != p.want {
				t.Errorf("it is a container: %v", !p.want)
			}
		})
	}
}

// The kernel tells every process of its PID namespace in this form.
func TestPIDNamespaceOfThisMachine(t *testing.T) {
	n, err := open(t, "/").Outline("/proc/self/ns/pid")
	if err != nil || n.Kind != Symlink || len(n.Target) != len(initPIDNamespace) || n.Target[:5] != "pid:[" {
		t.Errorf("%+v, %v", n, err)
	}
}
