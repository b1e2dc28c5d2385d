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

// dpkgExcludes keep out of the machines what no test reads.
var dpkgExcludes = []string{
	"/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*",
	"/usr/share/locale/*", "/usr/share/i18n/*",
}

//go:embed templates
var templates embed.FS

// Debian is Release of Debian 12.
func (l *Lab) Debian(ctx context.Context, extra ...string) (*Image, error) {
	return l.Release(ctx, Bookworm, extra...)
}

// Release returns an image of a small Debian with the release's packages and the
// extra ones, the user debian with passwordless sudo, and the lab's SSH key for
// it and for root. The root filesystem is built once and then kept in the cache.
func (l *Lab) Release(ctx context.Context, release Release, extra ...string) (*Image, error) {
	entry, err := l.debianEntry(ctx, release, extra)
	if err != nil {
		return nil, err
	}
	base := &Image{lab: l, layers: []string{filepath.Join(entry, "root")}}
	return base.Derive(ctx, string(release), func(root string) error {
		return os.WriteFile(filepath.Join(root, "etc/ssh/lab_authorized_keys"), []byte(l.key.public), 0o644)
	})
}

func (l *Lab) debianEntry(ctx context.Context, release Release, extra []string) (string, error) {
	packages := slices.Concat(release.packages(), extra)
	slices.Sort(packages)
	packages = slices.Compact(packages)
	ingredients, err := templateTexts()
	if err != nil {
		return "", err
	}
	ingredients = slices.Concat(ingredients, []string{string(release)}, packages, dpkgExcludes)
	return l.Cache.Entry(ctx, "debian", ingredients, func(dir string) error {
		l.log("building a Debian %s root filesystem with mmdebstrap (about a minute)", release)
		return mmdebstrap(ctx, dir, release, packages)
	})
}

// mmdebstrap fills dir/root, with the files under templates/debian/rootfs in place
// before the packages so that their scripts see them.
func mmdebstrap(ctx context.Context, dir string, release Release, packages []string) error {
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
	args = append(args, string(release), filepath.Join(dir, "root"))
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
