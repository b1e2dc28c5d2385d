package fail2ban

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

const (
	// lagBound is how old a line may be that a jail has not read. A jail looks for
	// new lines every two seconds (fail2ban's utils.py, DEFAULT_SLEEP_TIME).
	lagBound = 10 * time.Second
	// lagTimeout is how long a jail may take to get below it.
	lagTimeout = 5 * time.Second
)

// lag is how far a jail's reading is behind its log.
type lag struct {
	jail   string
	behind time.Duration // since the oldest line was written that is not read
	unread int           // in bytes
}

// Lag tells in a sentence how far the jails that read files are behind them. The
// error is that one of them stays further behind than lagBound, after what time
// fail2ban needs when it was just started.
func (c Config) Lag(ctx context.Context, h *host.Host) (string, error) {
	began := time.Now()
	for {
		worst, err := c.worstLag(ctx, h)
		if err != nil {
			return "", fmt.Errorf("%w; run systemctl restart fail2ban", err)
		}
		if worst.behind <= lagBound {
			return fmt.Sprintf("the jails read up to %.1f s behind their logs", worst.behind.Seconds()), nil
		}
		if waited := time.Since(began); waited > jailsTimeout || waited > lagTimeout && !starting(ctx, h) {
			return "", fmt.Errorf("the jail %s is %.0f s behind its log, with %d bytes to read, and bans nobody meanwhile; run systemctl restart fail2ban, and where it stays behind see what %s says and whether another file of %s sets ignoreself or a name in ignoreip",
				worst.jail, worst.behind.Seconds(), worst.unread, Log, Dir)
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(jailsRetry):
		}
	}
}

// worstLag asks the jails: it is that of the one that is furthest behind.
func (c Config) worstLag(ctx context.Context, h *host.Host) (worst lag, err error) {
	var mu sync.Mutex
	err = c.each(func(jail string) error {
		if jail == sshd { // it reads the journal
			return nil
		}
		out, err := h.Run(ctx, "fail2ban-client", "get", jail, "action", helperName, "lag")
		if err != nil {
			return fmt.Errorf("the jail %s does not tell how far it has read: %w", jail, err)
		}
		l, err := readLag(jail, string(out))
		mu.Lock()
		defer mu.Unlock()
		if err == nil && l.behind >= worst.behind {
			worst = l
		}
		return err
	})
	return worst, err
}

// readLag reads what templates/jail.py tells.
func readLag(jail, text string) (lag, error) {
	var seconds float64
	l := lag{jail: jail}
	if _, err := fmt.Sscanf(strings.TrimSpace(text), "%f s, %d bytes", &seconds, &l.unread); err != nil {
		return lag{}, fmt.Errorf("the jail %s tells %q of how far it has read: %w", jail, strings.TrimSpace(text), err)
	}
	l.behind = time.Duration(seconds * float64(time.Second))
	return l, nil
}
