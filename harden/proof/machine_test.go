package proof

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// kernel stands in for fail2ban, the kernel and FreeSWITCH of one machine. It does
// what they do, counts what comes in from the banned, and can be told to lie.
type kernel struct {
	mu sync.Mutex

	banned  bool
	packets int      // what the rule has counted
	ran     []string // every command, in order
	arrived int      // packets in all
	served  bool     // one of the banned has come

	silent       bool // FreeSWITCH does not answer
	countsNot    bool // the rule never counts: something lets the packets in before
	answersAll   bool // FreeSWITCH answers the banned as well
	answersOne   bool // or the first of their packets
	lags         int  // so many listings show the count of before
	forgets      bool // fail2ban takes the ban and the kernel never has it
	outlasts     int  // so many listings without the ban at first
	breaks       string
	breaksOnWord int // the listing fails from this one on; 0: never
	listings     int
}

var errBroken = errors.New("exit status 255")

// Run implements host.Runner.
func (k *kernel) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	command := strings.Join(append([]string{name[strings.LastIndexByte(name, '/')+1:]}, args...), " ")
	k.ran = append(k.ran, command)
	if k.breaks != "" && strings.Contains(command, k.breaks) {
		return nil, errBroken
	}
	switch {
	case strings.Contains(command, " banip "):
		k.banned = true
	case strings.Contains(command, " unbanip "):
		k.banned = false
	case strings.HasPrefix(command, "nft "):
		k.listings++
		if k.breaksOnWord > 0 && k.listings >= k.breaksOnWord {
			return nil, errBroken
		}
		return []byte(k.table()), nil
	case strings.HasSuffix(command, "tables-save -c -t filter"):
		return []byte(k.chains()), nil
	default:
		return nil, fmt.Errorf("%s: not known here", command)
	}
	return nil, nil
}

func (k *kernel) holds() bool {
	return k.banned && !k.forgets && k.listings > k.outlasts
}

// table is what nft lists, with the least that a ban is made of.
func (k *kernel) table() string {
	elements := ""
	if k.holds() {
		elements = `{"elem": {"val": "127.0.0.1", "timeout": 86400}}`
	}
	return fmt.Sprintf(`{"nftables": [{"chain": {"name": "bans", "hook": "input"}},
		{"set": {"name": "ban_freeswitch_v4", "elem": [%s]}}, {"counter": {"name": "c", "packets": %d}},
		{"rule": {"chain": "bans", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@ban_freeswitch_v4"}}, {"counter": "c"}, {"drop": null}]}}]}`,
		elements, map[bool]int{true: k.packets}[k.listings > k.lags])
}

func (k *kernel) chains() string {
	return fmt.Sprintf("*filter\n:INPUT ACCEPT [0:0]\n[9:9] -A INPUT -j f2b-freeswitch\n[%d:99] -A f2b-freeswitch -s 127.0.0.1/32 -j DROP\nCOMMIT\n", k.packets)
}

// serve is FreeSWITCH behind that kernel.
func (k *kernel) serve(conn *net.UDPConn) {
	b := make([]byte, 2048)
	for {
		_, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		k.mu.Lock()
		k.arrived++
		first := k.banned && !k.served
		k.served = k.served || k.banned
		if k.banned && !k.countsNot {
			k.packets++
		}
		answers := !k.silent && (!k.banned || k.answersAll || k.answersOne && first)
		k.mu.Unlock()
		if answers {
			_, _ = conn.WriteToUDPAddrPort([]byte("SIP/2.0 200 OK\r\n\r\n"), from)
		}
	}
}

func (k *kernel) host(t *testing.T) *host.Host {
	t.Helper()
	h, err := host.Open("/", k) // no test here reads or writes a file through it
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// end is a way to it, over loopback instead of a namespace.
func (k *kernel) end(t *testing.T) *end {
	t.Helper()
	server, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	go k.serve(server)
	to := addrPort(server.LocalAddr())
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), conn.Close()); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return &end{near: netip.MustParseAddr("127.0.0.2"), far: netip.MustParseAddr("127.0.0.1"), target: to, conn: conn}
}

func TestABanIsProven(t *testing.T) {
	t.Parallel()
	const lifted = "fail2ban-client set freeswitch unbanip 127.0.0.1"
	for name, tt := range map[string]struct {
		kernel  *kernel
		chains  bool
		spoil   func(*end)
		want    string // what is seen
		err     string
		notSent bool // and so nothing is to be lifted
	}{
		"in force":                            {want: "127.0.0.1 was banned by the set ban_freeswitch_v4 of the table inet fs_harden, which counted 3 of its packets"},
		"in force, seen to have worked":       {want: ", and had answered before the ban"},
		"in force in chains":                  {chains: true, want: "the chain f2b-freeswitch, which counted 3 of its packets"},
		"nobody answers anyway":               {kernel: &kernel{silent: true}, want: "(nor before the ban: the firewall, or nothing listens)"},
		"it takes fail2ban a moment":          {kernel: &kernel{outlasts: 3}, want: "which counted 3"},
		"it had counted before":               {kernel: &kernel{packets: 40}, want: "which counted 3 of its packets"},
		"not counted":                         {kernel: &kernel{countsNot: true}, err: "a packet from it is not counted there"},
		"not counted, as before":              {kernel: &kernel{countsNot: true, packets: 40}, err: "a packet from it is not counted there"},
		"not counted and answered":            {kernel: &kernel{countsNot: true, answersAll: true}, err: "not counted there: something lets it in before"},
		"counted and answered":                {kernel: &kernel{answersAll: true}, err: "still got an answer from 127.0.0.1:"},
		"counted late, and answered at first": {kernel: &kernel{answersOne: true, lags: 5}, err: "still got an answer from 127.0.0.1:"},
		"never in the kernel":                 {kernel: &kernel{forgets: true}, err: "the kernel does not enforce it"},
		"fail2ban refuses":                    {kernel: &kernel{breaks: " banip "}, err: "placing the test ban: exit status 255"},
		"it cannot be lifted":                 {kernel: &kernel{breaks: " unbanip "}, err: "lifting the test ban of 127.0.0.1: exit status 255; do it by hand"},
		"nft dies in the middle":              {kernel: &kernel{breaksOnWord: 2}, err: "exit status 255"},
		"no way out":                          {spoil: func(e *end) { e.err = errBroken }, err: "setting up the network to send from: exit status 255", notSent: true},
		"nothing can be sent":                 {spoil: func(e *end) { _ = e.conn.Close() }, err: "sending a packet from 127.0.0.1", notSent: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := cmp.Or(tt.kernel, &kernel{})
			e := k.end(t)
			if tt.spoil != nil {
				tt.spoil(e)
			}
			ctx := t.Context()
			if k.forgets {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 300*time.Millisecond)
				defer cancel()
			}
			seen, err := proveBan(ctx, Machine{Host: k.host(t), Table: !tt.chains}, e)
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want one with %q", err, tt.err)
				}
			case err != nil:
				t.Error(err)
			case !strings.Contains(seen, tt.want):
				t.Errorf("seen %q, want %q", seen, tt.want)
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			if last := k.ran[max(len(k.ran)-1, 0):]; tt.notSent != (len(k.ran) == 0) || !tt.notSent && last[0] != lifted {
				t.Errorf("ran %q, want the ban lifted at last: %v", k.ran, !tt.notSent)
			}
			if status, detail := judged(seen, err); (status == "pass") != (err == nil) || detail == "" {
				t.Errorf("the check says %s, %s", status, detail)
			}
		})
	}
}

// A ban is looked for in the family of its address, and where the action puts it.
func TestWhereABanIsLookedFor(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		table   bool
		address string
	}{
		"nft -j list table inet fs_harden": {true, "192.0.2.1"},
		"iptables-save -c -t filter":       {false, "192.0.2.1"},
		"ip6tables-save -c -t filter":      {false, "2001:db8::1"},
	} {
		k := &kernel{}
		_, err := findBan(t.Context(), Machine{Host: k.host(t), Table: c.table}, netip.MustParseAddr(c.address))
		if err == nil || !slices.Equal(k.ran, []string{want}) {
			t.Errorf("ran %q, %v; want %s", k.ran, err, want)
		}
		k = &kernel{breaks: want}
		if _, err := findBan(t.Context(), Machine{Host: k.host(t), Table: c.table}, netip.MustParseAddr(c.address)); !errors.Is(err, errBroken) {
			t.Errorf("%s fails, and so must this: %v", want, err)
		}
	}
}

// answers is a machine whose commands have an answer each.
type answers map[string]string

func (a answers) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	command := strings.Join(append([]string{name}, args...), " ")
	out, ok := a[command]
	if !ok {
		return nil, fmt.Errorf("%s: %w", command, errBroken)
	}
	a["ran "+command] = ""
	return []byte(out), nil
}

func (a answers) host(t *testing.T) *host.Host {
	t.Helper()
	h, err := host.Open("/", a)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// status is what fail2ban-client 1.0.2 says of a jail.
func status(banned string) string {
	return "Status for the jail: freeswitch\n|- Filter\n|  |- Currently failed:\t0\n|  |- Total failed:\t2\n|  `- File list:\t/var/log/freeswitch/fs-harden-auth.log\n`- Actions\n   |- Currently banned:\t1\n   |- Total banned:\t1\n   `- Banned IP list:\t" + banned + "\n"
}

// What a killed proof left is lifted, in both jails, and nobody else is let go.
func TestWhatAKilledProofLeftIsLifted(t *testing.T) {
	t.Parallel()
	const (
		of     = "fail2ban-client status "
		unban  = "fail2ban-client set freeswitch unbanip 192.0.2.77"
		unban6 = "fail2ban-client set recidive unbanip 2001:db8:fade::7"
		others = "fail2ban-client set freeswitch unbanip 45.9.148.1"
	)
	a := answers{of + "freeswitch": status("45.9.148.1 192.0.2.77"), of + "recidive": status("2001:db8:fade::7 2001:db8::1"), unban: "1", unban6: "1", others: "1"}
	if err := sweep(t.Context(), a.host(t)); err != nil {
		t.Fatal(err)
	}
	for command, want := range map[string]bool{unban: true, unban6: true, others: false} {
		if _, ran := a["ran "+command]; ran != want {
			t.Errorf("%s: %v, want %v", command, ran, want)
		}
	}
	for name, c := range map[string]struct {
		a    answers
		want string
	}{
		"no jail":              {answers{of + "recidive": status("")}, "the jail freeswitch does not run"},
		"no jail for the rest": {answers{of + "freeswitch": status("")}, "the jail recidive does not run"},
		"it stays banned":      {answers{of + "freeswitch": status("192.0.2.77"), of + "recidive": status("")}, "lifting the test ban of 192.0.2.77"},
	} {
		if err := sweep(t.Context(), c.a.host(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const (
	routes4 = "ip -j -4 route show table all"
	routes6 = "ip -j -6 route show table all"
)

// The address to ban is nobody's: not this machine's, not one it routes to, and
// nobody's whom the jails would never ban.
func TestTheAddressToBan(t *testing.T) {
	t.Parallel()
	prefixes := func(list ...string) (out []netip.Prefix) {
		for _, s := range list {
			out = append(out, netip.MustParsePrefix(s))
		}
		return out
	}
	for name, tt := range map[string]struct {
		trusted []netip.Prefix
		route   string
		six     bool
		in      string // the range that is left; empty: none
	}{
		"trusted are two":         {trusted: prefixes("192.0.2.7/32", "203.0.113.0/24"), in: "198.51.100.0/24"},
		"trusted, and routed":     {trusted: prefixes("192.0.2.0/24"), route: `[{"dst":"198.51.100.7"}]`, in: "203.0.113.0/24"},
		"all of them routed":      {route: `[{"dst":"192.0.2.1"},{"dst":"198.51.100.0/25"},{"dst":"203.0.112.0/20"}]`},
		"all of them trusted":     {trusted: prefixes("192.0.0.0/8", "198.51.100.0/24", "203.0.113.0/24")},
		"IPv6":                    {six: true, in: "2001:db8:fade::/48"},
		"IPv6, trusted":           {six: true, trusted: prefixes("2001:db8::/32")},
		"IPv6, routed":            {six: true, route: `[{"dst":"2001:db8:fade::/64"}]`},
		"refused is nobody's use": {trusted: prefixes("192.0.2.0/24", "203.0.113.0/24"), route: `[{"type":"blackhole","dst":"198.51.100.0/24"}]`, in: "198.51.100.0/24"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := answers{routes4: "[]", routes6: ""}
			if tt.route != "" && tt.six {
				a[routes6] = tt.route
			} else if tt.route != "" {
				a[routes4] = tt.route
			}
			m := Machine{Host: a.host(t), Trusted: tt.trusted}
			seen, sources := map[netip.Addr]bool{}, map[netip.Prefix]bool{}
			for range 50 { // it is drawn
				near, far, err := pairOf(t.Context(), m, tt.six)
				if tt.in == "" {
					if !errors.Is(err, errNoRange) {
						t.Fatalf("%s and %s, %v", near, far, err)
					}
					continue
				}
				p := netip.MustParsePrefix(tt.in)
				if err != nil || !p.Contains(near) || !p.Contains(far) || far != near.Next() || !isProof(far) || near == p.Addr() {
					t.Fatalf("%s and %s, %v; want two neighbours in %s", near, far, err, p)
				}
				seen[far] = true
				source, _ := far.Prefix(64)
				sources[source] = true
			}
			if tt.six && tt.in != "" && len(sources) < 5 {
				t.Errorf("for the kernel's limits always the same source: %v", sources)
			}
			if tt.in != "" && len(seen) < 5 {
				t.Errorf("always the same: %v", seen)
			}
		})
	}
}

func TestRoutesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]answers{"no IPv4": {routes6: "[]"}, "no IPv6": {routes4: "[]"}, "words": {routes4: "what?", routes6: "[]"}} {
		c := plannedCheck(t, Machine{Host: a.host(t)})
		if c.Status != "fail" || c.Detail == "" {
			t.Errorf("%s: %+v", name, c)
		}
	}
	a := answers{routes4: `[{"dst":"192.0.2.1"},{"dst":"198.51.100.1"},{"dst":"203.0.113.1"}]`, routes6: "[]"}
	if c := plannedCheck(t, Machine{Host: a.host(t)}); c.Status != "skipped" || !strings.Contains(c.Detail, "every documentation range") {
		t.Errorf("%+v", c)
	}
}
