package harden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/watch"
)

// watchLogSize is from how many bytes on the watch's log becomes a new one: some
// 150,000 lines. One older file is kept.
const watchLogSize = 10 << 20

// Watch listens to the running FreeSWITCH until ctx ends, see package watch.
func (r *Runner) Watch(ctx context.Context) error {
	if live, why := r.Host.Live(); !live {
		return fmt.Errorf("nothing to watch: %s", why)
	}
	say := func(what string) { fmt.Fprintln(os.Stderr, what) }
	known, err := scanners(r.Host)
	if err != nil { // the others are known all the same
		say(err.Error())
	}
	p, err := r.plan()
	if err != nil {
		return err
	}
	out, err := r.Host.Grow(watchLog, watchLogSize)
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // every line is written at once
	w := watch.Watch{Dial: r.dialEventSocket, Log: out, Known: known, Say: say, Ready: notifySystemd}
	if p.RateLimit.Enabled {
		w.Kernel = func(ctx context.Context, script string) error {
			_, err := r.Host.Run(ctx, "nft", script)
			return err
		}
	}
	w.Run(ctx)
	return nil
}

// notifySystemd tells the service manager that the unit is up (sd_notify(3)), where
// there is one that asks.
func notifySystemd() {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	// "@..." is an abstract one, as systemd has it, who alone sets the variable.
	conn, err := net.Dial("unixgram", socket) //nolint:gosec // see above
	if err != nil {
		return // then systemd says itself that it has waited in vain
	}
	defer conn.Close() //nolint:errcheck // one message
	_, _ = conn.Write([]byte("READY=1"))
}

// dialEventSocket connects with the password of FreeSWITCH's configuration as it
// is now.
func (r *Runner) dialEventSocket(ctx context.Context) (*esl.Conn, error) {
	p, err := r.plan()
	if err != nil {
		return nil, err
	}
	m := r.start(report.Verify, p).m
	if m.ConfDir, err = findConfDir(m); err != nil {
		return nil, err
	}
	c, err := m.Config()
	if err != nil {
		return nil, err
	}
	return m.eventSocket().Dial(ctx, eslAddress(c), currentESL(c).Reveal())
}

// scanners are the signatures that this program wrote, and those of the operator.
// An error is about the latter, which are then left out.
func scanners(h *host.Host) (watch.Signatures, error) {
	known, err := watch.ParseSignatures(watch.Shipped())
	if err != nil {
		return nil, err
	}
	text, err := h.ReadFile(scannersLocal)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	} else if err != nil {
		return known, err
	}
	own, err := watch.ParseSignatures(string(text))
	if err != nil {
		return known, fmt.Errorf("%s is not used: %w", scannersLocal, err)
	}
	return append(known, own...), nil
}
