//go:build linux

// Package bakery bakes example/ on a disposable machine, with the real Packer
// and the plugin as it was built: what the acceptance tests and the
// demonstration have in common.
package bakery

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// PluginSource is the plugin as configurations name it.
const PluginSource = "github.com/goldenswitch/freeswitch"

// Bakery is a lab with Packer and the plugin.
type Bakery struct {
	Lab    *lab.Lab
	Packer *lab.Packer
	// Project is the folder of this project's sources.
	Project string

	mu         sync.Mutex
	undefended map[lab.Release]*lab.Image
}

// Open takes the plugin that `make build` left in the project's folder. packer is
// the binary to use; where it is empty the lab builds one.
func Open(ctx context.Context, l *lab.Lab, project, packer string) (*Bakery, error) {
	plugin := filepath.Join(project, "packer-plugin-freeswitch")
	if _, err := os.Stat(plugin); err != nil {
		return nil, fmt.Errorf("the plugin is not built: run make build (%w)", err)
	}
	p, err := l.Packer(ctx, packer)
	if err != nil {
		return nil, err
	}
	if err := p.Install(ctx, PluginSource, plugin); err != nil {
		return nil, err
	}
	return &Bakery{Lab: l, Packer: p, Project: project}, nil
}

// Packages are what the defence needs. They are on the machine already, so that
// a bake in the lab, whose network ends in the lab, downloads nothing.
var Packages = []string{"fail2ban", "iptables", "nftables", "python3-systemd", "ufw"}

// Undefended is an image of a Debian with FreeSWITCH and Packages, and nothing
// hardened. Each release's is made once.
func (b *Bakery) Undefended(ctx context.Context, release lab.Release) (*lab.Image, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if image, made := b.undefended[release]; made {
		return image, nil
	}
	debian, err := b.Lab.Release(ctx, release, Packages...)
	if err != nil {
		return nil, err
	}
	image, err := debian.InstallFreeSWITCH(ctx)
	if err != nil {
		return nil, err
	}
	if b.undefended == nil {
		b.undefended = map[lab.Release]*lab.Image{}
	}
	b.undefended[release] = image
	return image, nil
}

// Machine boots a Debian 12 with FreeSWITCH running, nothing hardened yet.
func (b *Bakery) Machine(ctx context.Context, name string) (*lab.Container, error) {
	return b.MachineOf(ctx, lab.Bookworm, name)
}

// MachineOf is Machine of a release.
func (b *Bakery) MachineOf(ctx context.Context, release lab.Release, name string) (*lab.Container, error) {
	image, err := b.Undefended(ctx, release)
	if err != nil {
		return nil, err
	}
	c, err := image.Boot(ctx, name, lab.BootOptions{})
	if err != nil {
		return nil, err
	}
	_, err = c.WaitBoot(ctx)
	return c, err
}

// Bake runs the example on the machine. It returns what Packer printed; the
// report is left in the file at report.
func (b *Bakery) Bake(ctx context.Context, c *lab.Container, report string) (string, error) {
	ssh := c.SSH()
	return b.Packer.RunInside(ctx, filepath.Join(b.Project, "example"), "build",
		"-var", "host="+ssh.Host, "-var", fmt.Sprintf("port=%d", ssh.Port),
		"-var", "user=debian", "-var", "private_key_file="+ssh.KeyFile,
		"-var", "report="+report, ".")
}

// Image makes the image that a cloud would have made of a baked machine.
func Image(ctx context.Context, c *lab.Container, name string) (*lab.Image, error) {
	if err := c.Poweroff(ctx); err != nil {
		return nil, err
	}
	snapshot, err := c.Snapshot(ctx, name+"-disk")
	if err != nil {
		return nil, err
	}
	return snapshot.Generalize(ctx, name)
}
