//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// tools are the files that the lab needs on the host, each with the Debian
// package that brings it. A bare name is looked for on PATH.
var tools = []struct{ file, pkg string }{
	{"mmdebstrap", "mmdebstrap"},
	{"/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"},
	{"systemd-nspawn", "systemd-container"},
	{"qemu-system-x86_64", "qemu-system-x86"},
	{"qemu-img", "qemu-utils"},
	{"mke2fs", "e2fsprogs"},
	{"ip", "iproute2"},
	{"ssh", "openssh-client"},
	{"nsenter", "util-linux"},
	{"mount", "mount"},
}

// InstallTools installs with apt-get what the host lacks of the lab's tools, and
// says so through log. Where all are there it does nothing.
func InstallTools(ctx context.Context, log func(format string, args ...any)) error {
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("the lab needs %s and this machine has no apt-get: install them by hand, or use Debian 12: %w", strings.Join(missing, ", "), err)
	}
	log("installing %s with apt-get", strings.Join(missing, " "))
	for _, args := range [][]string{
		{"update", "-q"},
		append([]string{"install", "-q", "-y", "--no-install-recommends"}, missing...),
	} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if _, err := runCmd(cmd); err != nil {
			return fmt.Errorf("installing the lab's tools: %w", err)
		}
	}
	if still := missingPackages(); len(still) > 0 {
		return fmt.Errorf("apt-get installed %s, yet their tools are still not found: is /usr/sbin on PATH?", strings.Join(still, ", "))
	}
	return nil
}

func missingPackages() []string {
	var missing []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool.file); err == nil {
			continue
		}
		if strings.HasPrefix(tool.file, "/") && exists(tool.file) {
			continue
		}
		missing = append(missing, tool.pkg)
	}
	return slices.Compact(missing)
}
