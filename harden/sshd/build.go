package sshd

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// buildPorts are the ports by which somebody is logged in now. sshd tells its
// children (sshd(8), SSH_CONNECTION), but sudo drops that from the environment
// and so the processes above this one are asked too. Where none of them knows,
// every connection that an sshd holds counts.
func buildPorts(v *host.View) []uint16 {
	if c, ok := Session(v); ok {
		return []uint16{c.Port}
	}
	return connectedPorts(v)
}

// Connection is what SSH_CONNECTION says: where from, and to which port here.
type Connection struct {
	Client netip.Addr
	Port   uint16
}

// maxAncestors bounds the walk up to init; a build is some ten deep.
const maxAncestors = 64

// Session is the connection by which this process was started, where one was.
func Session(v *host.View) (Connection, bool) {
	pid := "self"
	for range maxAncestors {
		env, err := v.ReadFile("/proc/" + pid + "/environ")
		if err != nil {
			return Connection{}, false
		}
		for variable := range bytes.SplitSeq(env, []byte{0}) {
			if value, ok := strings.CutPrefix(string(variable), "SSH_CONNECTION="); ok {
				return parseConnection(value)
			}
		}
		if pid = parentOf(v, pid); pid == "" {
			return Connection{}, false
		}
	}
	return Connection{}, false
}

// parseConnection reads "CLIENT PORT SERVER PORT".
func parseConnection(value string) (Connection, bool) {
	words := strings.Fields(value)
	if len(words) != 4 || len(number(words[3])) == 0 {
		return Connection{}, false
	}
	client, err := netip.ParseAddr(words[0])
	if err != nil {
		return Connection{}, false
	}
	return Connection{client.Unmap().WithZone(""), number(words[3])[0]}, true
}

func parentOf(v *host.View, pid string) string {
	status, err := v.ReadFile("/proc/" + pid + "/status")
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
func connectedPorts(v *host.View) []uint16 {
	names, err := v.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return nil
	}
	held := map[string]bool{} // "socket:[INODE]"
	for _, comm := range names {
		name, err := v.ReadFile(comm)
		if err != nil || !strings.HasPrefix(string(name), "sshd") {
			continue
		}
		dir := strings.TrimSuffix(comm, "comm") + "fd"
		fds, err := v.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if n, err := v.Lookup(dir + "/" + fd); err == nil {
				held[n.Target] = true
			}
		}
	}
	var connected, listening []uint16
	for _, s := range v.Sockets("tcp", "tcp6") {
		switch {
		case s.State == host.Listening:
			listening = append(listening, s.Port)
		case s.State == host.Established && held["socket:["+s.Inode+"]"] && !s.Local.IsLoopback():
			connected = append(connected, s.Port)
		}
	}
	return slices.DeleteFunc(connected, func(p uint16) bool { return !slices.Contains(listening, p) })
}
