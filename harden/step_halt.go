package harden

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

const (
	// haltTimeout bounds how long FreeSWITCH may take to end once systemd has
	// stopped its unit, which itself waits for TimeoutStopSec= (90 s).
	haltTimeout = 30 * time.Second
	haltRetry   = 100 * time.Millisecond
)

// noImage is why a step for images has nothing to do.
const noImage = "this machine stays in service: give --image where it is to become an image"

// halt stops a FreeSWITCH that runs in a machine that is to become an image. It
// writes logs, databases and keys while it runs and as it ends, and what the
// next step removes must stay removed.
func halt(ctx context.Context, m *Machine) (Proposal, error) {
	if !m.Image {
		return Proposal{Status: report.Skipped, Reason: noImage}, nil
	}
	if !m.Runs(freeswitchComm) {
		return Proposal{Reason: "FreeSWITCH is not running"}, nil
	}
	unit := m.Plan.ServiceName + ".service"
	if !m.Live {
		return Proposal{}, fmt.Errorf("FreeSWITCH runs here and cannot be stopped: %s; end it before this (freeswitch -stop): what it writes must not be in the image", m.WhyNot)
	}
	out, err := m.Run(ctx, "systemctl", "show", "--value", "-p", "ActiveState", unit)
	if err != nil {
		return Proposal{}, fmt.Errorf("asking whether %s runs: %w", unit, err)
	}
	if s := strings.TrimSpace(string(out)); s == "inactive" || s == "failed" {
		return Proposal{}, fmt.Errorf("FreeSWITCH runs, and %s is %s: end it before this (freeswitch -stop), or name its unit in service_name; what it writes must not be in the image", unit, s)
	}
	return Proposal{
		Reason: "FreeSWITCH is stopped: it starts on the instances",
		Actions: []Action{{
			Name: "stopping " + unit,
			Do:   func(ctx context.Context) error { return stopFreeSWITCH(ctx, m, unit) },
			Undo: func(ctx context.Context) error {
				// The files are back, the units among them, and systemd has to know
				// before it starts FreeSWITCH by them.
				if err := daemonReload(m.Host).Do(ctx); err != nil {
					return err
				}
				_, err := m.Run(ctx, "systemctl", "start", unit)
				return err
			},
		}},
	}, nil
}

// stopFreeSWITCH returns once no process of FreeSWITCH is left.
func stopFreeSWITCH(ctx context.Context, m *Machine, unit string) error {
	if _, err := m.Run(ctx, "systemctl", "stop", unit); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, haltTimeout)
	defer cancel()
	for m.Runs(freeswitchComm) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is stopped, and a FreeSWITCH still runs: end it before this (freeswitch -stop); what it writes must not be in the image", unit)
		case <-time.After(haltRetry):
		}
	}
	return nil
}
