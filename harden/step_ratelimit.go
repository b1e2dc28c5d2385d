package harden

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fail2ban"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/listen"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/nft"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

const (
	nftRules = "/etc/fs-harden/nftables.nft"
	nftUnit  = "fs-harden-nft.service"
)

// rateLimit writes the kernel's table of bans and limits, the unit that loads
// it at each boot, and the action by which fail2ban fills it. It stands before
// the step that restarts fail2ban.
func rateLimit(_ context.Context, m *Machine) (Proposal, error) {
	changes, err := nftFiles(m)
	if err != nil {
		return Proposal{}, err
	}
	settled, err := changesNothing(m, changes)
	if err != nil {
		return Proposal{}, err
	}
	p := Proposal{Changes: changes}
	switch {
	case !wantsTable(m.Plan) && settled:
		return Proposal{Status: report.Skipped, Reason: "not wanted"}, nil
	case settled:
		return Proposal{}, nil
	case deaf(m) != "":
		p.Reason = "loaded at the next boot: " + deaf(m)
	default:
		p.Actions = []Action{daemonReload(m.Host), loadTable(m.Host)}
	}
	return p, nil
}

func wantsTable(p *plan.Plan) bool { return p.RateLimit.Enabled || fail2ban.UsesTable(p) }

// nftFiles is every file of the table as it is to be, those that are not wanted
// absent: what a former plan wrote goes.
func nftFiles(m *Machine) ([]Change, error) {
	rules := Change{Path: nftRules, Node: host.Node{Kind: host.Absent}, Summary: "no bans and no limits in the kernel"}
	unit := Change{Path: path.Join(unitDir, nftUnit), Node: host.Node{Kind: host.Absent}, Summary: "nothing to load"}
	ban, err := fail2ban.Action()
	if err != nil {
		return nil, err
	}
	action := Change{Path: ban.Path, Node: host.Node{Kind: host.Absent}, Summary: "fail2ban does not use the table"}
	if wantsTable(m.Plan) {
		text, err := nftText(m)
		if err != nil {
			return nil, err
		}
		rules.Node, rules.Summary = host.NewFile([]byte(text), 0o644), tableSummary(m.Plan)
		if text, err = nftUnitText(); err != nil {
			return nil, err
		}
		unit.Node, unit.Summary = host.NewFile([]byte(text), 0o644), "loads them at boot, before the network"
	}
	if fail2ban.UsesTable(m.Plan) {
		action.Node, action.Summary = host.NewFile([]byte(ban.Text), 0o644), ban.Summary
	}
	out := []Change{rules, unit, action}
	for _, wants := range []string{"sysinit.target.wants", "nftables.service.wants"} {
		link := Change{Path: path.Join(unitDir, wants, nftUnit), Node: host.Node{Kind: host.Absent}, Summary: nftUnit + " is disabled"}
		if wantsTable(m.Plan) {
			link.Node, link.Summary = host.NewSymlink(unit.Path), nftUnit+" is enabled"
		}
		out = append(out, link)
	}
	return out, nil
}

func tableSummary(p *plan.Plan) string {
	if !p.RateLimit.Enabled {
		return "bans in the kernel, for every protocol and port"
	}
	return "bans in the kernel, for every protocol and port; limits per source and method"
}

func nftText(m *Machine) (string, error) {
	c, err := m.Config()
	if err != nil {
		return "", err
	}
	open, err := listen.Read(c, m.Plan)
	if err != nil {
		return "", err
	}
	return nft.Ruleset(m.Plan, open)
}

func nftUnitText() (string, error) {
	text, err := templates.ReadFile("templates/" + nftUnit)
	if err != nil {
		return "", err
	}
	return strings.NewReplacer("@NFT@", nft.Program, "@RULES@", nftRules).Replace(string(text)), nil
}

// loadTable makes the kernel's table what the file says, there and back: an
// undo finds the file as it was before, or none. systemd is told too, or it
// would not load the table again with the distribution's nftables.service.
func loadTable(h *host.Host) Action {
	do := func(ctx context.Context) error {
		if !h.Exists(nftRules) {
			return dropTable(ctx, h)
		}
		if _, err := h.Run(ctx, "nft", "-f", nftRules); err != nil {
			return fmt.Errorf("%w; is the package nftables installed, and may this machine change its own netfilter?", err)
		}
		_, err := h.Run(ctx, "systemctl", "restart", nftUnit)
		return err
	}
	return Action{Name: "nft -f " + nftRules, Do: do, Undo: do}
}

// dropTable takes our table away, and no other.
func dropTable(ctx context.Context, h *host.Host) error {
	// A unit that systemd does not know cannot be stopped, and need not be.
	_, _ = h.Run(ctx, "systemctl", "stop", nftUnit)
	if _, err := h.Run(ctx, "nft", "--version"); errors.Is(err, exec.ErrNotFound) {
		return nil // then there is no table either
	}
	// Deleting what is not there is an error, so it is made first.
	if _, err := h.Run(ctx, "nft", "add", "table", "inet", nft.Table); err != nil {
		return err
	}
	_, err := h.Run(ctx, "nft", "delete", "table", "inet", nft.Table)
	return err
}

// checkKernel asks the kernel whether the table does what its file says.
func checkKernel(ctx context.Context, m *Machine) []report.Check {
	c := report.Check{Name: "kernel-table", Status: report.Pass}
	if !wantsTable(m.Plan) {
		c.Status, c.Detail = report.CheckSkipped, "not wanted"
		return []report.Check{c}
	}
	files, err := nftFiles(m)
	if err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
		return []report.Check{c}
	}
	for _, f := range files {
		if n, err := m.Lookup(f.Path); err != nil || !host.Same(n, f.Node) {
			c.Status, c.Detail = report.Fail, f.Path+" is not what this machine's configuration asks for: run fs-harden apply"
			return []report.Check{c}
		}
	}
	if why := deaf(m); why != "" {
		c.Status, c.Detail = report.CheckDeferred, why
		return []report.Check{c}
	}
	if err := tableStands(ctx, m); err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
		return []report.Check{c}
	}
	c.Detail = "the table inet " + nft.Table + " is hooked, with every rule of " + nftRules
	return []report.Check{c}
}

func tableStands(ctx context.Context, m *Machine) error {
	text, err := m.ReadFile(nftRules)
	if err != nil {
		return err
	}
	// -t leaves out the members of sets: a machine may have many bans.
	listing, err := m.Run(ctx, "nft", "-j", "-t", "list", "table", "inet", nft.Table)
	if err != nil {
		return fmt.Errorf("nothing is banned or limited: the table inet %s is not loaded (something ran \"nft flush ruleset\"?): systemctl restart fs-harden-nft fail2ban: %w", nft.Table, err)
	}
	if err := nft.Compare(listing, string(text)); err != nil {
		return fmt.Errorf("%w: systemctl restart fs-harden-nft", err)
	}
	return nil
}
