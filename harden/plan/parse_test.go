package plan_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// Every default is spelt out: changing one changes what an empty block bakes.
func TestEmptyPlanIsEveryDefault(t *testing.T) {
	want := &plan.Plan{
		ConfDir:      "",
		ServiceName:  "freeswitch",
		AdminUsers:   []string{},
		SIPAllowFrom: []string{},
		SIPBanner:    "",
		Trunks:       plan.Trunks{},
		SkipFirewall: false,
		KeepRules:    false,
		SkipFail2ban: false,
		StrictImage:  false, CleanupSystem: false,
		RTPPortRange: "16384:32768",
		SSHPorts:     []int{},
		Fail2ban:     plan.Fail2ban{MaxRetry: 20, FindTime: 300, BanTime: 86400, BanAction: "nftables", IgnoreIP: []string{}},
		Refusals:     plan.Refusals{MaxRetry: 20, FindTime: 300},
		Recidive:     plan.Recidive{MaxRetry: 3, FindTime: 604800, BanTime: 604800},
		RateLimit:    plan.RateLimit{Enabled: true},
	}
	for _, in := range []string{`{}`, " {\n}\r\n\t", `{"fail2ban":{},"recidive":{},"rate_limit":{}}`} {
		got, err := plan.Parse([]byte(in))
		if err != nil {
			t.Fatalf("Parse(%q): %v", in, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("Parse(%q) =\n%+v, want\n%+v", in, got, want)
		}
	}
}

func TestWhatIsGivenReplacesOnlyItself(t *testing.T) {
	got, err := plan.Parse([]byte(`{"sip_allow_from":["203.0.113.0/24"],"fail2ban":{"max_retry":10},"rate_limit":{"enabled":false}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := plan.Default()
	want.SIPAllowFrom = []string{"203.0.113.0/24"}
	want.Fail2ban.MaxRetry = 10
	want.RateLimit.Enabled = false
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

// What json.Marshal and a person's editor do to a plan must not matter.
func TestEncodeParsesBack(t *testing.T) {
	p := plan.Default()
	p.ConfDir = "/usr/local/freeswitch/conf"
	p.ServiceName = `freeswitch@dash\x2dname`
	p.AdminUsers = []string{"admin", "ops.team"}
	p.SIPAllowFrom = []string{"198.51.100.7", "2001:db8::/32"}
	p.SIPBanner = "pbx-1"
	p.Trunks = plan.Trunks{"carrier": {From: []string{"203.0.113.0/24"}, Profile: "external"}, "pbx-2": {From: []string{"2001:db8::7"}, Profile: "Office"}}
	p.SkipFirewall, p.KeepRules, p.SkipFail2ban = true, true, true
	p.StrictImage, p.CleanupSystem = true, true
	p.RTPPortRange = "20000:20001"
	p.SSHPorts = []int{22, 2222}
	p.Fail2ban = plan.Fail2ban{MaxRetry: 1, FindTime: 2, BanTime: 3, BanAction: "iptables-allports", IgnoreIP: []string{"::1"}}
	p.Refusals = plan.Refusals{MaxRetry: 7, FindTime: 8}
	p.Recidive = plan.Recidive{MaxRetry: 4, FindTime: 5, BanTime: 6}
	p.RateLimit.Enabled = false
	for _, want := range []*plan.Plan{plan.Default(), p} {
		got, err := plan.Parse(want.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%+v, want\n%+v", got, want)
		}
	}
}

func TestEncodeWritesNoNull(t *testing.T) {
	b := plan.Default().Encode()
	if strings.Contains(string(b), "null") || !strings.HasSuffix(string(b), "}\n") {
		t.Errorf("a list without members must be [], and the file end with a newline:\n%s", b)
	}
}

func TestParseTellsWhatIsWrongAndWhere(t *testing.T) {
	tests := map[string]struct {
		in   string
		want []string // all of them stand in the error
	}{
		"nothing":                 {"", []string{"ends too early", "{}"}},
		"blanks":                  {" \n", []string{"ends too early"}},
		"half":                    {`{"conf_dir":`, []string{"ends too early"}},
		"unknown key":             {`{"sip_allow_form":[]}`, []string{`"sip_allow_form" is not an option`}},
		"unknown key in fail2ban": {`{"fail2ban":{"max_retries":3}}`, []string{`"max_retries" is not an option`}},
		"unknown key in recidive": {`{"recidive":{"ban_action":"nftables"}}`, []string{`"ban_action" is not an option`}},
		"unknown key in limit":    {`{"rate_limit":{"per_second":1}}`, []string{`"per_second" is not an option`}},
		"unknown key and a fault": {`{"colour":1,"ssh_ports":[0]}`, []string{`"colour" is not an option`, "ssh_ports: 0"}},
		"second object":           {`{}{}`, []string{"something follows"}},
		"words after":             {"{}\nthanks", []string{"something follows"}},
		"brace after":             {`{}}`, []string{"something follows"}},
		"NUL after":               {"{}\x00", []string{"something follows"}},
		"comment":                 {"{\n  // mine\n}", []string{"line 2"}},
		"comma at the end":        {"{\n\"conf_dir\":\"/a\",\n}", []string{"line 3"}},
		"byte order mark":         {"\ufeff{}", []string{"line 1"}},
		"string for a number":     {"{\n\"fail2ban\": {\n\"max_retry\": \"20\"\n}}", []string{"line 3", `"fail2ban.max_retry" takes a whole number, not string`}},
		"fraction":                {"{\"recidive\":\n{\"ban_time\":1.5}}", []string{"line 2", `"recidive.ban_time" takes a whole number`, "1.5"}},
		"too big a number":        {`{"ssh_ports":[1e40]}`, []string{`"ssh_ports" takes a whole number`}},
		"number for a string":     {`{"service_name":5}`, []string{`"service_name" takes a string, not number`}},
		"string for a list":       {"\n{\"admin_users\":\"me\"}", []string{"line 2", `"admin_users" takes a list, not string`}},
		"string for a boolean":    {`{"skip_firewall":"yes"}`, []string{`"skip_firewall" takes true or false, not string`}},
		"list for trunks":         {`{"trunk":[{"from":[]}]}`, []string{`"trunk" takes an object`}},
		"null for trunks":         {`{"trunk":null}`, []string{`"trunk" takes an object`}},
		"a trunk named twice":     {`{"trunk":{"a":{"from":["192.0.2.1"]},"a":{"from":["192.0.2.2"]}}}`, []string{`trunk: "a" is named twice`}},
		"unknown key in a trunk":  {`{"trunk":{"a":{"form":["192.0.2.1"]}}}`, []string{`"form" is not an option`}},
		"string for a trunk":      {`{"trunk":{"a":"192.0.2.1"}}`, []string{`trunk "a"`, "takes an object, not string"}},
		"string for its list":     {`{"trunk":{"a":{"from":"192.0.2.1"}}}`, []string{`trunk "a": "from" takes a list, not string`}},
		"a trunk and a fault":     {`{"trunk":{"a":{}},"conf_dir":"etc"}`, []string{`trunk "a": from is empty`, "conf_dir:"}},
		"list for a block":        {`{"rate_limit":[{}]}`, []string{`"rate_limit" takes an object, not array`}},
		"wrong type and a fault":  {`{"skip_firewall":1,"conf_dir":"etc"}`, []string{`"skip_firewall" takes`, "conf_dir:"}},
		"a list as the plan":      {`[]`, []string{`"plan" takes an object, not array`}},
		"a string as the plan":    {`"{}"`, []string{`"plan" takes an object, not string`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := plan.Parse([]byte(tt.in))
			if err == nil {
				t.Fatalf("Parse(%q) took it", tt.in)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Parse(%q): %q lacks %q", tt.in, err, want)
				}
			}
		})
	}
}
