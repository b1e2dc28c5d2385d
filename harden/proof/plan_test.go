package proof

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// plannedCheck is what is said of IPv4 where there is nothing to send.
func plannedCheck(t *testing.T, m Machine) report.Check {
	t.Helper()
	c := report.Check{Name: "ban-ipv4"}
	if e := plannedEnd(t.Context(), m, &c, false); e != nil {
		t.Errorf("planned %+v", e)
	}
	return c
}

// machineTree is a machine's /proc, unpacked.
func machineTree(t *testing.T, files map[string]string) *host.Host {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h, err := host.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestIPv6ThatIsOffIsLeftOut(t *testing.T) {
	t.Parallel()
	const off = "proc/sys/net/ipv6/conf/all/disable_ipv6"
	for name, tt := range map[string]struct {
		files map[string]string
		want  report.CheckStatus
	}{
		"off":         {map[string]string{off: "1\n"}, report.CheckSkipped},
		"not there":   {nil, report.CheckSkipped},
		"on, no rest": {map[string]string{off: "0\n"}, report.Fail}, // asking for routes fails on a tree
	} {
		c := report.Check{Name: "ban-ipv6"}
		if e := plannedEnd(t.Context(), Machine{Host: machineTree(t, tt.files)}, &c, true); e != nil || c.Status != tt.want || c.Detail == "" {
			t.Errorf("%s: %+v, %+v", name, c, e)
		}
	}
}

// The packets go to where FreeSWITCH listens, as the kernel has it (proc(5)).
func TestWhereThePacketsGo(t *testing.T) {
	t.Parallel()
	const head = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	udp := func(local string) string {
		return "   1: " + local + " 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0\n"
	}
	udp6 := func(local string) string {
		return "   1: " + local + " 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0\n"
	}
	const near, near6 = "192.0.2.10", "2001:db8:fade::10"
	for name, tt := range map[string]struct {
		udp, udp6 string
		near      string
		sip       []uint16
		want      string
	}{
		"on one address":           {udp: udp("0A00000A:13C4"), near: near, sip: []uint16{5060}, want: "10.0.0.10:5060"},
		"everywhere":               {udp: udp("00000000:13D8"), near: near, sip: []uint16{5060, 5080}, want: near + ":5080"},
		"on loopback, and then":    {udp: udp("0100007F:13C4") + udp("0A00000A:13C4"), near: near, sip: []uint16{5060}, want: "10.0.0.10:5060"},
		"another's port":           {udp: udp("0A00000A:0035"), near: near, sip: []uint16{5060}, want: near + ":5060"},
		"nowhere":                  {near: near, sip: []uint16{5070, 5080}, want: near + ":5070"},
		"nowhere, and no profile":  {near: near, want: near + ":5060"},
		"the other family's alone": {udp: udp("0A00000A:13C4"), near: near6, sip: []uint16{5060}, want: "[" + near6 + "]:5060"},
		"IPv6":                     {udp: udp("0A00000A:13C4"), udp6: udp6("B80D0120000000000000000001000000:13C4"), near: near6, sip: []uint16{5060}, want: "[2001:db8::1]:5060"},
		"IPv6, on the link alone":  {udp6: udp6("000080FE000000000000000001000000:13C4"), near: near6, sip: []uint16{5060}, want: "[" + near6 + "]:5060"},
	} {
		h := machineTree(t, map[string]string{"proc/net/udp": head + tt.udp, "proc/net/udp6": head + tt.udp6})
		if got := target(Machine{Host: h, SIP: tt.sip}, netip.MustParseAddr(tt.near)); got.String() != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// Without iproute2 there is nothing to send with, and nothing is banned.
func TestWithoutTheProgramThereIsNoProof(t *testing.T) {
	t.Parallel()
	a := answers{}
	checks := Bans(t.Context(), Machine{Host: a.host(t)})
	if len(checks) != 2 || checks[0].Name != "ban-ipv4" || checks[1].Name != "ban-ipv6" {
		t.Fatalf("%+v", checks)
	}
	for _, c := range checks {
		if c.Status != report.CheckSkipped || !strings.Contains(c.Detail, "iproute2") {
			t.Errorf("%+v", c)
		}
	}
}

func TestAnEmptyLogSaysSo(t *testing.T) {
	t.Parallel()
	h := machineTree(t, map[string]string{"log/empty": ""})
	if got, err := Filter(t.Context(), h, "/log/empty"); err != nil || got != "/log/empty is empty" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Filter(t.Context(), h, "/log/none"); err == nil {
		t.Error("there is no log, and no error")
	}
}

// Somebody who answers OPTIONS is somebody who got the packet (RFC 3261, 11).
func TestTheRequestIsOne(t *testing.T) {
	t.Parallel()
	got := string(options(netip.MustParseAddrPort("192.0.2.1:1234"), netip.MustParseAddrPort("[2001:db8::1]:5060"), 2))
	for _, want := range []string{"OPTIONS sip:[2001:db8::1]:5060 SIP/2.0\r\n", "Via: SIP/2.0/UDP 192.0.2.1:1234;branch=z9hG4bK", "CSeq: 3 OPTIONS\r\n", ";tag=3\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	if !strings.HasSuffix(got, "Content-Length: 0\r\n\r\n") {
		t.Errorf("no end:\n%s", got)
	}
}
