package plan_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// blocks are n neighbouring IPv4 networks of /8, from the one given on.
func blocks(first, n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("%d.0.0.0/8", first+i))
	}
	return out
}

// halves is a network of half of the one given, and so on: together they are all of
// it but for one address.
func halves(s string) []string {
	var out []string
	for p := netip.MustParsePrefix(s); p.Bits() < p.Addr().BitLen(); {
		p = netip.PrefixFrom(p.Addr(), p.Bits()+1)
		beyond := p.Addr().AsSlice()
		beyond[(p.Bits()-1)/8] |= 1 << (7 - (p.Bits()-1)%8)
		other, _ := netip.AddrFromSlice(beyond)
		out = append(out, netip.PrefixFrom(other, p.Bits()).String())
	}
	return out
}

// A list so wide that it is none opens SIP and trusts nobody.
func TestWhoMayCallAndWhoIsTrusted(t *testing.T) {
	t.Parallel()
	const world4, world6 = "0.0.0.0/0", "::/0"
	for name, tt := range map[string]struct {
		allow, ignore []string
		sip           string // who may speak SIP
		trusted       string // besides this machine
	}{
		"no list":                {nil, nil, world4 + " " + world6, ""},
		"no list, an office":     {nil, []string{"192.0.2.7", "2001:db8::/48"}, world4 + " " + world6, "192.0.2.7/32 2001:db8::/48"},
		"carriers":               {[]string{"203.0.113.0/24", "2001:db8::/32"}, []string{"192.0.2.7"}, "203.0.113.0/24 2001:db8::/32", "192.0.2.7/32 203.0.113.0/24 2001:db8::/32"},
		"IPv4 alone shuts IPv6":  {[]string{"203.0.113.0/24"}, nil, "203.0.113.0/24", "203.0.113.0/24"},
		"everybody":              {[]string{world4, world6}, nil, world4 + " " + world6, ""},
		"everybody of IPv4":      {[]string{world4}, nil, world4, ""},
		"everybody of IPv6":      {[]string{world6}, nil, world6, ""},
		"everybody and carriers": {[]string{"203.0.113.0/24", world4}, nil, world4, ""},
		"everybody of IPv4, a narrow list of IPv6": {[]string{world4, "2001:db8::/32"}, nil, world4 + " 2001:db8::/32", "2001:db8::/32"},
		"a narrow list of IPv4, everybody of IPv6": {[]string{"203.0.113.0/24", world6}, nil, "203.0.113.0/24 " + world6, "203.0.113.0/24"},
		"everybody, and trusted carriers":          {[]string{world4, world6}, []string{"203.0.113.0/24"}, world4 + " " + world6, "203.0.113.0/24"},
		"two halves":                               {[]string{"0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"}, nil, world4 + " " + world6, ""},
		"a /7":                                     {[]string{"64.0.0.0/7"}, nil, world4, ""},
		"a /8":                                     {[]string{"64.0.0.0/8"}, nil, "64.0.0.0/8", "64.0.0.0/8"},
		"every /8":                                 {blocks(0, 256), nil, world4, ""},
		"two /8":                                   {blocks(64, 2), nil, world4, ""},
		"a /8 twice, and parts of it":              {[]string{"64.0.0.0/8", "64.0.0.0/8", "64.0.0.0/9", "64.128.0.0/9"}, nil, "64.0.0.0/8", "64.0.0.0/8"},
		"a /7 in many parts":                       {append(halves("64.0.0.0/8"), "65.0.0.0/8", "64.0.0.0"), nil, world4, ""},
		"private networks": {
			[]string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"}, nil,
			"10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7",
		},
		"a private network and a /8":         {[]string{"10.0.0.0/8", "11.0.0.0/8"}, nil, "10.0.0.0/8 11.0.0.0/8", "10.0.0.0/8 11.0.0.0/8"},
		"more than the private network":      {[]string{"10.0.0.0/7"}, nil, world4, ""},
		"multicast and what is reserved":     {[]string{"224.0.0.0/3"}, nil, world4, ""},
		"a registry's IPv6":                  {[]string{"2a00::/12"}, nil, world6, ""},
		"all IPv6 that is given out":         {[]string{"2000::/3"}, nil, world6, ""},
		"what is less than a registry":       {[]string{"2a00::/13"}, nil, "2a00::/13", "2a00::/13"},
		"a registry's IPv6 in halves":        {[]string{"2a00::/13", "2a08::/13"}, nil, world6, ""},
		"link-local, and not all that looks": {[]string{"fe80::/10", "8000::/2"}, nil, world6, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := plan.Default()
			p.SIPAllowFrom, p.Fail2ban.IgnoreIP = tt.allow, tt.ignore
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			s := p.Sources()
			if got := text(s.SIP); got != tt.sip {
				t.Errorf("%s may speak SIP, want %s", got, tt.sip)
			}
			if got, want := text(s.Trusted), strings.TrimSpace("127.0.0.0/8 ::1/128 "+tt.trusted); got != want {
				t.Errorf("trusted are %s, want %s", got, want)
			}
			var open []string
			if slices.Contains(strings.Fields(tt.sip), world4) {
				open = append(open, "IPv4")
			}
			if slices.Contains(strings.Fields(tt.sip), world6) {
				open = append(open, "IPv6")
			}
			if got := s.OpenTo(); !slices.Equal(got, open) {
				t.Errorf("open to %q, want %q", got, open)
			}
		})
	}
}

func text(list []netip.Prefix) string {
	var words []string
	for _, p := range list {
		words = append(words, p.String())
	}
	return strings.Join(words, " ")
}

// What nft refuses is in no list: a network in another, or twice.
func TestNoTrustedNetworkLiesInAnother(t *testing.T) {
	t.Parallel()
	p := plan.Default()
	p.SIPAllowFrom = []string{"198.51.100.0/25", "127.0.0.1", "::1", "192.0.2.1"}
	p.Fail2ban.IgnoreIP = []string{"198.51.100.7", "198.51.100.0/24", "192.0.2.1/32"}
	if got, want := text(p.Sources().Trusted), "127.0.0.0/8 ::1/128 198.51.100.0/24 192.0.2.1/32"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheWorldIsNotIgnored(t *testing.T) {
	t.Parallel()
	for _, list := range [][]string{
		{"0.0.0.0/0"}, {"::/0"}, {"0.0.0.0/1", "128.0.0.0/1"}, {"64.0.0.0/7"}, {"2000::/3"}, {"2400::/12"}, blocks(1, 100), {"192.0.2.1", "10.0.0.0/7"},
	} {
		p := plan.Default()
		p.Fail2ban.IgnoreIP = list
		if err := p.Validate(); err == nil || !strings.HasPrefix(err.Error(), "fail2ban.ignore_ip: its IPv") || !strings.Contains(err.Error(), "skip_fail2ban = true") || len(err.Error()) > 300 {
			t.Errorf("%v: %v", list, err)
		}
	}
	for _, list := range [][]string{{"127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"}, {"64.0.0.0/8"}, {"2003::/19"}} {
		p := plan.Default()
		p.Fail2ban.IgnoreIP = list
		if err := p.Validate(); err != nil {
			t.Errorf("%v: %v", list, err)
		}
	}
}
