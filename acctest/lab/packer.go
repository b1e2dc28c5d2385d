//go:build linux

package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What the tests bake with: versions that the Go module proxy serves.
const (
	packerModule     = "github.com/hashicorp/packer@v1.15.0"
	qemuPluginModule = "github.com/hashicorp/packer-plugin-qemu@v1.0.9"
)

// A Packer is Packer with plugins, configuration and cache of its own: nothing
// of the user's home is read or written.
type Packer struct {
	Bin string // the packer binary

	lab  *Lab
	home string
}

// Packer returns a Packer without plugins: the binary at bin, or where that is
// empty the one that the lab builds from the Go module proxy, once.
func (l *Lab) Packer(ctx context.Context, bin string) (*Packer, error) {
	if bin == "" {
		var err error
		if bin, err = l.goProgram(ctx, "packer", packerModule); err != nil {
			return nil, err
		}
	}
	home, err := l.newDir("packer")
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{"plugins", "config", "cache", "tmp"} {
		if err := os.Mkdir(filepath.Join(home, dir), 0o755); err != nil {
			return nil, fmt.Errorf("making Packer's folders: %w", err)
		}
	}
	return &Packer{Bin: bin, lab: l, home: home}, nil
}

// Install installs a plugin's binary as the source that configurations name,
// such as "github.com/goldenswitch/freeswitch".
func (p *Packer) Install(ctx context.Context, source, binary string) error {
	if _, err := p.Run(ctx, p.home, "plugins", "install", "--path", binary, source); err != nil {
		return fmt.Errorf("installing the plugin %s: %w", source, err)
	}
	return nil
}

// InstallQemu installs the qemu plugin, built from the Go module proxy once.
func (p *Packer) InstallQemu(ctx context.Context) error {
	binary, err := p.lab.goProgram(ctx, "packer-plugin-qemu", qemuPluginModule)
	if err != nil {
		return err
	}
	return p.Install(ctx, "github.com/hashicorp/qemu", binary)
}

// Run runs packer in the folder dir, on the host's network, and returns what it
// printed, both streams as they came.
func (p *Packer) Run(ctx context.Context, dir string, args ...string) (string, error) {
	return p.run(ownProcessGroup(ctx, p.Bin, args...), dir)
}

// RunInside is Run on the lab's network, from where containers are reached.
func (p *Packer) RunInside(ctx context.Context, dir string, args ...string) (string, error) {
	return p.run(p.lab.Command(ctx, p.Bin, args...), dir)
}

func (p *Packer) run(cmd *exec.Cmd, dir string) (string, error) {
	var out bytes.Buffer
	cmd.Dir, cmd.Env = dir, p.env()
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 10 * time.Second
	proc, err := startProcess(cmd)
	if err != nil {
		return "", err
	}
	untrack, err := p.lab.track(proc)
	if err != nil {
		return "", err
	}
	defer untrack()
	<-proc.done
	if !cmd.ProcessState.Success() {
		return out.String(), fmt.Errorf("packer %s: %v\n%s", strings.Join(cmd.Args[1:], " "), cmd.ProcessState, tail(out.String(), 8192))
	}
	return out.String(), nil
}

// env is this process's environment with everything of Packer pointing here.
func (p *Packer) env() []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "PACKER_") || strings.HasPrefix(kv, "PKR_VAR_")
	})
	return append(env,
		"PACKER_PLUGIN_PATH="+filepath.Join(p.home, "plugins"),
		"PACKER_CONFIG="+filepath.Join(p.home, "config", "packerconfig"),
		"PACKER_CONFIG_DIR="+filepath.Join(p.home, "config"),
		"PACKER_CACHE_DIR="+filepath.Join(p.home, "cache"),
		"TMPDIR="+filepath.Join(p.home, "tmp"),
		"CHECKPOINT_DISABLE=1",
		"PACKER_NO_COLOR=1",
	)
}

// Source is a source block for Packer's null builder, called label, that reaches
// the container as the user debian. Packer has to run on the lab's network.
func (c *Container) Source(label string) string {
	s := c.SSH()
	return fmt.Sprintf(`source "null" %q {
  communicator         = "ssh"
  ssh_host             = %q
  ssh_port             = %d
  ssh_username         = "debian"
  ssh_private_key_file = %q
  ssh_timeout          = "2m"
}
`, label, s.Host, s.Port, s.KeyFile)
}
