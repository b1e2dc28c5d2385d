//go:build linux

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// FreeSWITCHPackagesEnv names the environment variable that lists the Debian
// packages whose libraries the FreeSWITCH of FREESWITCH_ROOT needs, with spaces
// between.
const FreeSWITCHPackagesEnv = "FREESWITCH_PACKAGES"

// A freeSWITCHLayout is where an installed FreeSWITCH has its things, below the
// machine's root.
type freeSWITCHLayout struct {
	binary, modules, conf string
	links                 []string // programs to be found on PATH
}

var (
	packageLayout = freeSWITCHLayout{
		binary: "/usr/bin/freeswitch", modules: "/usr/lib/freeswitch/mod", conf: "/etc/freeswitch",
	}
	sourceLayout = freeSWITCHLayout{
		binary: "/usr/local/freeswitch/bin/freeswitch", modules: "/usr/local/freeswitch/lib/freeswitch/mod",
		conf: "/usr/local/freeswitch/conf", links: []string{"freeswitch", "fs_cli"},
	}
)

// installReal copies the FreeSWITCH in the folder from, and makes it able to run
// on a machine of the lab.
func installReal(ctx context.Context, root, from, project string) error {
	layout, err := copyReal(ctx, root, from)
	if err != nil {
		return err
	}
	if packages := strings.Fields(os.Getenv(FreeSWITCHPackagesEnv)); len(packages) > 0 {
		if _, err := Chroot(ctx, root, "apt-get", "update", "-q"); err != nil {
			return err
		}
		install := append([]string{"apt-get", "install", "-q", "-y", "--no-install-recommends"}, packages...)
		if _, err := Chroot(ctx, root, install...); err != nil {
			return err
		}
	}
	for _, name := range layout.links {
		target := filepath.Join(filepath.Dir(layout.binary), name)
		if err := os.Symlink(target, filepath.Join(root, "usr/local/bin", name)); err != nil {
			return err
		}
	}
	if err := checkLibraries(ctx, root, layout); err != nil {
		return err
	}
	if !isDir(filepath.Join(root, layout.conf)) {
		if err := copyVanilla(ctx, root, layout.conf, project); err != nil {
			return err
		}
	}
	if err := dropSTUN(filepath.Join(root, layout.conf, "vars.xml")); err != nil {
		return err
	}
	return ensureUnit(root, layout, project)
}

// copyReal copies FreeSWITCH's tree, and says which layout it has.
func copyReal(ctx context.Context, root, from string) (freeSWITCHLayout, error) {
	to, layout := root, packageLayout
	switch {
	case filepath.Clean(from) == "/":
		return layout, fmt.Errorf("%s is /: name a folder that holds FreeSWITCH only", FreeSWITCHEnv)
	case exists(filepath.Join(from, packageLayout.binary)):
	case exists(filepath.Join(from, sourceLayout.binary)):
		layout = sourceLayout
	case exists(filepath.Join(from, "bin/freeswitch")):
		to, layout = filepath.Join(root, "usr/local/freeswitch"), sourceLayout
	default:
		return layout, fmt.Errorf("%s=%s holds neither usr/bin/freeswitch, usr/local/freeswitch/bin/freeswitch nor bin/freeswitch", FreeSWITCHEnv, from)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return layout, err
	}
	// /lib and its like are links in the image, which tar leaves to be links.
	_, err := run(ctx, "sh", "-c",
		`tar -C "$1" -c . | tar -C "$2" -x --keep-directory-symlink --no-overwrite-dir --no-same-owner`, "sh", from, to)
	return layout, err
}

// checkLibraries fails with the libraries that the program or a module that
// every configuration loads does not find.
func checkLibraries(ctx context.Context, root string, layout freeSWITCHLayout) error {
	if _, err := Chroot(ctx, root, "ldconfig"); err != nil {
		return err
	}
	argv := []string{"ldd", layout.binary}
	for _, module := range []string{"mod_sofia.so", "mod_event_socket.so"} {
		if path := filepath.Join(layout.modules, module); exists(filepath.Join(root, path)) {
			argv = append(argv, path)
		}
	}
	// ldd exits non-zero for a static program, which lacks nothing.
	out, err := Chroot(ctx, root, argv...)
	var missing []string
	for line := range strings.Lines(out) {
		if library, _, found := strings.Cut(line, "=> not found"); found {
			missing = append(missing, strings.TrimSpace(library))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the machine lacks %s: name the Debian packages that hold them in %s",
			strings.Join(missing, ", "), FreeSWITCHPackagesEnv)
	}
	if err != nil && !strings.Contains(err.Error(), "not a dynamic executable") {
		return err
	}
	return nil
}

// dropSTUN sets the external addresses of vars.xml to the machine's own: with no
// way to the STUN server that vanilla names, mod_sofia does not load at all.
func dropSTUN(vars string) error {
	text, err := os.ReadFile(vars)
	if err != nil {
		return fmt.Errorf("reading the configuration's variables: %w", err)
	}
	text = bytes.ReplaceAll(text, []byte("stun:stun.freeswitch.org"), []byte("$${local_ip_v4}"))
	text = bytes.ReplaceAll(text, []byte(`cmd="stun-set"`), []byte(`cmd="set"`))
	return os.WriteFile(vars, text, 0o640)
}

// ensureUnit writes freeswitch.service where the tree brought none.
func ensureUnit(root string, layout freeSWITCHLayout, project string) error {
	for _, dir := range []string{"usr/lib/systemd/system", "etc/systemd/system"} {
		if exists(filepath.Join(root, dir, "freeswitch.service")) {
			return nil
		}
	}
	if layout.binary == sourceLayout.binary {
		return copyTemplates("templates/freeswitch", filepath.Join(root, "etc/systemd/system"))
	}
	standin := filepath.Join(project, "acctest", "standin")
	return errors.Join(
		copyFile(filepath.Join(standin, "freeswitch.service"), filepath.Join(root, "etc/systemd/system/freeswitch.service"), 0o644),
		copyFile(filepath.Join(standin, "freeswitch.tmpfiles"), filepath.Join(root, "etc/tmpfiles.d/freeswitch.conf"), 0o644),
	)
}
