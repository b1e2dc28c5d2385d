//go:build linux

package lab

// A Release is a Debian release by its code name.
type Release string

// The releases that the lab has machines of.
const (
	Bullseye Release = "bullseye" // Debian 11, for its fail2ban, which is Ubuntu 22.04's too; containers only
	Bookworm Release = "bookworm" // Debian 12, for containers and virtual machines
	Trixie   Release = "trixie"   // Debian 13, for containers only: no kernel, no cloud-init
)

// packages are in every machine of the release: systemd and SSH, and on the
// release that boots as a virtual machine too, a kernel and its network, and
// cloud-init as cloud images have it.
func (r Release) packages() []string {
	always := []string{
		"ca-certificates", "dbus", "iproute2", "libnss-myhostname", "openssh-server",
		"procps", "sudo", "systemd", "systemd-sysv", "udev",
	}
	if r != Bookworm {
		return always
	}
	return append(always, "cloud-init", "ifupdown", "initramfs-tools", "isc-dhcp-client", "linux-image-cloud-amd64")
}
