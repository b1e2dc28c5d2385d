package harden

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/nft"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/watch"
)

const (
	watchUnit     = "fs-harden-watch.service"
	watchLog      = watch.LogFile
	scannersFile  = "/etc/fs-harden/scanners.txt"
	scannersLocal = "/etc/fs-harden/scanners.local"
)

// watchDir is made by the unit too (LogsDirectory=).
var watchDir = path.Dir(watchLog)

// watchStep writes the unit that listens to FreeSWITCH's events for the jails and
// for the kernel's limits.
func watchStep(ctx context.Context, m *Machine) (Proposal, error) {
	changes, err := watchFiles(m)
	if err != nil {
		return Proposal{}, err
	}
	settled, err := changesNothing(m, changes)
	if err != nil {
		return Proposal{}, err
	}
	if !wantsWatch(m.Plan) && settled {
		return Proposal{Status: report.Skipped, Reason: "disabled by skip_fail2ban and rate_limit"}, nil
	}
	var p Proposal
	if !settled {
		p.Changes = changes
		if !m.Live {
			p.Reason = "starts with FreeSWITCH: " + m.WhyNot
			return p, nil
		}
		p.Actions = append(p.Actions, daemonReload(m.Host))
	}
	due, err := watchDue(ctx, m, !settled)
	if due {
		p.Actions = append(p.Actions, restartWatch(m.Host))
	}
	return p, err
}

// watchDue tells whether a FreeSWITCH runs whose password is known, without the watch
// that this run leaves: with none, with another unit's, with an older helper's.
func watchDue(ctx context.Context, m *Machine, newUnit bool) (bool, error) {
	if !m.Live || !m.Runs(freeswitchComm) || !active(ctx, m, serviceUnit(m)) {
		return false, nil // it starts with FreeSWITCH
	}
	if m.Phase == report.Bake {
		if serves, err := m.inService(); err != nil || !serves {
			return false, err
		}
	}
	if newUnit {
		return true, nil
	}
	if !wantsWatch(m.Plan) {
		return false, nil
	}
	is, err := m.asItIs().Lookup(state.HelperPath)
	if err != nil {
		return false, err
	}
	will, err := m.Lookup(state.HelperPath)
	return !host.Same(is, will) || !active(ctx, m, watchUnit), err
}

func wantsWatch(p *plan.Plan) bool { return p.RateLimit.Enabled || !p.SkipFail2ban }

func watchFiles(m *Machine) ([]Change, error) {
	unit := path.Join(unitDir, watchUnit)
	files := []Change{
		{Path: unit, Node: host.Node{Kind: host.Absent}, Summary: "FreeSWITCH's events are not watched"},
		{Path: path.Join(unitDir, serviceUnit(m)+".wants", watchUnit), Node: host.Node{Kind: host.Absent}, Summary: watchUnit + " is disabled"},
		{Path: scannersFile, Node: host.Node{Kind: host.Absent}, Summary: "no scanners are known by name"},
	}
	if !wantsWatch(m.Plan) {
		return files, nil
	}
	text, err := render(m, watchUnit)
	if err != nil {
		return nil, err
	}
	files[0].Node, files[0].Summary = host.NewFile(text, 0o644), "tells the kernel who has registered, and the jails whose calls were refused"
	files[1].Node, files[1].Summary = host.NewSymlink(unit), watchUnit+" is enabled"
	files[2].Node, files[2].Summary = host.NewFile([]byte(watch.Shipped()), 0o644), "what scanners call themselves"
	return files, nil
}

// restartWatch makes systemd run what its unit says, there and back: an undo
// finds the unit as it was before, or none.
func restartWatch(h *host.Host) Action {
	do := func(ctx context.Context) error {
		if !h.Exists(path.Join(unitDir, watchUnit)) {
			_, _ = h.Run(ctx, "systemctl", "stop", watchUnit) // it may be unknown by now
			return nil
		}
		_, err := h.Run(ctx, "systemctl", "restart", watchUnit)
		return err
	}
	return Action{Name: "restarting " + watchUnit, Do: do, Undo: do}
}

func checkWatch(ctx context.Context, m *Machine) []report.Check {
	c := report.Check{Name: "watch", Status: report.Pass, Detail: "FreeSWITCH's events are watched"}
	if !wantsWatch(m.Plan) {
		c.Status, c.Detail = report.CheckSkipped, "disabled by skip_fail2ban and rate_limit"
		return []report.Check{c}
	}
	files, err := watchFiles(m)
	if err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
		return []report.Check{c}
	}
	for _, f := range files {
		if n, err := m.Lookup(f.Path); err != nil || !host.Same(n, f.Node) {
			c.Status, c.Detail = report.Fail, f.Path+" is missing or was altered: run fs-harden apply"
			return []report.Check{c}
		}
	}
	if _, err := scanners(m.Host); err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
		return []report.Check{c}
	}
	rec, err := state.ReadCommitted(m.Host)
	switch why := deaf(m); {
	case why != "":
		c.Status, c.Detail = report.CheckDeferred, why
	case err != nil:
		c.Status, c.Detail = report.Fail, err.Error()
	// Before its first boot FreeSWITCH may run with another password than its file's.
	case rec == nil || m.Image || !m.Runs(freeswitchComm):
		c.Status, c.Detail = report.CheckDeferred, "it starts with FreeSWITCH"
	case !active(ctx, m, serviceUnit(m)):
		c.Status, c.Detail = report.Fail, fmt.Sprintf("FreeSWITCH does not run by %s, with which %s starts: end it, and run systemctl start %[1]s", serviceUnit(m), watchUnit)
	default:
		if err := watches(ctx, m); err != nil {
			c.Status, c.Detail = report.Fail, err.Error()
		}
	}
	return []report.Check{c}
}

const (
	// watchTimeout is how long the watch may take to come up: FreeSWITCH's event
	// socket opens behind its SIP profiles.
	watchTimeout = 30 * time.Second
	watchRetry   = 250 * time.Millisecond
)

// watches asks whether the watch has told the kernel that it is there, which it does
// only while FreeSWITCH answers it. One that is coming up is waited for: it starts
// with FreeSWITCH, and again with the kernel's table.
func watches(ctx context.Context, m *Machine) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	for {
		out, _ := m.Run(ctx, "systemctl", "is-active", watchUnit) // it fails for all but "active"
		state := strings.TrimSpace(string(out))
		if state == "active" {
			break
		}
		if state != "activating" || ctx.Err() != nil {
			return fmt.Errorf("%s is not up: strangers are limited as everybody is, and refused calls are not counted; run systemctl restart %[1]s, and journalctl -u %[1]s says why it ended", watchUnit)
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchRetry):
		}
	}
	if !m.Plan.RateLimit.Enabled {
		return nil
	}
	out, err := m.Run(ctx, "nft", "list", "set", "inet", nft.Table, "watched")
	if err != nil {
		return fmt.Errorf("%w: systemctl restart fs-harden-nft", err)
	}
	if !strings.Contains(string(out), "elements") {
		return fmt.Errorf("%s runs, and FreeSWITCH's event socket does not answer it: journalctl -u %[1]s says why", watchUnit)
	}
	return nil
}
