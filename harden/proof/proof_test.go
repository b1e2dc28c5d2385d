package proof

import (
	"net/netip"
	"os"
	"strings"
	"testing"
)

// testdata/bans is what nft 1.0.6 and iptables 1.8.9 printed of our table and
// of fail2ban's chain, with one address of each family banned.
func banListing(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestABanInTheTable(t *testing.T) {
	t.Parallel()
	listing := banListing(t, "nftables.json")
	for name, c := range map[string]struct {
		address string
		edit    [2]string
		set     string
		packets int
		err     string
	}{
		"IPv4":            {address: "192.0.2.77", set: "ban_freeswitch_v4"},
		"IPv6":            {address: "2001:db8:fade::77", set: "ban_freeswitch_v6"},
		"counted":         {address: "192.0.2.77", edit: [2]string{`"packets": 0`, `"packets": 7`}, set: "ban_freeswitch_v4", packets: 7},
		"somebody else":   {address: "192.0.2.78", err: "no rule of the table"},
		"not hooked":      {address: "192.0.2.77", edit: [2]string{`"hook": "input"`, `"hook": "output"`}, err: "no packet reaches"},
		"not dropped":     {address: "192.0.2.77", edit: [2]string{`"drop": null`, `"accept": null`}, err: "no rule of the table"},
		"only counted":    {address: "192.0.2.77", edit: [2]string{`{"drop": null}`, `{"counter": {"packets": 0, "bytes": 0}}`}, err: "no rule of the table"},
		"another field":   {address: "192.0.2.77", edit: [2]string{`"field": "saddr"`, `"field": "daddr"`}, err: "no rule of the table"},
		"for TCP alone":   {address: "192.0.2.77", edit: [2]string{`"expr": [`, `"expr": [{"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}}, `}, err: "no rule of the table"},
		"not what nft is": {address: "192.0.2.77", edit: [2]string{`{"nftables"`, `"nftables"`}, err: "reading what nft prints"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := listing
			if c.edit[0] != "" {
				if text = strings.ReplaceAll(listing, c.edit[0], c.edit[1]); text == listing {
					t.Fatalf("the listing does not hold %q", c.edit[0])
				}
			}
			got, err := banInTable([]byte(text), netip.MustParseAddr(c.address))
			checkFound(t, got, err, c.set, c.packets, c.err)
		})
	}
}

func checkFound(t *testing.T, got banRule, err error, where string, packets int, want string) {
	t.Helper()
	switch {
	case want != "":
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	case err != nil:
		t.Error(err)
	case !strings.Contains(got.where, where) || got.packets != packets:
		t.Errorf("got %+v, want %s with %d packets", got, where, packets)
	}
}

func TestABanInChains(t *testing.T) {
	t.Parallel()
	listing := banListing(t, "iptables.txt")
	const jump = "-A INPUT -j f2b-freeswitch"
	for name, c := range map[string]struct {
		address string
		edit    [2]string
		packets int
		err     string
	}{
		"as it stands":     {address: "192.0.2.77"},
		"counted":          {address: "192.0.2.77", edit: [2]string{"[0:0] -A f2b-freeswitch -s", "[3:99] -A f2b-freeswitch -s"}, packets: 3},
		"rejected":         {address: "192.0.2.77", edit: [2]string{"-j DROP", "-j REJECT --reject-with icmp-port-unreachable"}},
		"somebody else":    {address: "192.0.2.7", err: "no rule drops"},
		"nobody leads":     {address: "192.0.2.77", edit: [2]string{jump, "-A FORWARD -j f2b-freeswitch"}, err: "INPUT does not lead"},
		"TCP alone leads":  {address: "192.0.2.77", edit: [2]string{jump, "-A INPUT -p tcp -j f2b-freeswitch"}, err: "INPUT does not lead"},
		"TCP alone drops":  {address: "192.0.2.77", edit: [2]string{"-j DROP", "-p tcp -j DROP"}, err: "no rule drops"},
		"lo alone drops":   {address: "192.0.2.77", edit: [2]string{"! -i lo", "-i lo"}, err: "no rule drops"},
		"lo drops as well": {address: "192.0.2.77", edit: [2]string{" ! -i lo", ""}},
		"let in by itself": {address: "192.0.2.77", edit: [2]string{"-j DROP", "-j RETURN"}, err: "no rule drops"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := listing
			if c.edit[0] != "" {
				if text = strings.ReplaceAll(listing, c.edit[0], c.edit[1]); text == listing {
					t.Fatalf("the listing does not hold %q", c.edit[0])
				}
			}
			got, err := banInChains(text, netip.MustParseAddr(c.address))
			checkFound(t, got, err, "f2b-freeswitch", c.packets, c.err)
		})
	}
}

func TestRoutedNetworks(t *testing.T) {
	t.Parallel()
	got, err := routedNetworks([]byte(`[{"dst":"default","gateway":"198.18.0.1","dev":"eth0"},{"dst":"0.0.0.0/0"},
		{"dst":"192.0.2.0/24","dev":"eth0"},{"type":"local","dst":"198.51.100.7","dev":"eth0"},
		{"type":"unreachable","dst":"203.0.113.0/24"},{"dst":"fe80::/64"}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := "192.0.2.0/24 198.51.100.7/32 fe80::/64"
	var words []string
	for _, p := range got {
		words = append(words, p.String())
	}
	if s := strings.Join(words, " "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
}

func TestTheFilterIsJudgedByTheLog(t *testing.T) {
	t.Parallel()
	attack, err := os.ReadFile("../../../shared/data/freeswitch-1.10.12-attack.log")
	if err != nil {
		t.Fatal(err)
	}
	const none = "Lines: 9 lines, 0 ignored, 0 matched, 9 missed\n"
	for name, c := range map[string]struct{ log, out, want, err string }{
		"it finds them":       {log: string(attack), out: "Results\n\nLines: 400 lines, 0 ignored, 154 matched, 246 missed\n[processed in 0.1 sec]\n", want: "154 of the last 400 lines of LOG match; 154 of those tell of a refused user"},
		"it finds none":       {log: string(attack), out: none, err: "holds 154 failures"},
		"a quiet log":         {log: "2026-11-22 21:56:07.211706 49.80% [WARNING] sofia_reg.c:1 hello\n", out: none, want: "0 of the last 9 lines of LOG match; 0 of"},
		"forged by a header":  {log: " 2026-11-22 21:56:07.211706 [WARNING] sofia_reg.c:1842 SIP auth challenge (REGISTER)\n", out: none, want: "0 of the last 9"},
		"an old FreeSWITCH":   {log: "2026-11-22 21:56:07.211706 [WARNING] sofia_reg.c:1842 SIP auth challenge (REGISTER)\n", out: none, err: "holds 1 failures"},
		"fail2ban-regex dies": {log: string(attack), out: "usage:", err: "does not say"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := judge("LOG", []byte(c.log), []byte(c.out))
			switch {
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want one with %q", err, c.err)
				}
			case err != nil:
				t.Error(err)
			case !strings.HasPrefix(got, c.want):
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A rule may count by itself, as nft prints it without a named counter.
func TestAnOwnCounter(t *testing.T) {
	t.Parallel()
	listing := strings.Replace(banListing(t, "nftables.json"), `"counter": "ban_freeswitch_v4"`, `"counter": {"packets": 5, "bytes": 99}`, 1)
	got, err := banInTable([]byte(listing), netip.MustParseAddr("192.0.2.77"))
	checkFound(t, got, err, "ban_freeswitch_v4", 5, "")
}
