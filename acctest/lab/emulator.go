//go:build linux

package lab

import (
	"context"
	"path/filepath"
)

// ARM64Emulator returns a qemu that runs a program for linux/arm64 here, its
// system calls made by this kernel: qemu-user(1). It is called with the program
// and its arguments.
//
// Debian's package is unpacked and never installed: that would have this kernel
// hand every foreign program to it (binfmt_misc), through a trigger of systemd's.
func (l *Lab) ARM64Emulator(ctx context.Context) (string, error) {
	const name = "qemu-aarch64-static"
	entry, err := l.Cache.Entry(ctx, name, []string{string(Bookworm)}, func(dir string) error {
		l.log("unpacking %s", name)
		debian, err := l.Debian(ctx)
		if err != nil {
			return err
		}
		return debian.View(ctx, func(root string) error {
			const unpack = `cd /tmp && apt-get -q update && apt-get -q download qemu-user-static &&
				dpkg-deb --fsys-tarfile qemu-user-static_*.deb | tar -x --strip-components=3 ./usr/bin/` + name
			if _, err := Chroot(ctx, root, "sh", "-c", unpack); err != nil {
				return err
			}
			return copyFile(filepath.Join(root, "tmp", name), filepath.Join(dir, name), 0o755)
		})
	})
	return filepath.Join(entry, name), err
}
