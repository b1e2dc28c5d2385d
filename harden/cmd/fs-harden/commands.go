package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

func apply(ctx context.Context, inv *invocation, stdout io.Writer) error {
	p, err := readPlan(inv.plan)
	if err != nil {
		return &usageError{err}
	}
	r, err := runner(inv, stdout)
	if err != nil {
		return err
	}
	r.Image = inv.image
	if len(p.AdminUsers) == 0 {
		p.AdminUsers = harden.BuildUser(r.Host)
		if err := p.Validate(); err != nil { // or no instance could read its plan
			return &usageError{fmt.Errorf("the user of sudo is taken for the admin user: %w; name one in admin_users", err)}
		}
	}
	var diff io.Writer
	if inv.dryRun {
		diff = stdout
		if inv.json {
			diff = os.Stderr // standard output is JSON alone
		}
		r.Out = quiet{}
	}
	rep, err := r.Apply(ctx, p, diff)
	if inv.report != "" {
		err = errors.Join(err, writeReport(inv.report, rep))
	}
	return end(inv, stdout, rep, err)
}

func firstboot(ctx context.Context, inv *invocation, stdout io.Writer) error {
	return phase(inv, stdout, func(r *harden.Runner) (*report.Report, error) {
		r.AtBoot = inv.atBoot
		return r.FirstBoot(ctx)
	})
}

func rotate(ctx context.Context, inv *invocation, stdout io.Writer) error {
	return phase(inv, stdout, func(r *harden.Runner) (*report.Report, error) { return r.Rotate(ctx) })
}

func verify(ctx context.Context, inv *invocation, stdout io.Writer) error {
	return phase(inv, stdout, func(r *harden.Runner) (*report.Report, error) { return r.Verify(ctx) })
}

func rollback(ctx context.Context, inv *invocation, stdout io.Writer) error {
	return phase(inv, stdout, func(r *harden.Runner) (*report.Report, error) { return r.Rollback(ctx) })
}

func forget(ctx context.Context, inv *invocation, stdout io.Writer) error {
	return phase(inv, stdout, func(r *harden.Runner) (*report.Report, error) { return r.Forget(ctx) })
}

func phase(inv *invocation, stdout io.Writer, run func(*harden.Runner) (*report.Report, error)) error {
	r, err := runner(inv, stdout)
	if err != nil {
		return err
	}
	rep, err := run(r)
	return end(inv, stdout, rep, err)
}

func gate(ctx context.Context, inv *invocation, _ io.Writer) error {
	r, err := runner(inv, io.Discard)
	if err != nil {
		return err
	}
	return r.Gate(ctx)
}

func watch(ctx context.Context, inv *invocation, _ io.Writer) error {
	r, err := runner(inv, io.Discard)
	if err != nil {
		return err
	}
	return r.Watch(ctx)
}

func showStatus(ctx context.Context, inv *invocation, stdout io.Writer) error {
	r, err := runner(inv, io.Discard)
	if err != nil {
		return err
	}
	st, err := r.Status(ctx)
	if err != nil {
		return err
	}
	if inv.json {
		return json.NewEncoder(stdout).Encode(st)
	}
	return printStatus(stdout, st)
}

func printVersion(_ context.Context, _ *invocation, stdout io.Writer) error {
	_, err := fmt.Fprintln(stdout, "fs-harden "+version)
	return err
}

func runner(inv *invocation, stdout io.Writer) (*harden.Runner, error) {
	h, err := host.Open(inv.root, host.Exec{})
	if err != nil {
		return nil, &usageError{err}
	}
	f, isFile := stdout.(*os.File)
	var out harden.Sink = &people{w: stdout, journal: isFile && isJournal(f)}
	if inv.json {
		out = &lines{json.NewEncoder(stdout)}
	}
	return &harden.Runner{Host: h, Out: out, Steps: harden.Steps(), Undoing: func() { inv.watchdog.undoing.Store(true) }}, nil
}

func readPlan(path string) (*plan.Plan, error) {
	if path == "" {
		return plan.Default(), nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	p, err := plan.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// writeReport replaces the file at path in one step. It lies on the machine
// that runs us, not below --root.
func writeReport(path string, rep *report.Report) error {
	b, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("--report %s: %w", path, err)
	}
	h, err := host.Open("/", host.Exec{})
	if err != nil {
		return err
	}
	n := host.NewFile(append(b, '\n'), 0o644)
	n.UID, n.GID = os.Getuid(), os.Getgid()
	if err := h.Put(abs, n); err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return nil
}

// end closes the output with the report, also of a run that failed.
func end(inv *invocation, stdout io.Writer, rep *report.Report, err error) error {
	if inv.json {
		return errors.Join(err, json.NewEncoder(stdout).Encode(report.Event{Final: rep}))
	}
	return errors.Join(err, summary(stdout, rep))
}
