package listen

import (
	"reflect"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// vanilla is FreeSWITCH's own configuration, 1.10.12.
const vanilla = "../../../shared/data/vanilla-conf-1.10.12"

func TestVanilla(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vars [2]string // in vars.xml, old and new
		rtp  [2]string // in switch.conf.xml
		plan string
		want Ports
	}{
		"as it comes": {
			want: Ports{SIP: []uint16{5060, 5080}, WS: []uint16{5066, 7443}, RTPFirst: 16384, RTPLast: 32768},
		},
		"TLS on one profile pair": {
			vars: [2]string{"external_ssl_enable=false", "external_ssl_enable=true"},
			want: Ports{SIP: []uint16{5060, 5080}, TLS: []uint16{5081}, WS: []uint16{5066, 7443}, RTPFirst: 16384, RTPLast: 32768},
		},
		"another port": {
			vars: [2]string{"internal_sip_port=5060", "internal_sip_port=5160"},
			want: Ports{SIP: []uint16{5080, 5160}, WS: []uint16{5066, 7443}, RTPFirst: 16384, RTPLast: 32768},
		},
		"media as the plan says": {
			plan: "20000:21000",
			want: Ports{SIP: []uint16{5060, 5080}, WS: []uint16{5066, 7443}, RTPFirst: 20000, RTPLast: 21000},
		},
		"media as the configuration says, and not the plan": {
			plan: "20000:21000",
			rtp:  [2]string{`<!-- <param name="rtp-start-port" value="16384"/> -->`, `<param name="rtp-start-port" value="10000"/><param name="rtp-end-port" value="12000"/>`},
			want: Ports{SIP: []uint16{5060, 5080}, WS: []uint16{5066, 7443}, RTPFirst: 10000, RTPLast: 12000},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := host.Open(vanilla, nil)
			if err != nil {
				t.Fatal(err)
			}
			v := host.NewView(h)
			for path, what := range map[string][2]string{"/vars.xml": c.vars, "/autoload_configs/switch.conf.xml": c.rtp} {
				before, err := v.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				after := strings.Replace(string(before), what[0], what[1], 1)
				if what[0] != "" && after == string(before) {
					t.Fatalf("%s does not hold %q", path, what[0])
				}
				if err := v.Stage(path, host.NewFile([]byte(after), 0o640)); err != nil {
					t.Fatal(err)
				}
			}
			p := plan.Default()
			if c.plan != "" {
				p.RTPPortRange = c.plan
			}
			cfg, err := fsxml.Load(v, "/")
			if err != nil {
				t.Fatal(err)
			}
			got, err := Read(cfg, p)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// param is one setting as it stands in a file.
func param(name, value string) string { return `<param name="` + name + `" value="` + value + `"/>` }

func TestOneProfile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings string
		want     Ports
		err      string
	}{
		"nothing said":                        {"", Ports{SIP: []uint16{5060}}, ""},
		"a port":                              {param("SIP-Port", "5090"), Ports{SIP: []uint16{5090}}, ""},
		"the last one that says something":    {param("sip-port", "5090") + param("sip-port", "5091") + param("sip-port", ""), Ports{SIP: []uint16{5091}}, ""},
		"zero is the default":                 {param("sip-port", "0"), Ports{SIP: []uint16{5060}}, ""},
		"chosen at the start":                 {param("sip-port", "auto"), Ports{Auto: []string{"site"}}, ""},
		"loopback is nobody's":                {param("sip-ip", "127.0.0.1"), Ports{}, ""},
		"IPv6 loopback":                       {param("sip-ip", "::1") + param("ws-binding", ":5066"), Ports{}, ""},
		"TLS with its default":                {param("tls", "yes"), Ports{SIP: []uint16{5060}, TLS: []uint16{5061}}, ""},
		"TLS only":                            {param("tls", "true") + param("tls-only", "true") + param("tls-sip-port", "5071"), Ports{TLS: []uint16{5071}}, ""},
		"TLS only without TLS":                {param("tls-only", "true"), Ports{SIP: []uint16{5060}}, ""},
		"a TLS port without TLS":              {param("tls-sip-port", "nonsense"), Ports{SIP: []uint16{5060}}, ""},
		"websockets":                          {param("ws-binding", "192.0.2.1:5066") + param("wss-binding", ":7443"), Ports{SIP: []uint16{5060}, WS: []uint16{5066, 7443}}, ""},
		"websockets on loopback":              {param("ws-binding", "127.0.0.1:5066") + param("wss-binding", "::1:7443"), Ports{SIP: []uint16{5060}}, ""},
		"websockets without a port":           {param("ws-binding", "5066"), Ports{SIP: []uint16{5060}}, ""},
		"both on one port":                    {param("ws-binding", ":7443") + param("wss-binding", "[::]:7443"), Ports{SIP: []uint16{5060}, WS: []uint16{7443}}, ""},
		"a variable that only a machine sets": {param("sip-port", "$${sip_port}"), Ports{}, "the SIP profile site: sip-port is $${sip_port}, which no file"},
		"too large":                           {param("sip-port", "70000"), Ports{}, `sip-port is "70000", not a port`},
		"a word":                              {param("tls", "true") + param("tls-sip-port", "sips"), Ports{}, `tls-sip-port is "sips", not a port`},
		"a websocket's word":                  {param("ws-binding", ":ws"), Ports{}, `ws-binding is "ws", not a port`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := fsxml.Parse("/freeswitch.xml", []byte(`<document type="freeswitch/xml"><section name="configuration"><configuration name="sofia.conf"><profiles><profile name="site"><settings>`+
				c.settings+`</settings></profile></profiles></configuration></section></document>`))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Read(cfg, plan.Default())
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c.want.RTPFirst, c.want.RTPLast = 16384, 32768
			if !equalPorts(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestMediaPortsThatCannotBe(t *testing.T) {
	t.Parallel()
	for settings, want := range map[string]string{
		param("rtp-start-port", "40000"):     "from 40000 to 32768",
		param("rtp-end-port", "x"):           `rtp-end-port is "x", not a port`,
		param("rtp-start-port", "$${first}"): "rtp-start-port is $${first}, which no file",
	} {
		cfg, err := fsxml.Parse("/freeswitch.xml", []byte(`<document type="freeswitch/xml"><section name="configuration"><configuration name="switch.conf"><settings>`+
			settings+`</settings></configuration></section></document>`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(cfg, plan.Default()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", settings, err, want)
		}
	}
}

// What the core reads second counts (switch_core.c:2478).
func TestMediaPortsOfTheSecondFile(t *testing.T) {
	t.Parallel()
	configuration := func(name, settings string) string {
		return `<configuration name="` + name + `"><settings>` + settings + `</settings></configuration>`
	}
	cfg, err := fsxml.Parse("/freeswitch.xml", []byte(`<document type="freeswitch/xml"><section name="configuration">`+
		configuration("switch.conf", param("rtp-start-port", "10000")+param("rtp-end-port", "11000"))+
		configuration("post_load_switch.conf", param("rtp-end-port", "12000")+param("rtp-start-port", ""))+`</section></document>`))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Read(cfg, plan.Default()); err != nil || got.RTPFirst != 10000 || got.RTPLast != 12000 {
		t.Errorf("%+v, %v", got, err)
	}
}

// equalPorts takes an absent list for an empty one.
func equalPorts(a, b Ports) bool {
	for _, l := range []*[]uint16{&a.SIP, &a.TLS, &a.WS, &b.SIP, &b.TLS, &b.WS} {
		if len(*l) == 0 {
			*l = nil
		}
	}
	return reflect.DeepEqual(a, b)
}
