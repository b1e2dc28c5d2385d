//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A keyPair is the SSH key of one lab.
type keyPair struct {
	file   string // the private key
	public string // one line of an authorized_keys file
}

func newKeyPair(ctx context.Context, dir string) (keyPair, error) {
	file := filepath.Join(dir, "id_ed25519")
	if _, err := run(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", file); err != nil {
		return keyPair{}, fmt.Errorf("making the lab's SSH key: %w", err)
	}
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		return keyPair{}, fmt.Errorf("reading the lab's SSH key: %w", err)
	}
	return keyPair{file: file, public: string(public)}, nil
}

// SSH is how a machine is reached over SSH: a container from the lab's network
// only, a virtual machine from the host. The users are root and debian, who has
// sudo without a password.
type SSH struct {
	Host    string
	Port    int
	KeyFile string
}

// args are the arguments of ssh(1) up to the remote command. Each machine makes
// its host key itself, so there is none to compare with.
func (s SSH) args(user string) []string {
	return []string{
		"-F", "none", "-i", s.KeyFile, "-p", strconv.Itoa(s.Port),
		"-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		"-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15",
		user + "@" + s.Host,
	}
}

// quote makes of an argv one line for a remote shell.
func quote(argv []string) string {
	quoted := make([]string, len(argv))
	for i, arg := range argv {
		quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}
