package host

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// The states of a TCP socket (include/net/tcp_states.h).
const (
	Established = "01"
	Listening   = "0A"
)

// Socket is one of this machine's, as the kernel lists it.
type Socket struct {
	Local netip.Addr
	Port  uint16
	State string
	Inode string
	// Remote is the other end; UID whose program has made or accepted it, root's
	// until then.
	Remote netip.AddrPort
	UID    int
}

// Sockets lists those of the tables of /proc/net that are named: tcp, tcp6, udp,
// udp6 (proc(5)). A table that the kernel does not have holds none.
func (h *Host) Sockets(tables ...string) []Socket {
	var out []Socket
	for _, t := range tables {
		text, err := h.ReadFile("/proc/net/" + t)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) < 10 {
				continue
			}
			local, ok := kernelEnd(f[1])
			remote, ok2 := kernelEnd(f[2])
			uid, err := strconv.Atoi(f[7])
			if !ok || !ok2 || err != nil {
				continue // the heading
			}
			out = append(out, Socket{local.Addr(), local.Port(), f[3], f[9], remote, uid})
		}
	}
	return out
}

// Serves is whose program has accepted a TCP connection of this machine with itself.
func (h *Host) Serves(server, client netip.AddrPort) (uid int, ok bool) {
	if h.running != nil {
		return h.running.Serves(server, client)
	}
	server = netip.AddrPortFrom(server.Addr().Unmap().WithZone(""), server.Port()) // as the kernel lists them
	client = netip.AddrPortFrom(client.Addr().Unmap().WithZone(""), client.Port())
	for _, s := range h.Sockets("tcp", "tcp6") {
		if s.State == Established && netip.AddrPortFrom(s.Local, s.Port) == server && s.Remote == client {
			return s.UID, true
		}
	}
	return 0, false
}

// kernelEnd reads an address with its port.
func kernelEnd(s string) (netip.AddrPort, bool) {
	ip, port, ok := strings.Cut(s, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	a, isIP := kernelAddress(ip)
	return netip.AddrPortFrom(a, uint16(n)), ok && err == nil && isIP
}

// kernelAddress reads the kernel's form: 32-bit words in the order of this
// machine's bytes, which is little-endian on amd64 and arm64.
func kernelAddress(s string) (netip.Addr, bool) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b)%4 != 0 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	a, ok := netip.AddrFromSlice(b)
	return a.Unmap(), ok
}
