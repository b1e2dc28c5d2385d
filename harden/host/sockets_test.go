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

// Of a connection it is whose program has accepted it.
func TestWhoServesAConnection(t *testing.T) {
	t.Parallel()
	h, err := Open("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		client, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		at, from := netip.MustParseAddrPort(client.RemoteAddr().String()), netip.MustParseAddrPort(client.LocalAddr().String())
		if uid, ok := h.Serves(at, from); !ok || uid != os.Getuid() {
			t.Errorf("%s: user %d, %v; want %d", address, uid, ok, os.Getuid())
		}
		if uid, ok := h.Serves(at, netip.AddrPortFrom(from.Addr(), from.Port()^1)); ok {
			t.Errorf("%s: another connection is user %d's", address, uid)
		}
	}
}
