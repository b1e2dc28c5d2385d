// Package sshd finds the ways in to a machine by SSH: the ports that must stay
// open, and the connection that a build came by.
package sshd

import (
	"bufio"
	"bytes"
	"context"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// standardPort is sshd's where nothing else is said (sshd_config(5), Port).
const standardPort = 22

// Ports are the TCP ports that must stay open, sorted, each once: those that are
// wanted or else sshd's, and on a live machine always the one that this very
// build came in by. A port too many harms less than one too few, so what systemd
// listens on for sshd and what sshd_config says are both taken.
func Ports(ctx context.Context, v *host.View, wanted []int, live bool) []uint16 {
	var found []uint16
	for _, n := range wanted {
		found = append(found, uint16(n)) //nolint:gosec // plan.Validate bounds it
	}
	if len(found) == 0 {
		found = append(configuredPorts(ctx, v, live), socketPorts(v)...)
	}
	if len(found) == 0 {
		found = append(found, standardPort)
	}
	if live {
		found = append(found, buildPorts(v)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// configuredPorts asks sshd itself, which knows its compiled-in defaults and its
// command line's files; it refuses where its host keys or /run/sshd lack, and
// then its configuration is read.
func configuredPorts(ctx context.Context, v *host.View, live bool) []uint16 {
	var c config
	if live {
		if out, err := v.Run(ctx, "sshd", "-T"); err == nil {
			c.read(v, out, 0)
			return c.listening()
		}
	}
	text, err := v.ReadFile("/etc/ssh/sshd_config")
	if err != nil {
		return nil
	}
	c.read(v, text, 0)
	return c.listening()
}

// config is what sshd_config(5) says of listening.
type config struct {
	ports     []uint16
	addresses []string // of ListenAddress
}

const maxIncludes = 16 // servconf.c, SERVCONF_MAX_DEPTH

// read takes a file's directives. A Match block cannot hold those looked for,
// and ends with its file.
func (c *config) read(v *host.View, text []byte, depth int) {
	matching := false
	for line := range bytes.Lines(text) {
		words := strings.Fields(strings.Replace(string(line), "=", " ", 1))
		if len(words) < 2 || strings.HasPrefix(words[0], "#") {
			continue
		}
		switch key := strings.ToLower(words[0]); {
		case key == "match":
			matching = !strings.EqualFold(words[1], "all")
		case matching:
		case key == "port":
			c.ports = append(c.ports, number(words[1])...)
		case key == "listenaddress":
			c.addresses = append(c.addresses, words[1])
		case key == "include" && depth < maxIncludes:
			c.include(v, words[1:], depth)
		}
	}
}

func (c *config) include(v *host.View, patterns []string, depth int) {
	for _, p := range patterns {
		if !path.IsAbs(p) {
			p = path.Join("/etc/ssh", p)
		}
		files, err := v.Glob(p)
		if err != nil {
			continue // sshd refuses such a file too
		}
		for _, f := range files {
			if text, err := v.ReadFile(f); err == nil {
				c.read(v, text, depth+1)
			}
		}
	}
}

// listening puts addresses and ports together: an address without a port
// listens on every Port, and one on loopback is nobody's outside.
func (c *config) listening() []uint16 {
	ports := c.ports
	if len(ports) == 0 {
		ports = []uint16{standardPort}
	}
	if len(c.addresses) == 0 {
		return ports
	}
	var out []uint16
	for _, a := range c.addresses {
		at, port, whole := splitListen(a)
		switch {
		case isLoopback(at) || at == "localhost":
		case whole:
			out = append(out, port)
		default:
			out = append(out, ports...)
		}
	}
	return out
}

// splitListen takes ADDRESS, HOST:PORT and [ADDRESS]:PORT apart.
func splitListen(s string) (address string, port uint16, whole bool) {
	if _, err := netip.ParseAddr(s); err == nil {
		return s, 0, false
	}
	at := strings.LastIndexByte(s, ':')
	if at < 0 || strings.HasSuffix(s, "]") {
		return strings.Trim(s, "[]"), 0, false
	}
	n := number(s[at+1:])
	if len(n) == 0 {
		return s, 0, false
	}
	return strings.Trim(s[:at], "[]"), n[0], true
}

func isLoopback(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && a.IsLoopback()
}

// number is a port, or nothing.
func number(s string) []uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return nil
	}
	return []uint16{uint16(n)}
}

// socketUnits are where systemd finds ssh.socket and what changes it, each list
// in the order in which it is read (systemd.unit(5)); Ubuntu's own generator
// writes the ports of sshd_config to /run.
var socketUnits = struct{ whole, parts, enabled []string }{
	whole:   []string{"/etc/systemd/system/ssh.socket", "/run/systemd/system/ssh.socket", "/lib/systemd/system/ssh.socket", "/usr/lib/systemd/system/ssh.socket"},
	parts:   []string{"/usr/lib/systemd/system/ssh.socket.d/*.conf", "/run/systemd/generator/ssh.socket.d/*.conf", "/run/systemd/system/ssh.socket.d/*.conf", "/etc/systemd/system/ssh.socket.d/*.conf"},
	enabled: []string{"/etc/systemd/system/sockets.target.wants/ssh.socket", "/etc/systemd/system/ssh.service.requires/ssh.socket"},
}

// socketPorts are those on which systemd listens for sshd (Ubuntu from 22.10 on).
func socketPorts(v *host.View) []uint16 {
	enabled := slices.ContainsFunc(socketUnits.enabled, func(p string) bool { n, err := v.Glob(p); return err == nil && len(n) > 0 })
	if !enabled {
		return nil
	}
	var streams []string
	for _, p := range socketUnits.whole {
		if text, err := v.ReadFile(p); err == nil {
			streams = listenStreams(streams, text)
			break
		}
	}
	for _, pattern := range socketUnits.parts {
		files, err := v.Glob(pattern)
		if err != nil {
			continue
		}
		for _, f := range files {
			if text, err := v.ReadFile(f); err == nil {
				streams = listenStreams(streams, text)
			}
		}
	}
	var out []uint16
	for _, s := range streams {
		if n := number(s); len(n) > 0 {
			out = append(out, n...)
		} else if at, port, ok := splitListen(s); ok && !isLoopback(at) {
			out = append(out, port)
		}
	}
	return out
}

// listenStreams adds a unit file's ListenStream= to what others said; an empty
// one forgets those (systemd.socket(5)).
func listenStreams(before []string, text []byte) []string {
	sc := bufio.NewScanner(bytes.NewReader(text))
	for sc.Scan() {
		key, value, ok := strings.Cut(sc.Text(), "=")
		if !ok || strings.TrimSpace(key) != "ListenStream" {
			continue
		}
		if value = strings.TrimSpace(value); value == "" {
			before = nil
			continue
		}
		before = append(before, value)
	}
	return before
}
