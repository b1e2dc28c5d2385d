//go:build linux

package fail2ban

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/netns"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/listen"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/nft"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// BenchmarkRestore is from "fail2ban-client start" to the kernel holding 5,000
// bans that a real fail2ban remembers, half of them IPv6: with our action and
// with the package's. Ours is to take at most 2 s.
func BenchmarkRestore(b *testing.B) {
	const bans = 5000
	action, err := Action()
	if err != nil {
		b.Fatal(err)
	}
	rules, err := nft.Ruleset(plan.Default(), listen.Ports{SIP: []uint16{5060}})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name, action, table string
		sets                []string
		poll                time.Duration
	}{
		{"fs-harden", "fs-harden.py", "fs_harden", []string{"ban_freeswitch_v4", "ban_freeswitch_v6"}, 50 * time.Millisecond},
		{"stock-nftables", `nftables[type=allports, protocol="tcp,udp", blocktype=drop]`, "f2b-table", []string{"addr-set-freeswitch", "addr6-set-freeswitch"}, time.Second},
	} {
		b.Run(c.name, func(b *testing.B) {
			if os.Geteuid() != 0 || !netns.HaveFail2ban() {
				b.Skip("skipped: it needs root, fail2ban and nft")
			}
			var seconds float64
			runs := 0
			for b.Loop() {
				ns, err := netns.New()
				if err != nil {
					b.Fatal(err)
				}
				defer ns.Close()
				if _, err := ns.Run(rules, "nft", "-f", "-"); err != nil {
					b.Fatal(err)
				}
				f, err := netns.NewFail2ban(ns, b.TempDir(), c.action, map[string]string{"fs-harden.py": action.Text})
				if err != nil {
					b.Fatal(err)
				}
				if err := f.Remember(bans); err != nil {
					b.Fatal(err, f.Log())
				}
				start := time.Now()
				if _, err := f.Client("start"); err != nil {
					b.Fatal(err, f.Log())
				}
				for members(ns, c.table, c.sets) < bans {
					if time.Since(start) > 5*time.Minute {
						b.Fatal("not restored in 5 minutes")
					}
					time.Sleep(c.poll)
				}
				seconds += time.Since(start).Seconds()
				runs++
				if err := f.Stop(); err != nil {
					b.Error(err)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(seconds/float64(runs), "s/5000-bans")
		})
	}
}

// members counts what is in sets; a set that is not there is empty.
func members(ns *netns.NS, table string, sets []string) int {
	n := 0
	for _, set := range sets {
		out, err := ns.Run("", "nft", "-j", "list", "set", "inet", table, set)
		if err != nil {
			continue
		}
		var doc struct {
			Nftables []struct{ Set struct{ Elem []any } }
		}
		if json.Unmarshal([]byte(out), &doc) == nil {
			for _, o := range doc.Nftables {
				n += len(o.Set.Elem)
			}
		}
	}
	return n
}
