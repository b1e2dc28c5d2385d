package fakeswitch

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	tests := []struct{ header, user, host string }{
		{`<sip:1001@10.77.0.2>`, "1001", "10.77.0.2"},
		{`"Joe" <sip:1001@10.77.0.2:5060;transport=udp>;tag=1`, "1001", "10.77.0.2"},
		{`sip:1001@example.com;tag=1`, "1001", "example.com"},
		{`<sip:10.77.0.2>`, "", "10.77.0.2"},
		{`<sip:1001@[fd77::2]:5060>`, "1001", "[fd77::2]"},
		{`<sip:a]b@10.77.0.2>`, "a]b", "10.77.0.2"},
		{`<sip:x] from ip 10.77.0.99@10.77.0.2>`, "x] from ip 10.77.0.99", "10.77.0.2"},
		{`<sip:a@b@10.77.0.2>`, "a@b", "10.77.0.2"},
		{``, "", ""},
	}
	for _, tt := range tests {
		r := &request{headers: []setting{{"to", tt.header}}}
		if user, host := r.address("to"); user != tt.user || host != tt.host {
			t.Errorf("%s: got %q at %q, want %q at %q", tt.header, user, host, tt.user, tt.host)
		}
	}
}

func TestDigestParams(t *testing.T) {
	got := digestParams(`Digest username="a,b` + "\r\n c" + `", Realm="r" , nc=00000001,qop=auth, username="second", uri="sip:x"`)
	for name, want := range map[string]string{"username": "a,b\r\n c", "realm": "r", "nc": "00000001", "qop": "auth", "uri": "sip:x"} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// FuzzRequest: no packet ends the stand-in, and an answer has a line for each
// header that it must repeat.
func FuzzRequest(f *testing.F) {
	f.Add("REGISTER sip:x SIP/2.0\r\nv: SIP/2.0/UDP a;rport\r\nf: <sip:a@b>\r\nt: <sip:a@b>\r\ni: 1\r\nCSeq: 1 REGISTER\r\nAuthorization: Digest a=\"\r\n b\", c\r\n\r\n")
	f.Add("INVITE sip:x SIP/2.0\r\n\r\n")
	from := peer{netip.MustParseAddrPort("192.0.2.1:5060"), "udp"}
	f.Fuzz(func(t *testing.T, packet string) {
		r, err := parseRequest(packet)
		if err != nil {
			return
		}
		digestParams(r.header("authorization"))
		r.address("from")
		r.address("to")
		response := r.respond("401 Unauthorized", from, "")
		for _, want := range []string{"SIP/2.0 401 Unauthorized\r\nVia: ", "\r\nCall-ID: " + r.header("call-id") + "\r\n", ";tag="} {
			if !strings.Contains(response, want) {
				t.Errorf("no %q in %q, the answer to %q", want, response, packet)
			}
		}
	})
}
