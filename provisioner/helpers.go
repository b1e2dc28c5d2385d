package provisioner

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// The helpers are built by "make helpers" and not kept in git. "all:" embeds
// the folder's .gitignore too, so that the plugin also compiles without them.
//
//go:embed all:helpers
var built embed.FS

// architectures maps what "uname -m" says to the helper's Go architecture.
var architectures = map[string]string{
	"x86_64":  "amd64",
	"amd64":   "amd64",
	"aarch64": "arm64",
	"arm64":   "arm64",
}

// helper unpacks fs-harden for arch, a Go architecture, from files.
func helper(files fs.FS, arch string) ([]byte, error) {
	name := "helpers/fs-harden-linux-" + arch + ".gz"
	packed, err := fs.ReadFile(files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("this plugin was built without %s: build it with \"make build\", which builds the helper first", name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the plugin's own %s: %w", name, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpacking the plugin's own %s: %w", name, err)
	}
	program, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("unpacking the plugin's own %s: %w", name, err)
	}
	return program, nil
}
