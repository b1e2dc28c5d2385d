package provisioner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/zclconf/go-cty/cty"

	"github.com/hashicorp/hcl/v2"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// decode reads a block's body as Packer does, with spec from the plugin.
func decode(spec hcldec.ObjectSpec, body string) (cty.Value, error) {
	file, diags := hclsyntax.ParseConfig([]byte(body), "block.pkr.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	value, diags := hcldec.Decode(file.Body, spec, nil)
	if diags.HasErrors() {
		return cty.NilVal, diags
	}
	return value, nil
}

// prepare goes the whole way from HCL: what Packer's decoder refuses is a
// fault as well.
func prepare(p *Provisioner, body string) error {
	value, err := decode(p.ConfigSpec(), body)
	if err != nil {
		return err
	}
	return p.Prepare(map[string]any{"packer_build_name": "lab"}, value, map[string]any(nil))
}

func TestEmptyBlockIsTheDefaultPlan(t *testing.T) {
	for _, body := range []string{"", "fail2ban {}\nrecidive {}\nrate_limit {}", `service_name = ""`, "fail2ban { max_retry = null }"} {
		var p Provisioner
		if err := prepare(&p, body); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if got := p.config.plan(); !reflect.DeepEqual(got, plan.Default()) {
			t.Errorf("%q: plan is %s", body, got.Encode())
		}
	}
}

func TestWholeBlockBecomesThePlan(t *testing.T) {
	const body = `
		conf_dir       = "/opt/freeswitch/conf"
		service_name   = "fs"
		admin_users    = ["ops"]
		sip_allow_from = ["203.0.113.0/24", "2001:db8::1"]
		sip_banner     = "pbx"
		skip_firewall  = true
		keep_rules     = true
		skip_fail2ban  = true
		strict_image   = true
		cleanup_system = true
		rtp_port_range = "20000:21000"
		ssh_ports      = [22, 2222]
		fail2ban {
			max_retry  = 10
			find_time  = 60
			ban_time   = 3600
			ban_action = "iptables-allports"
			ignore_ip  = ["192.0.2.1"]
		}
		refusals {
			max_retry = 30
			find_time = 400
		}
		recidive {
			max_retry = 2
			find_time = 7200
			ban_time  = 9000
		}
		trunk {
			name = "carrier"
			from = ["198.51.100.0/24", "2001:db8:1::/48"]
		}
		trunk {
			name    = "office"
			from    = ["192.0.2.9"]
			profile = "Office_2"
		}
		rate_limit { enabled = false }`
	want := &plan.Plan{
		ConfDir: "/opt/freeswitch/conf", ServiceName: "fs", AdminUsers: []string{"ops"},
		SIPAllowFrom: []string{"203.0.113.0/24", "2001:db8::1"},
		SIPBanner:    "pbx",
		Trunks: plan.Trunks{
			"carrier": {From: []string{"198.51.100.0/24", "2001:db8:1::/48"}, Profile: "external"},
			"office":  {From: []string{"192.0.2.9"}, Profile: "Office_2"},
		},
		SkipFirewall: true, KeepRules: true, SkipFail2ban: true, StrictImage: true, CleanupSystem: true, RTPPortRange: "20000:21000", SSHPorts: []int{22, 2222},
		Fail2ban: plan.Fail2ban{
			MaxRetry: 10, FindTime: 60, BanTime: 3600,
			BanAction: "iptables-allports", IgnoreIP: []string{"192.0.2.1"},
		},
		Refusals: plan.Refusals{MaxRetry: 30, FindTime: 400},
		Recidive: plan.Recidive{MaxRetry: 2, FindTime: 7200, BanTime: 9000},
	}
	// A field that this block leaves at its default would not be tested.
	def := reflect.ValueOf(*plan.Default())
	for i := range def.NumField() {
		if reflect.DeepEqual(reflect.ValueOf(*want).Field(i).Interface(), def.Field(i).Interface()) {
			t.Fatalf("%s is the default", def.Type().Field(i).Name)
		}
	}
	var p Provisioner
	if err := prepare(&p, body); err != nil {
		t.Fatal(err)
	}
	if got := p.config.plan(); !reflect.DeepEqual(got, want) {
		t.Errorf("plan is %s", got.Encode())
	}
	// The second call starts afresh.
	if err := prepare(&p, ""); err != nil {
		t.Fatal(err)
	}
	if got := p.config.plan(); !reflect.DeepEqual(got, plan.Default()) {
		t.Errorf("after a second Prepare the plan is %s", got.Encode())
	}
}

func TestPrepareFaults(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ body, want string }{
		{`conf_dir = "etc/freeswitch"`, "conf_dir: "},
		{`service_name = "freeswitch.service"`, "service_name: "},
		{`admin_users = ["a b"]`, "admin_users: "},
		{`sip_allow_from = ["10.0.0.1/8"]`, "sip_allow_from: "},
		{`sip_allow_from = ["trunk.example"]`, "sip_allow_from: "},
		{`sip_banner = "a pbx"`, "sip_banner: "},
		{`rtp_port_range = "2:1"`, "rtp_port_range: "},
		{`strict_image = "very"`, "a bool is required"},
		{`cleanup_system = "all"`, "a bool is required"},
		{`ssh_ports = [0]`, "ssh_ports: "},
		{`ssh_ports = [65536]`, "ssh_ports: "},
		{`ssh_ports = ["ssh"]`, "a number is required"},
		{`fail2ban { max_retry = 0 }`, "fail2ban.max_retry: "},
		{`fail2ban { find_time = -1 }`, "fail2ban.find_time: "},
		{`fail2ban { ban_time = 0 }`, "fail2ban.ban_time: "},
		{`fail2ban { ban_time = 1.5 }`, "whole number"},
		{`fail2ban { ban_action = "ufw" }`, "fail2ban.ban_action: "},
		{`fail2ban { ignore_ip = ["localhost"] }`, "fail2ban.ignore_ip: "},
		{`fail2ban { ignore_ip = ["0.0.0.0/0"] }`, "fail2ban.ignore_ip: "},
		{`fail2ban { bantime = 1 }`, `"bantime" is not expected here`},
		{"fail2ban {}\nfail2ban {}", "Duplicate fail2ban block"},
		{`refusals { max_retry = 0 }`, "refusals.max_retry: "},
		{`refusals { find_time = 0 }`, "refusals.find_time: "},
		{`trunk {}`, `trunk: "" is not a name`},
		{"trunk {\nname = \"a\"\n}", `trunk "a": from is empty`},
		{"trunk {\nname = \"a\"\nfrom = [\"sip.example\"]\n}", `trunk "a": "sip.example" is not`},
		{"trunk {\nname = \"a\"\nfrom = [\"192.0.2.1\"]\nprofile = \"a b\"\n}", `trunk "a": profile "a b"`},
		{"trunk {\nname = \"a\"\nfrom = [\"192.0.2.1\"]\n}\ntrunk {\nname = \"a\"\nfrom = [\"192.0.2.2\"]\n}", `trunk: "a" is named twice`},
		{`recidive { max_retry = 0 }`, "recidive.max_retry: "},
		{`recidive { find_time = 0 }`, "recidive.find_time: "},
		{`recidive { ban_time = 0 }`, "recidive.ban_time: "},
		{`rate_limit { enabled = "some" }`, "a bool is required"},
		{`skip_firewal = true`, `"skip_firewal" is not expected here`},
		{`remote_folder = "tmp"`, "remote_folder: "},
		{`remote_folder = "/tmp/a b"`, "remote_folder: "},
		{`remote_folder = "/tmp/$(reboot)"`, "remote_folder: "},
		{`execute_command = "sudo fs-harden"`, "execute_command: "},
		{`execute_command = "{{.Path"`, "execute_command"},
		{`environment_vars = ["A=1", "=2"]`, "environment_vars: entry 2"},
		{`environment_vars = ["hunter2"]`, "environment_vars: entry 1"},
		{`environment_vars = ["A B=1"]`, "environment_vars: entry 1"},
		{`environment_vars = ["A=\u0000"]`, "environment_vars: the value of A"},
		{fmt.Sprintf("report = %q", dir), "report: "},
		{fmt.Sprintf("report = %q", dir+"/new/"), "report: "},
		{fmt.Sprintf("report = %q", file+"/report.json"), "report: "},
		{fmt.Sprintf("report = %q", file+"/deeper/report.json"), "report: "},
	}
	for _, tt := range tests {
		t.Run(tt.body, func(t *testing.T) {
			err := prepare(new(Provisioner), tt.body)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("want %q, got %v", tt.want, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error repeats what may be a secret: %v", err)
			}
		})
	}
}

func TestPrepareTellsEveryFaultAtOnce(t *testing.T) {
	var p Provisioner
	err := p.Prepare(map[string]any{
		"conf_dir":         "conf",
		"sip_allow_from":   []string{"x", "y"},
		"fail2ban":         map[string]any{"max_retry": 0, "max_rety": 3},
		"recidive":         map[string]any{"ban_time": 0},
		"remote_folder":    "tmp",
		"environment_vars": []string{"A"},
		"typo":             true,
	})
	var all *packersdk.MultiError
	if !errors.As(err, &all) {
		t.Fatalf("%T is no MultiError", err)
	}
	for _, want := range []string{
		"conf_dir: ", `"x"`, `"y"`, "fail2ban.max_retry: ", "fail2ban.max_rety", "recidive.ban_time: ",
		"remote_folder: ", "environment_vars: ", `"typo"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	if len(all.Errors) != 9 {
		t.Errorf("%d faults, want 9: %v", len(all.Errors), err)
	}
}

// A JSON template's block comes as a map, which the decoder merges into what is
// there already.
func TestPrepareAgainStartsAfresh(t *testing.T) {
	var p Provisioner
	for _, block := range []map[string]any{
		{"skip_firewall": true, "fail2ban": map[string]any{"max_retry": "7"}},
		{},
	} {
		if err := p.Prepare(block); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.config.plan(); !reflect.DeepEqual(got, plan.Default()) {
		t.Errorf("plan is %s", got.Encode())
	}
}

func TestPrepareTypeFaultsComeWithTheOthers(t *testing.T) {
	var p Provisioner
	err := p.Prepare(map[string]any{"fail2ban": map[string]any{"max_retry": "often"}, "conf_dir": "conf"})
	if err == nil || !strings.Contains(err.Error(), "max_retry") || !strings.Contains(err.Error(), "conf_dir: ") {
		t.Fatalf("got %v", err)
	}
}

func TestPrepareLetsTheFirstPassThrough(t *testing.T) {
	const body = `
		conf_dir         = "<unknown>"
		service_name     = "<unknown>"
		admin_users      = ["<unknown>", "ops"]
		sip_allow_from   = ["<unknown>/32"]
		rtp_port_range   = "<unknown>"
		remote_folder    = "/tmp/<unknown>"
		execute_command  = "<unknown>"
		environment_vars = ["<unknown>"]
		report           = "reports/<unknown>.json"
		fail2ban {
			ban_action = "<unknown>"
			ignore_ip  = ["<unknown>"]
		}
		trunk {
			name    = "carrier"
			from    = ["192.0.2.1", "<unknown>"]
			profile = "<unknown>"
		}
		trunk {
			name = "later"
			from = ["<unknown>/32"]
		}
		trunk {
			name = "<unknown>"
			from = ["192.0.2.2"]
		}`
	var p Provisioner
	if err := prepare(&p, body); err != nil {
		t.Fatal(err)
	}
	err := prepare(&p, body+"\nssh_ports = [0]")
	if err == nil || !strings.Contains(err.Error(), "ssh_ports: ") || strings.Contains(err.Error(), unknown) {
		t.Errorf("beside unknown values a fault must still be told, got %v", err)
	}
	// A value that is still unknown when the machine runs must not reach it.
	if err := prepare(&p, `sip_allow_from = ["<unknown>"]`); err != nil {
		t.Fatal(err)
	}
	g := newLocal(t)
	err = p.Provision(t.Context(), &console{}, g, nil)
	if err == nil || !strings.Contains(err.Error(), "sip_allow_from: ") || len(g.commands) != 0 {
		t.Errorf("an unknown value went to the guest: %v, %q", err, g.commands)
	}
}

func TestPrepareTouchesNothing(t *testing.T) {
	dir := t.TempDir()
	var p Provisioner
	if err := prepare(&p, fmt.Sprintf("report = %q", filepath.Join(dir, "new", "report.json"))); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("Prepare left %v (%v)", left, err)
	}
}

// The defaults stand in plan.Default, and again in the comments that become
// the documentation. This holds them together.
func TestDocumentedDefaults(t *testing.T) {
	source, err := os.ReadFile("config.go")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(strings.ReplaceAll(string(source), "//", " ")), " ")
	d := plan.Default()
	for option, value := range map[string]any{
		"ServiceName string": d.ServiceName, "RTPPortRange string": d.RTPPortRange,
		"SkipFirewall bool": d.SkipFirewall, "KeepRules bool": d.KeepRules, "SkipFail2ban bool": d.SkipFail2ban,
		"Enabled config.Trilean": d.RateLimit.Enabled, "BanAction string": d.Fail2ban.BanAction,
		"Fail2ban MaxRetry": d.Fail2ban.MaxRetry, "Fail2ban FindTime": d.Fail2ban.FindTime, "Fail2ban BanTime": d.Fail2ban.BanTime,
		"Recidive MaxRetry": d.Recidive.MaxRetry, "Recidive FindTime": d.Recidive.FindTime, "Recidive BanTime": d.Recidive.BanTime,
	} {
		within, field := text, option
		if block, name, _ := strings.Cut(option, " "); block == "Fail2ban" || block == "Recidive" {
			_, within, _ = strings.Cut(text, "type "+block+" struct")
			field = name + " *int"
		}
		comment, _, ok := strings.Cut(within, field)
		if i := strings.LastIndex(comment, "mapstructure:"); i >= 0 {
			comment = comment[i:]
		}
		if want := fmt.Sprintf("Defaults to `%v`", value); !ok || !strings.Contains(comment, want) {
			t.Errorf("the comment of %s lacks %q", option, want)
		}
	}
}
