package provisioner

import (
	"net"
	"strings"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/rpc"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// remote puts Packer's plugin protocol between the test and p.
func remote(t *testing.T, p packersdk.Provisioner, protobuf bool) packersdk.Provisioner {
	t.Helper()
	here, there := net.Pipe()
	served := make(chan *rpc.PluginServer, 1)
	go func() {
		server, err := rpc.NewServer(there)
		if err != nil {
			served <- nil
			return
		}
		server.UseProto = protobuf
		if server.RegisterProvisioner(p) != nil {
			server = nil
		}
		served <- server
		if server != nil {
			server.Serve()
		}
	}()
	client, err := rpc.NewClient(here)
	if err != nil {
		t.Fatal(err)
	}
	if <-served == nil {
		t.Fatal("no plugin server")
	}
	client.UseProto = protobuf
	t.Cleanup(func() {
		_ = client.Close()
		_ = there.Close()
	})
	return client.Provisioner()
}

// Packer speaks gob with PACKER_FORCE_GOB=1 and with plugins that know nothing
// else, protobuf otherwise.
func TestThroughThePluginProtocol(t *testing.T) {
	for name, protobuf := range map[string]bool{"gob": false, "protobuf": true} {
		t.Run(name, func(t *testing.T) {
			p := prepared(t, nil, `echo '{"event":"step","step":{"name":"gate","status":"changed"}}'; echo '`+closing+`'`)
			far := remote(t, p, protobuf)
			value, err := decode(far.ConfigSpec(), `
				remote_folder  = "`+t.TempDir()+`"
				sip_allow_from = ["2001:db8::/32"]
				cleanup_system = true
				fail2ban { max_retry = 7 }
				trunk {
					name = "carrier"
					from = ["203.0.113.0/24"]
				}
				rate_limit { enabled = false }`)
			if err != nil {
				t.Fatal(err)
			}
			if err := far.Prepare(map[string]any{"packer_build_name": "lab"}, value, map[string]any(nil)); err != nil {
				t.Fatal(err)
			}
			want := plan.Default()
			want.CleanupSystem = true
			want.Trunks["carrier"] = plan.Trunk{From: []string{"203.0.113.0/24"}, Profile: "external"}
			want.SIPAllowFrom, want.Fail2ban.MaxRetry, want.RateLimit.Enabled = []string{"2001:db8::/32"}, 7, false
			if got := p.config.plan(); string(got.Encode()) != string(want.Encode()) {
				t.Errorf("plan is %s", got.Encode())
			}
			g, ui := newLocal(t), &console{}
			if err := far.Provision(t.Context(), ui, g, map[string]any{"ID": "i-1"}); err != nil {
				t.Fatalf("%v\n%s", err, ui)
			}
			for _, line := range []string{"say      + gate                 changed", "say    FreeSWITCH is hardened."} {
				if !strings.Contains(ui.String(), line) {
					t.Errorf("%q is missing in\n%s", line, ui)
				}
			}
			noLeftovers(t, g)

			bad, err := decode(far.ConfigSpec(), `fail2ban { max_retry = 0 }`)
			if err != nil {
				t.Fatal(err)
			}
			if err := far.Prepare(bad); err == nil || !strings.Contains(err.Error(), "fail2ban.max_retry: ") {
				t.Errorf("got %v", err)
			}
		})
	}
}
