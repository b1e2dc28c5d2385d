package provisioner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/template/config"
	"github.com/hashicorp/packer-plugin-sdk/template/interpolate"
)

var (
	// The folder's path stands unquoted in a user's execute_command and in
	// scp's command line, so it holds nothing that a shell would read.
	plainPath = regexp.MustCompile(`^/[A-Za-z0-9._+@/-]*$`)
	// POSIX.1-2017, XBD 3.235 "Name": what a shell takes in an export.
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Prepare reads the block and tells every fault of it at once. It has no side
// effect and may be called again: Packer does so once the machine runs, with
// the values that it did not know before.
func (p *Provisioner) Prepare(raws ...any) error {
	p.config = Config{}
	err := config.Decode(&p.config, &config.DecodeOpts{
		PluginType:         "freeswitch-harden",
		Interpolate:        true,
		InterpolateContext: &p.config.ctx,
		InterpolateFilter:  &interpolate.RenderFilter{Exclude: []string{"execute_command"}},
	}, raws...)

	faults := each(err)
	known := p.config.known()
	faults = append(faults, each(known.plan().Validate())...)
	faults = append(faults, known.faults()...)
	if len(faults) == 0 {
		return nil
	}
	return &packersdk.MultiError{Errors: faults}
}

// faults are those of the options that concern Packer's side only.
func (c *Config) faults() []error {
	var all []error
	add := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }

	if c.RemoteFolder != "" && !plainPath.MatchString(c.RemoteFolder) {
		add("remote_folder: %q is not usable; give an absolute path made of letters, digits and . _ + @ -", c.RemoteFolder)
	}
	if c.ExecuteCommand != "" && !strings.Contains(c.ExecuteCommand, ".Path") {
		add("execute_command: it lacks {{.Path}}, so it would not run the helper")
	}
	for i, v := range c.EnvironmentVars {
		// The text may be a secret: only its place is told.
		name, _, ok := strings.Cut(v, "=")
		if !ok || !variableName.MatchString(name) {
			add("environment_vars: entry %d is not NAME=VALUE with a name of letters, digits and _", i+1)
		} else if strings.ContainsRune(v, 0) {
			add("environment_vars: the value of %s holds a NUL byte, which no environment can", name)
		}
	}
	// The plan has each name once.
	named := map[string]bool{}
	for _, t := range c.Trunks {
		if named[t.Name] {
			add("trunk: %q is named twice; give each its own name", t.Name)
		}
		named[t.Name] = true
	}
	if err := reportFault(c.Report); err != nil {
		add("report: %w", err)
	}
	return all
}

// reportFault tells why path cannot become a file, without trying.
func reportFault(path string) error {
	if path == "" {
		return nil
	}
	if strings.HasSuffix(path, "/") || strings.HasSuffix(path, string(filepath.Separator)) {
		return fmt.Errorf("%q names a folder; give a file, as in %q", path, filepath.Join(path, "harden.json"))
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%q is a folder; give a file, as in %q", path, filepath.Join(path, "harden.json"))
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		switch {
		case err == nil && info.IsDir():
			return nil
		case err == nil:
			return fmt.Errorf("%q cannot be made: %s is a file, not a folder", path, dir)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
			return fmt.Errorf("looking for the folder of %q: %w", path, err)
		case dir == filepath.Dir(dir):
			return fmt.Errorf("%q cannot be made: there is no %s", path, dir)
		}
	}
}

// each takes apart the errors that hold several: plan's joined ones, and those
// of the SDK's decoder.
func each(err error) []error {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	var wrapped interface{ WrappedErrors() []error }
	if errors.As(err, &wrapped) {
		return wrapped.WrappedErrors()
	}
	return []error{err}
}
