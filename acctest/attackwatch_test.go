//go:build linux && acceptance

package acctest

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// A watch looks at the kernel's bans of one machine until the test ends.
type watch struct {
	m machine

	mu    sync.Mutex
	first map[string]time.Time // of JAIL ADDRESS
	now   map[string]bool      // what the last look saw
}

// watchEvery is how far the seconds to a ban may be off.
const watchEvery = 100 * time.Millisecond

func (m machine) watchBans(t *testing.T) *watch {
	w := &watch{m: m, first: map[string]time.Time{}, now: map[string]bool{}}
	ctx, cancel := context.WithCancel(shop.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			w.look(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(watchEvery):
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

const listBans = `for jail in freeswitch freeswitch-refused freeswitch-scanner recidive; do for v in v4 v6; do echo "jail $jail"; nft list set inet fs_harden ban_${jail}_$v; done; done`

func (w *watch) look(ctx context.Context) {
	out, err := w.m.Exec(ctx, "sh", "-c", listBans)
	if err != nil {
		return // it boots, or the test has ended
	}
	at, now := time.Now(), map[string]bool{}
	for part := range strings.SplitSeq(out, "jail ") {
		jail, listing, _ := strings.Cut(part, "\n")
		for _, found := range element.FindAllStringSubmatch(listing, -1) {
			now[jail+" "+found[1]] = true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = now
	for ban := range now {
		if _, seen := w.first[ban]; !seen {
			w.first[ban] = at
		}
	}
}

func (w *watch) banned(jail, address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now[jail+" "+address]
}

// ever tells when a jail first banned an address.
func (w *watch) ever(jail, address string) (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, ok := w.first[jail+" "+address]
	return at, ok
}

// until waits until a ban stands, or stands no longer.
func (w *watch) until(stands bool, jail, address string) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(watchEvery) {
		if w.banned(jail, address) == stands {
			return true
		}
	}
	return false
}

// sawIn reports whether one of the kernel's limits for strangers has counted packets
// of a source within the last hour.
func (m machine) sawIn(t *testing.T, limit string, source netip.Addr) bool {
	t.Helper()
	version := "v4"
	if source.Is6() {
		version = "v6"
		source = netip.PrefixFrom(source, 64).Masked().Addr()
	}
	out, err := m.Exec(shop.ctx, "nft", "list", "set", "inet", "fs_harden", limit+"_"+version)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(strings.ReplaceAll(out, "\t", " "), " "+source.String()+" limit ")
}
