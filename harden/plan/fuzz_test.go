package plan_test

import (
	"reflect"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// Whatever the input, Parse gives a plan that can be carried out or an error;
// and what it took, it takes again from its own encoding.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add(plan.Default().Encode())
	f.Add([]byte(`{"sip_allow_from":["203.0.113.0/24","2001:db8::1"],"fail2ban":{"max_retry":10,"ignore_ip":["::1"]}}`))
	f.Add([]byte(`{"admin_users":null,"service_name":"a\\b","conf_dir":"/\ufffd"}`))
	f.Add([]byte(`{"ssh_ports":[22],"ssh_ports":[2222]} `))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := plan.Parse(data)
		if err != nil {
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("Parse took what Validate refuses: %v", err)
		}
		again, err := plan.Parse(p.Encode())
		if err != nil {
			t.Fatalf("its own encoding is refused: %v\n%s", err, p.Encode())
		}
		if !reflect.DeepEqual(p, again) {
			t.Fatalf("got\n%+v, want\n%+v", again, p)
		}
	})
}
