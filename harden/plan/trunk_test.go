package plan_test

import (
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// Who is trusted with what, where a plan has trunks.
func TestTrunksAreTrustedOnTheirOwnProfile(t *testing.T) {
	t.Parallel()
	const own = "127.0.0.0/8 ::1/128"
	for name, tt := range map[string]struct {
		in       string
		sip      string
		trusted  string
		unbanned string
		trunks   string
	}{
		"none":      {`{}`, "0.0.0.0/0 ::/0", own, own, ""},
		"a carrier": {`{"trunk":{"carrier":{"from":["203.0.113.0/24"]}}}`, "0.0.0.0/0 ::/0", own, own + " 203.0.113.0/24", "external: 203.0.113.0/24"},
		"two on one profile, one in the other": {
			`{"trunk":{"b":{"from":["203.0.113.0/24","2001:db8::/32"]},"a":{"from":["203.0.113.7","198.51.100.1"],"profile":"EXTERNAL"}}}`, "0.0.0.0/0 ::/0", own,
			own + " 198.51.100.1/32 203.0.113.0/24 2001:db8::/32", "external: 198.51.100.1/32 203.0.113.0/24 2001:db8::/32",
		},
		"on two profiles": {
			`{"trunk":{"a":{"from":["203.0.113.7"]},"b":{"from":["203.0.113.0/24"],"profile":"a"}}}`, "0.0.0.0/0 ::/0", own,
			own + " 203.0.113.0/24", "a: 203.0.113.0/24; external: 203.0.113.7/32",
		},
		"beside an allowlist": {
			`{"sip_allow_from":["192.0.2.0/24"],"trunk":{"a":{"from":["203.0.113.7"]}}}`, "192.0.2.0/24", own + " 192.0.2.0/24",
			own + " 192.0.2.0/24 203.0.113.7/32", "external: 203.0.113.7/32",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := plan.Parse([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			s := p.Sources()
			var trunks []string
			for _, pt := range s.Trunks {
				trunks = append(trunks, pt.Profile+": "+text(pt.From))
			}
			for what, both := range map[string][2]string{
				"SIP":      {text(s.SIP), tt.sip},
				"trusted":  {text(s.Trusted), tt.trusted},
				"unbanned": {text(s.Unbanned()), tt.unbanned},
				"trunks":   {strings.Join(trunks, "; "), tt.trunks},
			} {
				if both[0] != both[1] {
					t.Errorf("%s: %q, want %q", what, both[0], both[1])
				}
			}
		})
	}
}

// Local networks are no part of the Internet, here as elsewhere.
func TestWhatIsNarrowEnoughForTrunks(t *testing.T) {
	t.Parallel()
	p := plan.Default()
	p.Trunks["lan"] = plan.Trunk{From: []string{"10.0.0.0/8", "172.16.0.0/12", "fc00::/7", "64.0.0.0/8", "2a00::/13"}, Profile: "internal-ipv6"}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
}
