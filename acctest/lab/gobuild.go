//go:build linux

package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// goProgram builds the main package of a module served by the Go module proxy,
// such as "github.com/hashicorp/packer@v1.15.0", once, and returns the binary.
//
// It does not use go install, which asks the proxy for the module's list of
// versions to see whether this one is retracted: not every proxy gives it.
func (l *Lab) goProgram(ctx context.Context, name, module string) (string, error) {
	ingredients := []string{module, runtime.Version()}
	entry, err := l.Cache.Entry(ctx, name, ingredients, func(dir string) error {
		l.log("building %s from the Go module proxy (some minutes)", module)
		download := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
		download.Dir = dir // outside any module
		download.Env = goEnv()
		out, err := runCmd(download)
		if err != nil {
			return fmt.Errorf("downloading %s: %w", module, err)
		}
		var answer struct{ Dir string }
		if err := json.Unmarshal([]byte(out), &answer); err != nil {
			return fmt.Errorf("reading what go mod download says of %s: %w", module, err)
		}
		return goBuild(ctx, answer.Dir, ".", filepath.Join(dir, name))
	})
	return filepath.Join(entry, name), err
}

// goBuild builds a main package statically for the lab's machines and this host.
func goBuild(ctx context.Context, dir, pkg, out string) error {
	cmd := ownProcessGroup(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
	cmd.Dir = dir
	cmd.Env = append(goEnv(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if _, err := runCmd(cmd); err != nil {
		return fmt.Errorf("building %s in %s: %w", pkg, dir, err)
	}
	return nil
}

// goEnv is this process's environment without what would bend the build of
// another module.
func goEnv() []string { return append(os.Environ(), "GOFLAGS=", "GOWORK=off") }
