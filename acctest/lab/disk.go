//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// diskSize is the virtual size of a disk; it takes as much of the host as is
// written to it.
const diskSize = "4G"

// A Disk is what virtual machines boot: a qcow2 file, with its kernel and initrd
// beside it on the host, so that no boot loader is needed.
type Disk struct {
	Path string // the qcow2 file

	lab            *Lab
	kernel, initrd string
}

// Disk makes a disk of the image, with its first Ethernet device set up by DHCP.
func (i *Image) Disk(ctx context.Context, name string) (*Disk, error) {
	dir, err := i.lab.newDir("disk-" + name)
	if err != nil {
		return nil, err
	}
	d := &Disk{
		Path: filepath.Join(dir, "disk.qcow2"), lab: i.lab,
		kernel: filepath.Join(dir, "vmlinuz"), initrd: filepath.Join(dir, "initrd"),
	}
	raw := filepath.Join(dir, "disk.raw")
	err = i.View(ctx, func(root string) error {
		if err := copyTemplates("templates/vm", root); err != nil {
			return err
		}
		if err := copyNewest(filepath.Join(root, "boot/vmlinuz-*"), d.kernel); err != nil {
			return err
		}
		if err := copyNewest(filepath.Join(root, "boot/initrd.img-*"), d.initrd); err != nil {
			return err
		}
		_, err := run(ctx, "mke2fs", "-q", "-t", "ext4", "-m", "0", "-L", "root", "-d", root, raw, diskSize)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making the disk %s: %w", name, err)
	}
	return d, qemuOverlay(ctx, raw, "raw", d.Path)
}

// Baked is a disk that was baked out of this one, such as the one that Packer
// left at path, in qcow2 format. It boots with the same kernel.
func (d *Disk) Baked(path string) *Disk {
	return &Disk{Path: path, lab: d.lab, kernel: d.kernel, initrd: d.initrd}
}

// qemuOverlay makes a qcow2 file that starts as backing and takes what is
// written.
func qemuOverlay(ctx context.Context, backing, format, path string) error {
	if _, err := run(ctx, "qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", format, path); err != nil {
		return fmt.Errorf("making an overlay of %s: %w", backing, err)
	}
	return nil
}

// copyNewest copies the file that sorts last among those of a pattern.
func copyNewest(pattern, to string) error {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("no file matches %s: is linux-image-cloud-amd64 in the image?", pattern)
	}
	return copyFile(slices.Max(paths), to, 0o644)
}

// copyFile copies a file and syncs nothing: the lab's files are for one run.
func copyFile(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(fmt.Errorf("copying %s to %s: %w", from, to, err), out.Close())
	}
	return out.Close()
}
