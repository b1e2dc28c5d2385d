package plan_test

import (
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// faults spoil one option each; the key is what the error must say of it.
var faults = map[string]func(*plan.Plan){
	`conf_dir: "etc/freeswitch" is not an absolute path`: func(p *plan.Plan) { p.ConfDir = "etc/freeswitch" },
	`service_name: "fs.service" is not a systemd unit`:   func(p *plan.Plan) { p.ServiceName = "fs.service" },
	`admin_users: "Admin" is not a login name`:           func(p *plan.Plan) { p.AdminUsers = []string{"ok", "Admin"} },
	`sip_allow_from: "sip.example.com" is not an IPv4`:   func(p *plan.Plan) { p.SIPAllowFrom = []string{"sip.example.com"} },
	`trunk: "Carrier" is not a name`:                     trunk("Carrier", "external", "192.0.2.1"),
	`trunk: "" is not a name`:                            trunk("", "external", "192.0.2.1"),
	`trunk "none": from is empty`:                        trunk("none", "external"),
	`trunk "a": "sip.example.com" is not an IPv4`:        trunk("a", "external", "192.0.2.1", "sip.example.com"),
	`trunk "b": "192.0.2.1/24" has bits set`:             trunk("b", "external", "192.0.2.1/24"),
	`trunk "c": profile "" is not usable`:                trunk("c", "", "192.0.2.1"),
	`trunk "d": profile "in]/x" is not usable`:           trunk("d", "in]/x", "192.0.2.1"),
	`trunk: the IPv4 networks add up to`:                 both(trunk("e", "external", "64.0.0.0/8"), trunk("f", "other", "65.0.0.0/8")),
	`trunk: the IPv6 networks add up to`:                 trunk("g", "external", "::/0"),
	`fail2ban.ignore_ip: "10.0.0.1/8" has bits set`:      func(p *plan.Plan) { p.Fail2ban.IgnoreIP = append(p.Fail2ban.IgnoreIP, "10.0.0.1/8") },
	`fail2ban.ignore_ip: its IPv6 networks add up to`:    func(p *plan.Plan) { p.Fail2ban.IgnoreIP = append(p.Fail2ban.IgnoreIP, "::/0") },
	`sip_banner: "a pbx" cannot stand in SIP's headers`:  func(p *plan.Plan) { p.SIPBanner = "a pbx" },
	`rtp_port_range: "32768:16384" is not a range`:       func(p *plan.Plan) { p.RTPPortRange = "32768:16384" },
	`ssh_ports: 65536 is not a TCP port`:                 func(p *plan.Plan) { p.SSHPorts = []int{22, 65536} },
	`fail2ban.max_retry: 0 is too small`:                 func(p *plan.Plan) { p.Fail2ban.MaxRetry = 0 },
	`fail2ban.challenge_max_retry: -1 is too small`:      func(p *plan.Plan) { p.Fail2ban.ChallengeMaxRetry = -1 },
	`fail2ban.find_time: -1 is too small`:                func(p *plan.Plan) { p.Fail2ban.FindTime = -1 },
	`fail2ban.ban_time: 0 is too small`:                  func(p *plan.Plan) { p.Fail2ban.BanTime = 0 },
	`fail2ban.ban_action: "iptables" is not known`:       func(p *plan.Plan) { p.Fail2ban.BanAction = "iptables" },
	`refusals.max_retry: 0 is too small`:                 func(p *plan.Plan) { p.Refusals.MaxRetry = 0 },
	`refusals.find_time: 0 is too small`:                 func(p *plan.Plan) { p.Refusals.FindTime = 0 },
	`recidive.max_retry: 0 is too small`:                 func(p *plan.Plan) { p.Recidive.MaxRetry = 0 },
	`recidive.find_time: 0 is too small`:                 func(p *plan.Plan) { p.Recidive.FindTime = 0 },
	`recidive.ban_time: 0 is too small`:                  func(p *plan.Plan) { p.Recidive.BanTime = 0 },
}

func trunk(name, profile string, from ...string) func(*plan.Plan) {
	return func(p *plan.Plan) { p.Trunks[name] = plan.Trunk{From: from, Profile: profile} }
}

func both(a, b func(*plan.Plan)) func(*plan.Plan) {
	return func(p *plan.Plan) { a(p); b(p) }
}

func TestEveryFaultNamesItsOption(t *testing.T) {
	for want, spoil := range faults {
		p := plan.Default()
		spoil(p)
		err := p.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
			continue
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("one fault, told as several: %v", err)
		}
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	p := plan.Default()
	for _, spoil := range faults {
		spoil(p)
	}
	for _, err := range []error{p.Validate(), second(plan.Parse(p.Encode()))} {
		if err == nil {
			t.Fatal("a plan of faults was taken")
		}
		for want := range faults {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not told in:\n%v", want, err)
			}
		}
	}
}

func second(_ *plan.Plan, err error) error { return err }

func TestEveryMemberOfAListIsLookedAt(t *testing.T) {
	p := plan.Default()
	p.SIPAllowFrom = []string{"a.example", "192.0.2.1", "b.example"}
	p.AdminUsers = []string{"-c", "root;id"}
	p.SSHPorts = []int{0, 22, -1}
	err := p.Validate()
	for _, want := range []string{"a.example", "b.example", `"-c"`, "root;id", ": 0 is not", ": -1 is not"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in %v", want, err)
		}
	}
}

func TestWhatOneOptionTakes(t *testing.T) {
	confDir := func(p *plan.Plan, s string) { p.ConfDir = s }
	service := func(p *plan.Plan, s string) { p.ServiceName = s }
	user := func(p *plan.Plan, s string) { p.AdminUsers = []string{s} }
	banner := func(p *plan.Plan, s string) { p.SIPBanner = s }
	rtp := func(p *plan.Plan, s string) { p.RTPPortRange = s }
	tests := []struct {
		option  string
		set     func(*plan.Plan, string)
		good    []string
		refused []string
	}{
		{
			"conf_dir", confDir,
			[]string{"", "/etc/freeswitch", "/usr/local/freeswitch/conf/"},
			[]string{"conf", "./conf", "~/conf", "/", "//", "/etc/..", "/./", "/etc/free\nswitch", "/etc/free\x00switch", "/opt/Free Switch", "/opt/50%", `/opt/"x"`},
		},
		{
			"service_name", service,
			[]string{"freeswitch", "freeswitch@a", "fs-1.10", `fs\x2dx`, "a:b_c", strings.Repeat("a", 200)},
			[]string{"", "freeswitch.service", "freeswitch@", "-x", "a b", "a/b", "../a", "fs\n", "fs;id", "fs$x", "fß", strings.Repeat("a", 201)},
		},
		{
			"admin_users", user,
			[]string{"root", "debian", "ec2-user", "_apt", "first.last", "u1"},
			[]string{"", "Root", "-x", "1user", "a b", "a:b", "../root", "a\n", "a/b", "ä", strings.Repeat("a", 33)},
		},
		{
			"sip_banner", banner,
			[]string{"", "p", "pbx", "PBX-1.2_x", strings.Repeat("a", 32)},
			[]string{" ", "a pbx", "1pbx", "-x", "_undef_", "pbx/1", "a\r\nX: y", "a\n", "a\x00", "a:b", "a@b", "a;b", "<a>", `"a"`, "$${x}", "${x}", "a%0a", "ä", strings.Repeat("a", 33)},
		},
		{
			"rtp_port_range", rtp,
			[]string{"16384:32768", "1:65535", "5000:5000"},
			[]string{"", ":", "1", "1:", ":1", "0:10", "10:9", "1:65536", "1-2", "1:2:3", " 1:2", "+1:2", "-1:2", "a:b"},
		},
	}
	for _, tt := range tests {
		for _, s := range tt.good {
			p := plan.Default()
			if tt.set(p, s); p.Validate() != nil {
				t.Errorf("%s: %q was refused: %v", tt.option, s, p.Validate())
			}
		}
		for _, s := range tt.refused {
			p := plan.Default()
			tt.set(p, s)
			if err := p.Validate(); err == nil || !strings.HasPrefix(err.Error(), tt.option+":") {
				t.Errorf("%s: %q gave %v, want a fault of the option", tt.option, s, err)
			}
		}
	}
}

func TestParseAddress(t *testing.T) {
	good := map[string]string{
		"192.0.2.1":       "192.0.2.1/32",
		"203.0.113.0/24":  "203.0.113.0/24",
		"0.0.0.0/0":       "0.0.0.0/0",
		"2001:db8::1":     "2001:db8::1/128",
		"2001:DB8::/32":   "2001:db8::/32",
		"::/0":            "::/0",
		"198.51.100.7/32": "198.51.100.7/32",
	}
	for in, want := range good {
		got, err := plan.ParseAddress(in)
		if err != nil || got.String() != want {
			t.Errorf("ParseAddress(%q) = %v, %v; want %s", in, got, err, want)
		}
	}
	refused := map[string]string{ // to what the person reads
		"":                     "is not an IPv4 or IPv6",
		"example.com":          "host names are not looked up",
		"fe80::1%eth0":         "is not an IPv4 or IPv6",
		"fe80::1%eth0/64":      "is not a CIDR",
		"10.0.0.256":           "is not an IPv4 or IPv6",
		"010.0.0.1":            "is not an IPv4 or IPv6", // octal to some
		"10.0.0.0/33":          "is not a CIDR",
		"10.0.0.0/":            "is not a CIDR",
		"10.0.0.0/255.0.0.0":   "is not a CIDR",
		"203.0.113.9/24":       "did you mean 203.0.113.0/24?",
		"2001:db8::1/64":       "did you mean 2001:db8::/64?",
		" 10.0.0.1":            "is not an IPv4 or IPv6",
		"10.0.0.1,10.0.0.2":    "is not an IPv4 or IPv6",
		"10.0.0.1 # the bench": "is not an IPv4 or IPv6",
		"::ffff:10.0.0.1":      "is not an IPv4 or IPv6", // would match neither family
		"::ffff:10.0.0.0/104":  "is not a CIDR",
	}
	for in, want := range refused {
		if got, err := plan.ParseAddress(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseAddress(%q) = %v, %v; want an error with %q", in, got, err, want)
		}
	}
}
