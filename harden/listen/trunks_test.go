package listen

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// trunkPorts writes them as "5080/4 203.0.113.0/24 shared by NAME".
func trunkPorts(list []TrunkPort) string {
	var words []string
	for _, p := range list {
		w := fmt.Sprintf("%d/%s", p.Port, map[bool]string{true: "6", false: "4"}[p.IPv6])
		for _, n := range p.From {
			w += " " + n.String()
		}
		if !p.Alone() {
			w += " shared by " + p.Shared
		}
		words = append(words, w)
	}
	return strings.Join(words, "; ")
}

func unheard(list []Unheard) string {
	var words []string
	for _, u := range list {
		words = append(words, fmt.Sprintf("%s/%s", u.Profile, map[bool]string{true: "6", false: "4"}[u.IPv6]))
	}
	return strings.Join(words, " ")
}

// FreeSWITCH's own example has a profile of each family on one number.
func TestTrunksOfVanilla(t *testing.T) {
	t.Parallel()
	h, err := host.Open(vanilla, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := fsxml.Load(host.NewView(h), "/")
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		`{}`: " ",
		`{"trunk":{"a":{"from":["203.0.113.0/24","2001:db8::/32"]}}}`:                             "5080/4 203.0.113.0/24 external/6",
		`{"trunk":{"a":{"from":["203.0.113.0/24","2001:db8::/32"],"profile":"external-ipv6"}}}`:   "5080/6 2001:db8::/32 external-ipv6/4",
		`{"trunk":{"a":{"from":["203.0.113.0/24"],"profile":"INTERNAL"}}}`:                        "5060/4 203.0.113.0/24; 5066/4 203.0.113.0/24; 7443/4 203.0.113.0/24",
		`{"trunk":{"a":{"from":["203.0.113.7"]},"b":{"from":["203.0.113.0/24","198.51.100.1"]}}}`: "5080/4 203.0.113.0/24 198.51.100.1/32",
	} {
		p, err := plan.Parse([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Read(cfg, p)
		if err != nil {
			t.Fatal(err)
		}
		if s := trunkPorts(got.Trunks) + " " + unheard(got.Unheard); strings.TrimSpace(s) != strings.TrimSpace(want) {
			t.Errorf("%s: %s, want %s", in, s, want)
		}
	}
}

func TestTrunksOfProfilesThatShareAPort(t *testing.T) {
	t.Parallel()
	p, err := plan.Parse([]byte(`{"trunk":{"a":{"from":["203.0.113.0/24"],"profile":"a"},"b":{"from":["198.51.100.1"],"profile":"b"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	const a, b = "203.0.113.0/24", "198.51.100.1/32"
	for name, tt := range map[string]struct {
		profiles map[string]string
		want     string
	}{
		"each its own":                        {map[string]string{"a": param("sip-port", "5080"), "b": param("sip-port", "5090"), "c": ""}, "5080/4 " + a + "; 5090/4 " + b},
		"with phones":                         {map[string]string{"a": "", "c": ""}, "5060/4 " + a + " shared by c"},
		"with each other":                     {map[string]string{"a": "", "b": ""}, "5060/4 " + a + " " + b},
		"with each other and phones":          {map[string]string{"a": "", "b": "", "c": ""}, "5060/4 " + a + " " + b + " shared by c"},
		"on two addresses":                    {map[string]string{"a": param("sip-ip", "192.0.2.1"), "c": param("sip-ip", "192.0.2.2")}, "5060/4 " + a + " shared by c"},
		"with phones of the other family":     {map[string]string{"a": param("sip-ip", "192.0.2.1"), "c": param("sip-ip", "2001:db8::1")}, "5060/4 " + a},
		"an address that nobody knows":        {map[string]string{"a": param("sip-ip", "$${some_ip}"), "c": param("sip-ip", "[2001:db8::1]")}, "5060/4 " + a + "; 5060/6 shared by c"},
		"TLS beside it":                       {map[string]string{"a": param("tls", "true") + param("wss-binding", ":7443"), "c": param("sip-port", "5061")}, "5060/4 " + a + "; 5061/4 " + a + " shared by c; 7443/4 " + a},
		"a binding of the other family":       {map[string]string{"a": param("ws-binding", "[2001:db8::1]:5066")}, "5060/4 " + a + "; 5066/6"},
		"a port that FreeSWITCH chooses":      {map[string]string{"a": param("sip-port", "auto")}, ""},
		"loopback":                            {map[string]string{"a": param("sip-ip", "127.0.0.1")}, ""},
		"its name in other letters":           {map[string]string{"A": ""}, "5060/4 " + a},
		"no profile of that name: not judged": {map[string]string{"c": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := ""
			for profile, settings := range tt.profiles {
				text += `<profile name="` + profile + `"><settings>` + settings + `</settings></profile>`
			}
			cfg, err := fsxml.Parse("/freeswitch.xml", []byte(`<document type="freeswitch/xml"><section name="configuration"><configuration name="sofia.conf"><profiles>`+
				text+`</profiles></configuration></section></document>`))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Read(cfg, p)
			if err != nil {
				t.Fatal(err)
			}
			// The profiles come in any order, and so do the networks of two of them.
			if s := trunkPorts(got.Trunks); s != tt.want && strings.ReplaceAll(s, b+" "+a, a+" "+b) != tt.want {
				t.Errorf("%s, want %s", s, tt.want)
			}
		})
	}
}
