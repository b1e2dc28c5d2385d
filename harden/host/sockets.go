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
			ip, port, ok := strings.Cut(f[1], ":")
			n, err := strconv.ParseUint(port, 16, 16)
			local, isIP := kernelAddress(ip)
			if !ok || err != nil || !isIP {
				continue // the heading
			}
			out = append(out, Socket{local, uint16(n), f[3], f[9]})
		}
	}
	return out
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
