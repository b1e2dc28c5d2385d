//go:build linux && acceptance

package acctest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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

const listBans = `for jail in freeswitch recidive; do for v in v4 v6; do echo "jail $jail"; nft list set inet fs_harden ban_${jail}_$v; done; done`

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

var counterPackets = regexp.MustCompile(`packets (\d+)`)

// limited is what the kernel's limit of a method has dropped so far.
func (m machine) limited(t *testing.T, method string) int {
	t.Helper()
	out, err := m.Exec(shop.ctx, "nft", "list", "counter", "inet", "fs_harden", "limited_"+strings.ToLower(method))
	if err != nil {
		t.Fatal(err)
	}
	found := counterPackets.FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("no packets in %q", out)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A limit is what docs/limits.md promises of a method: so many a second, and so
// many at once.
type limit struct{ rate, burst int }

// most is how many packets may pass in that time.
func (l limit) most(d time.Duration) int { return l.burst + int(d.Seconds()*float64(l.rate)) + 1 }

var limitRow = regexp.MustCompile(`(?m)^\| ([A-Z]+|new TCP connections) \| (\d+) \| (\d+) \|`)

// documentedLimits reads them from the page that people read.
func documentedLimits(t *testing.T) map[string]limit {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(shop.Project, "docs", "limits.md"))
	if err != nil {
		t.Fatal(err)
	}
	limits := map[string]limit{}
	for _, row := range limitRow.FindAllStringSubmatch(string(page), -1) {
		var l limit
		if _, err := fmt.Sscan(row[2]+" "+row[3], &l.rate, &l.burst); err != nil {
			t.Fatal(err)
		}
		limits[strings.Replace(row[1], "new TCP connections", "connect", 1)] = l
	}
	for _, method := range []string{"INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE", "connect"} {
		if limits[method].burst == 0 {
			t.Fatalf("docs/limits.md does not tell the limit of %s", method)
		}
	}
	return limits
}
