//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// An Image is the directory tree of a machine, in layers. It never changes:
// machines boot on a layer of their own, and an edit makes a new image.
type Image struct {
	lab    *Lab
	layers []string // topmost first
}

// Derive makes a new image: this one as edit leaves it. While edit runs, the
// whole tree is mounted at root; what it changes stays out of this image.
func (i *Image) Derive(ctx context.Context, name string, edit func(root string) error) (*Image, error) {
	dir, err := i.lab.newDir("image-" + name)
	if err != nil {
		return nil, err
	}
	lay, err := newLayer(dir, i.layers)
	if err != nil {
		return nil, err
	}
	if err := i.lab.withMounted(ctx, lay, edit); err != nil {
		return nil, fmt.Errorf("making the image %s: %w", name, err)
	}
	return &Image{lab: i.lab, layers: slices.Concat([]string{lay.upper}, i.layers)}, nil
}

// View mounts the whole tree at root while look runs. What look writes is thrown
// away.
func (i *Image) View(ctx context.Context, look func(root string) error) error {
	dir, err := i.lab.newDir("view")
	if err != nil {
		return err
	}
	lay, err := newLayer(dir, i.layers)
	if err != nil {
		return err
	}
	return errors.Join(i.lab.withMounted(ctx, lay, look), os.RemoveAll(dir))
}

// Generalize makes an image of this one without what belongs to the instance it
// was taken from: machine id, random seed, SSH host keys, cloud-init's state and
// the journal. That is what the preparation of a cloud image does.
func (i *Image) Generalize(ctx context.Context, name string) (*Image, error) {
	return i.Derive(ctx, name, func(root string) error {
		for _, pattern := range []string{
			"etc/ssh/ssh_host_*", "var/lib/systemd/random-seed",
			"var/lib/cloud/*", "var/log/journal/*",
		} {
			paths, err := filepath.Glob(filepath.Join(root, pattern))
			if err != nil {
				return err
			}
			for _, path := range paths {
				if err := os.RemoveAll(path); err != nil {
					return err
				}
			}
		}
		return os.Truncate(filepath.Join(root, "etc/machine-id"), 0)
	})
}

// Chroot runs a command in a mounted tree, with the host's network and DNS: for
// apt-get in an edit.
func Chroot(ctx context.Context, root string, argv ...string) (string, error) {
	resolv, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return "", fmt.Errorf("reading the host's DNS servers: %w", err)
	}
	inside := filepath.Join(root, "etc/resolv.conf")
	before, err := os.ReadFile(inside)
	if err != nil {
		return "", fmt.Errorf("reading the image's DNS servers: %w", err)
	}
	if err := os.WriteFile(inside, resolv, 0o644); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "chroot", append([]string{root}, argv...)...)
	cmd.Env = append(slices.Clone(machineEnv), "DEBIAN_FRONTEND=noninteractive")
	out, err := runCmd(cmd)
	return out, errors.Join(err, os.WriteFile(inside, before, 0o644))
}

// withMounted mounts a layer in the host's mount namespace while use runs.
func (l *Lab) withMounted(ctx context.Context, lay layer, use func(root string) error) error {
	if err := unix.Mount("overlay", lay.root, "overlay", 0, lay.options()); err != nil {
		return fmt.Errorf("mounting an overlay on %s: %w", lay.root, err)
	}
	err := use(lay.root)
	if umountErr := unix.Unmount(lay.root, 0); umountErr != nil {
		err = errors.Join(err, fmt.Errorf("unmounting %s: %w", lay.root, umountErr), unix.Unmount(lay.root, unix.MNT_DETACH))
	}
	return err
}
