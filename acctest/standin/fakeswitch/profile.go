package fakeswitch

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/beevik/etree"
)

// profile is a SIP profile that runs: its sockets, and the settings that it had
// when it was started or last rescanned.
type profile struct {
	owner    *Switch
	name     string
	aliases  []string
	gateways []gateway
	conn     *net.UDPConn
	started  time.Time
	serving  sync.WaitGroup
	turn     sync.Mutex // one request at a time, as sofia-sip's thread has it

	listeners map[string]net.Listener // by transport

	mu       sync.Mutex
	settings map[string]string
	acls     map[string][]accessList // of apply-inbound-acl and apply-register-acl
	nonces   map[string]uint64       // nonce to the last nonce count used with it
	legs     map[string]*leg         // by Call-ID, those that ring or were answered
	streams  map[net.Conn]struct{}
	closed   bool

	// What a rescan does not change: it is handed to sofia-sip, and to calls,
	// when the profile starts.
	userAgent, sdpUser, contactUser string
}

// gateway is a registration elsewhere, of which there is only the line in
// "sofia status".
type gateway struct{ name, to, state string }

// openProfile binds a profile's addresses; owner.mu is held.
func openProfile(owner *Switch, d *document, x *etree.Element) (*profile, error) {
	p := &profile{
		owner:    owner,
		name:     x.SelectAttrValue("name", ""),
		started:  owner.now(),
		settings: map[string]string{},
		nonces:   map[string]uint64{},
		legs:     map[string]*leg{},
		streams:  map[net.Conn]struct{}{},

		listeners: map[string]net.Listener{},
	}
	p.apply(settings(child(x, "settings")))
	p.introduce()
	p.aliases = aliasesOf(d, x)
	p.gateways = gatewaysOf(x)
	port, err := strconv.ParseUint(p.value("sip-port", "5060"), 10, 16)
	if err != nil {
		return nil, fmt.Errorf("sip-port: %w", err)
	}
	ip := net.ParseIP(p.value("sip-ip", owner.variables["local_ip_v4"]))
	if ip == nil {
		return nil, fmt.Errorf("sip-ip %q is no address", p.value("sip-ip", ""))
	}
	if err := p.open(ip, int(port)); err != nil {
		p.close()
		return nil, err
	}
	p.serving.Add(1 + len(p.listeners))
	go p.serve()
	for transport, listener := range p.listeners {
		go p.accept(transport, listener)
	}
	return p, nil
}

func (p *profile) close() {
	if p.conn != nil {
		_ = p.conn.Close()
	}
	for _, listener := range p.listeners {
		_ = listener.Close()
	}
	p.mu.Lock()
	p.closed = true
	for conn := range p.streams {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.serving.Wait()
}

func (p *profile) serve() {
	defer p.serving.Done()
	packet := make([]byte, 1<<16)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(packet)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.receive(string(packet[:n]), peer{from, "udp"}, func(response string) {
			_, _ = p.conn.WriteToUDPAddrPort([]byte(response), from)
		})
	}
}

// receive answers a request. What is none is dropped, as a parser of SIP does.
func (p *profile) receive(packet string, from peer, send func(string)) {
	p.owner.trace("recv", packet, from)
	r, err := parseRequest(packet)
	if err != nil {
		return
	}
	p.turn.Lock()
	responses := p.answer(r, from)
	p.turn.Unlock()
	for _, response := range responses { // whoever does not read holds up himself only
		send(response)
	}
}

// apply takes over the settings of the configuration. One that is no longer
// there keeps its last value, as FreeSWITCH's flags do on a rescan; the access lists
// are those that are there.
func (p *profile) apply(all []setting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acls = map[string][]accessList{}
	for _, s := range all {
		name := strings.ToLower(s.name)
		p.settings[name] = s.value
		if name == inboundACL || name == registerACL {
			p.acls[name] = addList(p.acls[name], s.value)
		}
	}
}

func (p *profile) lists(param string) []accessList {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.acls[param]
}

// value is a setting, or fallback where it is missing or empty.
func (p *profile) value(name, fallback string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v := p.settings[name]; v != "" {
		return v
	}
	return fallback
}

func (p *profile) flag(name string) bool { return isTrue(p.value(name, "")) }

// port is the one that is bound.
func (p *profile) port() string {
	_, port, _ := net.SplitHostPort(p.conn.LocalAddr().String())
	return port
}

// portOf is the port of a transport that is listened on.
func (p *profile) portOf(transport string) string {
	_, port, _ := net.SplitHostPort(p.listeners[transport].Addr().String())
	return port
}

// host is the address that is bound, without brackets.
func (p *profile) host() string {
	host, _, _ := net.SplitHostPort(p.conn.LocalAddr().String())
	return host
}

func (p *profile) hostPort(port string) string { return net.JoinHostPort(p.host(), port) }

func (p *profile) url(port string) string { return "sip:" + p.contactUser + "@" + p.hostPort(port) }

// aliasesOf are the profile's other names: its <alias> elements, and the
// domains that it answers for (parse_domain_tag, sofia.c).
func aliasesOf(d *document, x *etree.Element) []string {
	var names []string
	for _, e := range child(x, "aliases").SelectElements("alias") {
		names = append(names, e.SelectAttrValue("name", ""))
	}
	for _, e := range child(x, "domains").SelectElements("domain") {
		name := e.SelectAttrValue("name", "")
		switch {
		case !isTrue(e.SelectAttrValue("alias", "")):
		case name == "all":
			names = append(names, d.domains()...)
		default:
			names = append(names, name)
		}
	}
	return names
}

func gatewaysOf(x *etree.Element) []gateway {
	var all []gateway
	for _, e := range child(x, "gateways").SelectElements("gateway") {
		g := gateway{name: e.SelectAttrValue("name", ""), state: "TRYING"}
		to := map[string]string{"realm": g.name}
		for _, s := range settings(e) {
			to[s.name] = s.value
		}
		if v, set := to["register"]; set && !isTrue(v) {
			g.state = "NOREG"
		}
		proxy := to["proxy"]
		if proxy == "" {
			proxy = to["realm"]
		}
		g.to = "sip:" + to["username"] + "@" + proxy
		all = append(all, g)
	}
	return all
}
