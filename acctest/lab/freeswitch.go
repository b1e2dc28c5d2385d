//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// FreeSWITCHEnv names the environment variable that holds the folder of a real
// installed FreeSWITCH: the root that its packages were unpacked to or that
// `make install DESTDIR=` filled, or the /usr/local/freeswitch folder itself. It
// holds FreeSWITCH and no whole system.
const FreeSWITCHEnv = "FREESWITCH_ROOT"

// module is this project, as go.mod names it.
const module = "github.com/goldenswitch/packer-plugin-freeswitch"

// InstallFreeSWITCH makes an image of this one with FreeSWITCH and its vanilla
// configuration, its service enabled: the real one that FREESWITCH_ROOT names,
// or else the stand-in of acctest/standin.
func (i *Image) InstallFreeSWITCH(ctx context.Context) (*Image, error) {
	return i.Derive(ctx, "freeswitch", func(root string) error {
		project, err := moduleRoot(ctx)
		if err != nil {
			return err
		}
		if err := makeFreeSWITCHUser(ctx, root); err != nil {
			return err
		}
		if real := os.Getenv(FreeSWITCHEnv); real != "" {
			i.lab.log("installing the FreeSWITCH of %s", real)
			err = installReal(ctx, root, real, project)
		} else {
			err = installStandIn(ctx, root, project)
		}
		if err != nil {
			return fmt.Errorf("installing FreeSWITCH: %w", err)
		}
		_, err = Chroot(ctx, root, "systemctl", "--quiet", "enable", "freeswitch.service")
		return err
	})
}

// makeFreeSWITCHUser makes the user and the folders that Debian's package makes.
func makeFreeSWITCHUser(ctx context.Context, root string) error {
	if _, err := Chroot(ctx, root, "useradd", "--system", "--user-group", "--no-create-home",
		"--home-dir", "/var/lib/freeswitch", "--shell", "/usr/sbin/nologin", "freeswitch"); err != nil {
		return err
	}
	folders := []string{"/var/lib/freeswitch/db", "/var/log/freeswitch", "/usr/share/freeswitch"}
	if _, err := Chroot(ctx, root, append([]string{"mkdir", "-p"}, folders...)...); err != nil {
		return err
	}
	return giveToFreeSWITCH(ctx, root, "/var/lib/freeswitch", "/var/log/freeswitch")
}

func giveToFreeSWITCH(ctx context.Context, root string, paths ...string) error {
	_, err := Chroot(ctx, root, append([]string{"chown", "-R", "freeswitch:freeswitch"}, paths...)...)
	return err
}

// installStandIn builds the stand-in and puts it where Debian's package has
// FreeSWITCH.
func installStandIn(ctx context.Context, root, project string) error {
	source := filepath.Join(project, "acctest", "standin")
	if err := goBuild(ctx, source, ".", filepath.Join(root, "usr/bin/freeswitch")); err != nil {
		return err
	}
	if err := os.Symlink("freeswitch", filepath.Join(root, "usr/bin/fs_cli")); err != nil {
		return err
	}
	for from, to := range map[string]string{
		"freeswitch.service":  "lib/systemd/system/freeswitch.service",
		"freeswitch.tmpfiles": "usr/lib/tmpfiles.d/freeswitch.conf",
	} {
		if err := copyFile(filepath.Join(source, from), filepath.Join(root, to), 0o644); err != nil {
			return err
		}
	}
	return copyVanilla(ctx, root, "/etc/freeswitch", project)
}

// copyVanilla copies the vanilla configuration, which lies beside the project,
// to the folder conf of the tree.
func copyVanilla(ctx context.Context, root, conf, project string) error {
	vanilla := filepath.Join(project, "..", "shared", "data", "vanilla-conf-1.10.12")
	if !isDir(vanilla) {
		return fmt.Errorf("no vanilla configuration at %s", vanilla)
	}
	target := filepath.Join(root, conf)
	if _, err := run(ctx, "cp", "-r", vanilla, target); err != nil {
		return err
	}
	// Whatever the modes are here; a configuration holds secrets.
	if _, err := run(ctx, "chmod", "-R", "u=rwX,g=rX,o=", target); err != nil {
		return err
	}
	return giveToFreeSWITCH(ctx, root, conf)
}

// moduleRoot is the folder of this project's go.mod.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := run(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return "", fmt.Errorf("finding the project's folder (run it inside the project): %w", err)
	}
	return strings.TrimSpace(out), nil
}
