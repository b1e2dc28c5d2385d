//go:build linux

package lab

import (
	"fmt"
	"strings"
)

// What every virtual machine has. KVM is not used even where it exists: on some
// hosts guests hang under it, and a test must not depend on which host it is.
const (
	accelerator = "tcg,thread=multi"
	memory      = "1024" // MiB
	processors  = "2"
)

// kernelLine leaves out what only costs an emulated processor time: mitigations
// against speculation, and drivers of things that no test uses.
const kernelLine = "root=/dev/vda rw console=ttyS0 net.ifnames=0 systemd.show_status=0 mitigations=off" +
	" modprobe.blacklist=kvm_amd,kvm_intel,ata_piix,sr_mod,aesni_intel,ghash_clmulni_intel,sha512_ssse3,sha256_ssse3,sha1_ssse3"

// kernelArgs are qemu's arguments that boot the disk with the kernel beside it.
func (d *Disk) kernelArgs(name string, options BootOptions) []string {
	line := kernelLine + " systemd.hostname=" + name
	if options.InstanceID != "" {
		line += fmt.Sprintf(" ds=nocloud;i=%s;h=%s", options.InstanceID, name)
	}
	return []string{"-cpu", "max", "-kernel", d.kernel, "-initrd", d.initrd, "-append", line}
}

// Source is a source block for Packer's qemu builder, called label, that bakes
// the disk as the user debian and leaves the result, in qcow2 format, as
// output/label. The machine has a UUID, as a cloud's has. The result is an overlay: it lives as long as the disk.
func (d *Disk) Source(label, output string) string {
	var qemuargs strings.Builder
	args := append(d.kernelArgs(label, BootOptions{}), "-device", "virtio-rng-pci", "-serial", "file:"+output+".console.log", "-uuid", newUUID())
	for i := 0; i < len(args); i += 2 {
		fmt.Fprintf(&qemuargs, "    [%q, %q],\n", args[i], args[i+1])
	}
	return fmt.Sprintf(`source "qemu" %[1]q {
  iso_url          = %[2]q
  iso_checksum     = "none"
  disk_image       = true
  use_backing_file = true
  skip_resize_disk = true
  format           = "qcow2"
  disk_interface   = "virtio"
  disk_cache       = "unsafe"
  net_device       = "virtio-net"
  accelerator      = "tcg"
  memory           = %[3]s
  cpus             = %[4]s
  headless         = true
  boot_wait        = "1s"
  output_directory = %[5]q
  vm_name          = %[1]q
  qemuargs = [
%[6]s  ]
  communicator         = "ssh"
  ssh_username         = "debian"
  ssh_private_key_file = %[7]q
  ssh_timeout          = "10m"
  shutdown_command     = "sudo systemctl poweroff"
}
`, label, d.Path, memory, processors, output, qemuargs.String(), d.lab.key.file)
}
