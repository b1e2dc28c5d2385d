package harden

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// buildPorts are the ports by which somebody is logged in now. sshd tells its
// children (sshd(8), SSH_CONNECTION), but sudo drops that from the environment
// and so the processes above this one are asked too. Where none of them knows,
// every connection that an sshd holds counts.
func buildPorts(m *Machine) []uint16 {
	if c, ok := sshConnection(m); ok {
		return []uint16{c.port}
	}
	return connectedPorts(m)
}

// connection is what SSH_CONNECTION says: where from, and to which port here.
type connection struct {
	client netip.Addr
	port   uint16
}

// maxAncestors bounds the walk up to init; a build is some ten deep.
const maxAncestors = 64

func sshConnection(m *Machine) (connection, bool) {
	pid := "self"
	for range maxAncestors {
		env, err := m.ReadFile("/proc/" + pid + "/environ")
		if err != nil {
			return connection{}, false
		}
		for v := range bytes.SplitSeq(env, []byte{0}) {
			if value, ok := strings.CutPrefix(string(v), "SSH_CONNECTION="); ok {
				return parseConnection(value)
			}
		}
		if pid = parentOf(m, pid); pid == "" {
			return connection{}, false
		}
	}
	return connection{}, false
}

// parseConnection reads "CLIENT PORT SERVER PORT".
func parseConnection(value string) (connection, bool) {
	words := strings.Fields(value)
	if len(words) != 4 || len(number(words[3])) == 0 {
		return connection{}, false
	}
	client, err := netip.ParseAddr(words[0])
	if err != nil {
		return connection{}, false
	}
	return connection{client.Unmap().WithZone(""), number(words[3])[0]}, true
}

func parentOf(m *Machine, pid string) string {
	status, err := m.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(status)) {
		if parent, ok := strings.CutPrefix(line, "PPid:"); ok {
			if parent = strings.TrimSpace(parent); parent != "0" {
				return parent
			}
		}
	}
	return ""
}

// connectedPorts are the local ports of the connections that sshd's processes
// hold, where something listens on the same port: what they opened themselves
// for a forwarding is no way in.
func connectedPorts(m *Machine) []uint16 {
	names, err := m.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return nil
	}
	held := map[string]bool{} // "socket:[INODE]"
	for _, comm := range names {
		name, err := m.ReadFile(comm)
		if err != nil || !strings.HasPrefix(string(name), "sshd") {
			continue
		}
		dir := strings.TrimSuffix(comm, "comm") + "fd"
		fds, err := m.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if n, err := m.Lookup(dir + "/" + fd); err == nil {
				held[n.Target] = true
			}
		}
	}
	var connected, listening []uint16
	for _, s := range tcpSockets(m) {
		switch {
		case s.state == tcpListen:
			listening = append(listening, s.port)
		case s.state == tcpEstablished && held["socket:["+s.inode+"]"] && !s.local.IsLoopback():
			connected = append(connected, s.port)
		}
	}
	return slices.DeleteFunc(connected, func(p uint16) bool { return !slices.Contains(listening, p) })
}

// The states of /proc/net/tcp (include/net/tcp_states.h).
const (
	tcpEstablished = "01"
	tcpListen      = "0A"
)

// netSocket is a line of /proc/net/tcp or udp (proc(5)).
type netSocket struct {
	local netip.Addr
	port  uint16
	state string
	inode string
}

func tcpSockets(m *Machine) []netSocket { return netSockets(m, "tcp", "tcp6") }

func netSockets(m *Machine, tables ...string) []netSocket {
	var out []netSocket
	for _, t := range tables {
		text, err := m.ReadFile("/proc/net/" + t)
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
			out = append(out, netSocket{local, uint16(n), f[3], f[9]})
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
