package host

import (
	"net"
	"net/netip"
	"os"
	"testing"
)

// The kernel's own tables, read on the machine that runs the tests.
func TestTheKernelsSockets(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		t.Fatal(err)
	}
	h, err := Open("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	l := netip.MustParseAddrPort(ln.Addr().String())
	for _, s := range h.Sockets("tcp", "tcp6") {
		if s.State == Listening && s.Local == l.Addr() && s.Port == l.Port() {
			return
		}
	}
	t.Errorf("%s is not among the sockets", l)
}
