//go:build linux

package nft

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/netns"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// netfilter is a network namespace to measure in.
func netfilter(b *testing.B) *netns.NS {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("skipped: a network namespace of its own needs root")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		b.Skip("skipped: nft is not installed (package nftables)")
	}
	ns, err := netns.New()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ns.Close() })
	return ns
}

func loadRules(b *testing.B, ns *netns.NS) {
	b.Helper()
	if _, err := ns.Run(mustRuleset(b, plan.Default(), vanillaPorts), "nft", "-f", "-"); err != nil {
		b.Fatal(err)
	}
}

const manyBans = 10000

// banned are addresses that send nothing here.
func banned(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("198.18.%d.%d", i/250, i%250+1)
	}
	return out
}

// BenchmarkPacket is the cost of sending and receiving one packet of media's
// size over a cable between two namespaces (what comes by lo is not looked up
// among the bans): without our table, with it and no ban, with 10,000 bans,
// and with 10,000 bans as rules of iptables. The ratio is to stay below 1.25.
// The least of many rounds counts, in turn, for this machine does other things.
func BenchmarkPacket(b *testing.B) {
	cases := []struct {
		name    string
		packets int
		setup   func(ns *netns.NS) error
	}{
		{"no-table", 4000, func(*netns.NS) error { return nil }},
		{"no-bans", 4000, func(ns *netns.NS) error { loadRules(b, ns); return nil }},
		{"nft-10000", 4000, func(ns *netns.NS) error {
			loadRules(b, ns)
			_, err := ns.Run("add element inet fs_harden ban_freeswitch_v4 { "+strings.Join(banned(manyBans), " timeout 1d, ")+" timeout 1d }", "nft", "-f", "-")
			return err
		}},
		{"iptables-10000", 300, func(ns *netns.NS) error {
			if _, err := exec.LookPath("iptables-restore"); err != nil {
				b.Skip("skipped: iptables is not installed")
			}
			rules := "*filter\n-A INPUT -s " + strings.Join(banned(manyBans), " -j DROP\n-A INPUT -s ") + " -j DROP\nCOMMIT\n"
			_, err := ns.Run(rules, "iptables-restore")
			return err
		}},
	}
	pairs, least := make([]pair, len(cases)), make([]float64, len(cases))
	for i, c := range cases {
		server, client := netfilter(b), netfilter(b)
		if err := netns.Link(server, client, []string{"10.77.0.2/24"}, []string{"10.77.0.11/24"}); err != nil {
			b.Fatal(err)
		}
		if err := c.setup(server); err != nil {
			b.Fatal(err)
		}
		var err error
		if pairs[i], err = newPair(server, client); err != nil {
			b.Fatal(err)
		}
		defer pairs[i].close()
		least[i] = math.Inf(1)
	}
	for b.Loop() {
		for range 60 {
			for i, c := range cases {
				cost, err := pairs[i].cost(c.packets)
				if err != nil {
					b.Fatal(err)
				}
				least[i] = min(least[i], cost)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, c := range cases {
		b.ReportMetric(least[i], c.name+"-ns/packet")
	}
	b.ReportMetric(least[2]/least[1], "nft-ratio")
	b.ReportMetric(least[3]/least[0], "iptables-ratio")
}

// pair are two UDP sockets that are connected over a cable.
type pair struct{ out, in int }

func newPair(server, client *netns.NS) (p pair, err error) {
	address := &unix.SockaddrInet4{Addr: [4]byte{10, 77, 0, 2}, Port: 16384}
	if err := server.Do(func() error {
		if p.in, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); err != nil {
			return err
		}
		return unix.Bind(p.in, address)
	}); err != nil {
		return p, err
	}
	err = client.Do(func() error {
		if p.out, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); err != nil {
			return err
		}
		return unix.Connect(p.out, address)
	})
	return p, err
}

func (p pair) close() { _, _ = unix.Close(p.in), unix.Close(p.out) }

// cost is nanoseconds a packet.
func (p pair) cost(packets int) (float64, error) {
	media := make([]byte, 172) // 20 ms of G.711 with its RTP header
	start := time.Now()
	for range packets {
		if _, err := unix.Write(p.out, media); err != nil {
			return 0, err
		}
		if _, err := unix.Read(p.in, media); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(start).Nanoseconds()) / float64(packets), nil
}

// BenchmarkLimits is how many of 1,000 packets of one source, sent at once,
// reach FreeSWITCH's port.
func BenchmarkLimits(b *testing.B) {
	server, attacker := netfilter(b), netfilter(b)
	if err := netns.Link(server, attacker, []string{"10.77.0.2/24"}, []string{"10.77.0.11/24"}); err != nil {
		b.Fatal(err)
	}
	loadRules(b, server)
	for _, method := range []string{"INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE", "ACK", "BYE", "CANCEL"} {
		b.Run(method, func(b *testing.B) {
			passed := -1
			for b.Loop() {
				n, err := netns.Flood(attacker, server, "10.77.0.11", "10.77.0.2:5060", method+" sip:1000@10.77.0.2 SIP/2.0\r\n", 1000)
				if err != nil {
					b.Fatal(err)
				}
				if passed < 0 {
					passed = n // later rounds meet an emptied bucket
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(passed), "passed/1000")
		})
	}
}
