// Package provisioner is Packer's side of the project, and the only place that
// knows Packer: it makes a plan of an HCL block, brings the helper fs-harden to
// the machine being baked, shows what it does, and keeps its report. What is
// hardened, and how, is the helper's affair.
package provisioner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// Provisioner is the block provisioner "freeswitch-harden". Its zero value is
// ready for use.
type Provisioner struct {
	config Config

	// The tests' own helper, and their shorter waits.
	helpers fs.FS
	wait    func(try int) time.Duration
}

var _ packersdk.Provisioner = new(Provisioner)

// ConfigSpec is the form of the block, for Packer.
func (p *Provisioner) ConfigSpec() hcldec.ObjectSpec {
	return p.config.FlatMapstructure().HCL2Spec()
}

// Provision hardens the machine behind comm. It succeeds only if the helper
// says at its very end that it did. What was uploaded is removed whatever
// happens, and whatever happens the report is kept if there is one.
func (p *Provisioner) Provision(ctx context.Context, ui packersdk.Ui, comm packersdk.Communicator, generated map[string]any) (err error) {
	c := &p.config
	wanted := c.plan()
	// The values that Prepare had to let pass must be there by now.
	if err := errors.Join(append(each(wanted.Validate()), c.faults()...)...); err != nil {
		return fmt.Errorf("the block has values that never became known, or faulty ones: %w", err)
	}
	g := &guest{comm: comm, ui: ui, wait: p.wait}
	if g.wait == nil {
		g.wait = backoff
	}
	machine, err := g.probe(ctx)
	if err != nil {
		return err
	}
	program, err := helper(p.files(), machine.arch)
	if err != nil {
		return err
	}
	folder, err := g.workspace(ctx, c.RemoteFolder)
	if err != nil {
		return err
	}
	defer func() {
		if c.SkipCleanUp {
			ui.Sayf("Left on the guest, as asked: %s", folder)
			return
		}
		err = errors.Join(err, g.remove(ctx, folder))
	}()
	named, err := c.deliver(ctx, g, folder, program, wanted)
	if err != nil {
		return err
	}
	command, err := c.command(folder, machine.root, generated)
	if err != nil {
		return err
	}
	ui.Sayf("Hardening FreeSWITCH on %s %s with %s", machine.system, machine.machine, named)
	rep, err := g.apply(ctx, command, &screen{ui: ui})
	return errors.Join(err, c.conclude(ui, rep, err == nil))
}

func (p *Provisioner) files() fs.FS {
	if p.helpers != nil {
		return p.helpers
	}
	return built
}

// deliver puts everything into folder and has the helper tell its version,
// which proves that it arrived whole and runs there.
func (c *Config) deliver(ctx context.Context, g *guest, folder string, program []byte, wanted *plan.Plan) (string, error) {
	script, err := c.script(folder)
	if err != nil {
		return "", err
	}
	// The folder is open to its user only, so these modes open nothing.
	if err := g.put(ctx, folder+"/"+helperFile, program, 0o755, true); err != nil {
		return "", err
	}
	if err := g.put(ctx, folder+"/"+planFile, wanted.Encode(), 0o644, false); err != nil {
		return "", err
	}
	if err := g.put(ctx, folder+"/"+scriptFile, script, 0o755, false); err != nil {
		return "", err
	}
	path := quote(folder + "/" + helperFile)
	out, bad, status, err := g.ask(ctx, "chmod 0755 "+path+" && "+path+" version")
	if err != nil {
		return "", fmt.Errorf("trying fs-harden on the guest: %w", err)
	}
	if status != 0 {
		return "", fmt.Errorf("fs-harden does not run on the guest: status %d: %s", status, clean(bad))
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return clean(lines[len(lines)-1]), nil
}

// conclude shows how the run went and keeps the report.
func (c *Config) conclude(ui packersdk.Ui, rep *report.Report, ok bool) error {
	if rep == nil {
		return nil
	}
	if ok {
		ui.Say("FreeSWITCH is hardened. " + sum(rep))
	} else {
		ui.Error("FreeSWITCH is NOT hardened. " + sum(rep))
	}
	if c.Report == "" {
		return nil
	}
	if err := save(c.Report, rep); err != nil {
		return err
	}
	ui.Sayf("Report: %s", c.Report)
	return nil
}
