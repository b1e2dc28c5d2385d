//go:build linux

package lab

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// suite is the Debian release of every machine of the lab.
const suite = "bookworm"

// basePackages are in every machine: systemd, SSH, cloud-init as cloud images
// have it, and a kernel that the virtual machine boots.
var basePackages = []string{
	"ca-certificates", "cloud-init", "dbus", "ifupdown", "initramfs-tools",
	"iproute2", "isc-dhcp-client", "libnss-myhostname", "linux-image-cloud-amd64",
	"openssh-server", "procps", "sudo", "systemd", "systemd-sysv", "udev",
}

// dpkgExcludes keep out of the machines what no test reads.
var dpkgExcludes = []string{
	"/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*",
	"/usr/share/locale/*", "/usr/share/i18n/*",
}

//go:embed templates
var templates embed.FS

// Debian returns an image of a small Debian 12 with basePackages and the extra
// packages, the user debian with passwordless sudo, and the lab's SSH key for it
// and for root. The root filesystem is built once and then kept in the cache.
func (l *Lab) Debian(ctx context.Context, extra ...string) (*Image, error) {
	entry, err := l.debianEntry(ctx, extra)
	if err != nil {
		return nil, err
	}
	base := &Image{lab: l, layers: []string{filepath.Join(entry, "root")}}
	return base.Derive(ctx, "debian", func(root string) error {
		return os.WriteFile(filepath.Join(root, "etc/ssh/lab_authorized_keys"), []byte(l.key.public), 0o644)
	})
}

func (l *Lab) debianEntry(ctx context.Context, extra []string) (string, error) {
	packages := slices.Concat(basePackages, extra)
	slices.Sort(packages)
	packages = slices.Compact(packages)
	ingredients, err := templateTexts()
	if err != nil {
		return "", err
	}
	ingredients = slices.Concat(ingredients, []string{suite}, packages, dpkgExcludes)
	return l.Cache.Entry(ctx, "debian", ingredients, func(dir string) error {
		l.log("building a Debian %s root filesystem with mmdebstrap (about a minute)", suite)
		return mmdebstrap(ctx, dir, packages)
	})
}

// mmdebstrap fills dir/root, with the files under templates/debian/rootfs in place
// before the packages so that their scripts see them.
func mmdebstrap(ctx context.Context, dir string, packages []string) error {
	work := filepath.Join(dir, "templates")
	if err := copyTemplates("templates/debian", work); err != nil {
		return err
	}
	args := []string{
		"--mode=root", "--variant=minbase", "--format=directory",
		"--include=" + strings.Join(packages, ","),
		`--essential-hook=cp -r --no-preserve=ownership "$LAB_TEMPLATES/rootfs/." "$1/"`,
		`--customize-hook=sh "$LAB_TEMPLATES/customize.sh" "$1"`,
	}
	for _, path := range dpkgExcludes {
		args = append(args, "--dpkgopt=path-exclude="+path)
	}
	args = append(args, suite, filepath.Join(dir, "root"))
	cmd := ownProcessGroup(ctx, "mmdebstrap", args...)
	cmd.Env = append(os.Environ(), "LAB_TEMPLATES="+work)
	if _, err := runCmd(cmd); err != nil {
		return err
	}
	return os.RemoveAll(work)
}

// copyTemplates copies the embedded folder name into dir, where no file of those
// may be yet.
func copyTemplates(name, dir string) error {
	sub, err := fs.Sub(templates, name)
	if err != nil {
		return err
	}
	if err := os.CopyFS(dir, sub); err != nil {
		return fmt.Errorf("writing the lab's templates: %w", err)
	}
	return nil
}

// templateTexts are the names and contents of what goes into a root filesystem.
func templateTexts() ([]string, error) {
	var texts []string
	err := fs.WalkDir(templates, "templates/debian", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(templates, path)
		texts = append(texts, path, string(text))
		return err
	})
	return texts, err
}
