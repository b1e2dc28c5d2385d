// Package listen reads from FreeSWITCH's configuration on which ports it
// listens: what a firewall must open, and where limits belong.
package listen

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// Ports is where FreeSWITCH listens, other than on loopback. The lists are
// sorted, each port once.
type Ports struct {
	SIP []uint16 // UDP and TCP
	TLS []uint16 // TCP
	WS  []uint16 // TCP, ws and wss
	// Media are UDP, both ends included.
	RTPFirst, RTPLast uint16
	// Auto are the profiles that let FreeSWITCH choose a port when it starts:
	// nothing can be opened or limited for what nobody knows yet.
	Auto []string
	// Trunks are the ports of the profiles that the plan has trunks for, IPv4 first.
	// They are in the lists above too.
	Trunks []TrunkPort
	// Unheard are the profiles with trunks of a family in which they do not listen.
	Unheard []Unheard
}

const (
	sipPort = "5060" // mod_sofia.h, SOFIA_DEFAULT_PORT
	tlsPort = "5061" // mod_sofia.h, SOFIA_DEFAULT_TLS_PORT
)

// Read reads the ports from the configuration, as mod_sofia and the core do. A
// port that cannot be known is an error: a firewall that guesses it shuts the
// profile out.
func Read(c *fsxml.Config, p *plan.Plan) (Ports, error) {
	var out Ports
	var all heard
	for _, name := range c.Profiles() {
		on, err := out.profile(sofiaProfile{name, c.Params(fsxml.Profile(name))})
		if err != nil {
			return Ports{}, err
		}
		all = append(all, listener{name, on})
	}
	out.Trunks = all.trunkPorts(p.Sources().Trunks)
	out.Unheard = all.unheard(p.Sources().Trunks)
	for _, list := range []*[]uint16{&out.SIP, &out.TLS, &out.WS} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	slices.Sort(out.Auto)
	out.Auto = slices.Compact(out.Auto)
	var err error
	out.RTPFirst, out.RTPLast, err = rtpRange(c, p)
	return out, err
}

// profile adds what one profile binds (sofia.c:4270-4325, where the URLs to
// bind are made), and tells it.
func (l *Ports) profile(s sofiaProfile) (on []socket, err error) {
	ip := s.value("sip-ip")
	secure := fsxml.True(s.value("tls"))
	local := isLoopback(ip)
	if !local && (!secure || !fsxml.True(s.value("tls-only"))) {
		ports, err := l.port(s, "sip-port", sipPort)
		if err != nil {
			return nil, err
		}
		l.SIP = append(l.SIP, ports...)
		on = append(on, sockets(ip, ports...)...)
	}
	if !local && secure {
		ports, err := l.port(s, "tls-sip-port", tlsPort)
		if err != nil {
			return nil, err
		}
		l.TLS = append(l.TLS, ports...)
		on = append(on, sockets(ip, ports...)...)
	}
	for _, param := range []string{"ws-binding", "wss-binding"} {
		at, port := splitBinding(s.value(param))
		if port == "" || isLoopback(at) || at == "" && local {
			continue
		}
		n, err := s.port(param, port)
		if err != nil {
			return nil, err
		}
		l.WS = append(l.WS, n)
		on = append(on, sockets(cmp.Or(at, ip), n)...)
	}
	return on, nil
}

// port is the one that a parameter sets; none where FreeSWITCH chooses it.
func (l *Ports) port(s sofiaProfile, param, standard string) ([]uint16, error) {
	value := s.value(param)
	switch {
	case strings.EqualFold(value, "auto"):
		l.Auto = append(l.Auto, s.name)
		return nil, nil
	case value == "" || value == "0":
		value = standard
	}
	n, err := s.port(param, value)
	if err != nil {
		return nil, err
	}
	return []uint16{n}, nil
}

// sofiaProfile is a profile's settings in the order mod_sofia reads them.
type sofiaProfile struct {
	name   string
	params []fsxml.Param
}

// value is the last one that is not empty: mod_sofia passes over empty ports
// and bindings (sofia.c:5136, 5815), and empty means false or none elsewhere.
func (s sofiaProfile) value(name string) string {
	value := ""
	for _, p := range s.params {
		if strings.EqualFold(p.Name, name) && p.Value != "" {
			value = p.Value
		}
	}
	return value
}

func (s sofiaProfile) port(param, value string) (uint16, error) {
	n, err := parsePort(value)
	if err != nil {
		return 0, fmt.Errorf("the SIP profile %s: %s is %w", s.name, param, err)
	}
	return n, nil
}

// splitBinding is how mod_sofia reads IP:PORT, :PORT and an IPv6 address with a
// port behind the last colon (sofia.c:5815-5840). No colon, no port: not bound.
func splitBinding(v string) (ip, port string) {
	at := strings.LastIndexByte(v, ':')
	if at < 0 || v[at+1:] == "0" {
		return v, ""
	}
	return v[:at], v[at+1:]
}

func isLoopback(ip string) bool {
	a, err := netip.ParseAddr(strings.Trim(ip, "[]"))
	return err == nil && a.IsLoopback()
}

func parsePort(value string) (uint16, error) {
	if strings.Contains(value, "$${") {
		return 0, fmt.Errorf("%s, which no file of the configuration sets: set it in vars.xml or write the number, so that the firewall can open it", value)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q, not a port: write a number from 1 to 65535", value)
	}
	return uint16(n), nil
}

// rtpRange is the configuration's range; where that is silent, what a person
// asked for. The core reads two files, the second one over the first
// (switch_core.c:1972 and 2478).
func rtpRange(c *fsxml.Config, p *plan.Plan) (first, last uint16, err error) {
	from, to, _ := strings.Cut(p.RTPPortRange, ":")
	for _, file := range []string{"switch.conf", "post_load_switch.conf"} {
		for _, param := range c.Params(fsxml.Place("section[configuration]/configuration[" + file + "]/settings")) {
			switch {
			case param.Value == "":
			case strings.EqualFold(param.Name, "rtp-start-port"):
				from = param.Value
			case strings.EqualFold(param.Name, "rtp-end-port"):
				to = param.Value
			}
		}
	}
	if first, err = parsePort(from); err != nil {
		return 0, 0, fmt.Errorf("rtp-start-port is %w", err)
	}
	if last, err = parsePort(to); err != nil {
		return 0, 0, fmt.Errorf("rtp-end-port is %w", err)
	}
	if first > last {
		return 0, 0, fmt.Errorf("the media ports run from %d to %d: rtp-start-port must be the smaller one", first, last)
	}
	return first, last, nil
}
