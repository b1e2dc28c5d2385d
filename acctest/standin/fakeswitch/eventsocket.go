package fakeswitch

import (
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// bindRetry passes between two tries to listen (mod_event_socket.c:2995).
const bindRetry = 100 * time.Millisecond

// noticePatience is how long a client may take to read that its connection ends.
const noticePatience = time.Second

// eventSocket is mod_event_socket from its loading to its unloading, through
// which its settings stay as they were read (mod_event_socket.c:2871).
type eventSocket struct {
	owner    *Switch
	ip       string
	port     string
	password string
	acls     []string
	unloaded chan struct{}
	running  sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil until the address can be had
	conns    map[net.Conn]struct{}
	sessions map[*session]struct{} // those that were admitted
}

// newEventSocket reads event_socket.conf. What is absent, or empty, has
// FreeSWITCH's default, the password too.
func newEventSocket(owner *Switch, d *document) *eventSocket {
	m := &eventSocket{owner: owner, unloaded: make(chan struct{}), conns: map[net.Conn]struct{}{}, sessions: map[*session]struct{}{}}
	for _, s := range settings(child(d.file("event_socket.conf"), "settings")) {
		switch {
		case s.name == "listen-ip":
			m.ip = s.value
		case s.name == "listen-port":
			m.port = s.value
		case s.name == "password":
			m.password = s.value
		case strings.EqualFold(s.name, "apply-inbound-acl") && s.value != "":
			m.acls = append(m.acls, s.value)
		}
	}
	if m.ip == "" {
		m.ip = "127.0.0.1"
	}
	if m.password == "" {
		m.password = "ClueCon"
	}
	if len(m.acls) == 0 {
		m.acls = []string{"loopback.auto"}
	}
	if n, err := strconv.ParseUint(m.port, 10, 16); err != nil || n == 0 {
		m.port = "8021"
	}
	return m
}

// loadEventSocket loads the module with the configuration in memory. It tries
// to listen once before it returns, and goes on trying in the background.
func (s *Switch) loadEventSocket() {
	m := newEventSocket(s, s.configuration())
	listening := m.listen()
	m.running.Add(1)
	go m.run(listening)
	s.mu.Lock()
	s.module = m
	s.mu.Unlock()
}

// unloadEventSocket closes the listener and every connection.
func (s *Switch) unloadEventSocket() {
	s.mu.Lock()
	m := s.module
	s.module = nil
	s.mu.Unlock()
	if m == nil {
		return
	}
	m.mu.Lock()
	close(m.unloaded)
	if m.listener != nil {
		_ = m.listener.Close()
	}
	conns := slices.Collect(maps.Keys(m.conns))
	m.mu.Unlock()
	for _, conn := range conns {
		sendNotice(conn, "The system is being shut down.\n")
		_ = conn.Close()
	}
	m.running.Wait()
}

// listen opens the address; "::" is both families, as it is for FreeSWITCH on
// Linux, and "0.0.0.0" is one. It says whether that worked.
func (m *eventSocket) listen() bool {
	network := "tcp"
	if ip, err := netip.ParseAddr(m.ip); err == nil && ip.Is4() {
		network = "tcp4"
	}
	listener, err := net.Listen(network, net.JoinHostPort(m.ip, m.port))
	if err != nil {
		m.owner.log.line("ERR", "mod_event_socket.c:2990", "Socket Error! Could not listen on %s:%s", m.ip, m.port)
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.unloaded:
		_ = listener.Close()
		return false
	default:
	}
	m.listener = listener
	m.owner.log.line("DEBUG", "mod_event_socket.c:2982", "Socket up listening on %s:%s", m.ip, m.port)
	return true
}

func (m *eventSocket) run(listening bool) {
	defer m.running.Done()
	for !listening {
		select {
		case <-m.unloaded:
			return
		case <-time.After(bindRetry):
			listening = m.listen()
		}
	}
	for {
		conn, err := m.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			m.owner.log.line("ERR", "mod_event_socket.c:3014", "Socket Error [%v]", err)
			continue
		}
		m.mu.Lock()
		select {
		case <-m.unloaded:
			_ = conn.Close()
		default:
			m.conns[conn] = struct{}{}
			m.running.Add(1)
			go m.serve(conn)
		}
		m.mu.Unlock()
	}
}

func (m *eventSocket) serve(conn net.Conn) {
	defer m.running.Done()
	defer func() {
		m.mu.Lock()
		delete(m.conns, conn)
		m.mu.Unlock()
		_ = conn.Close()
	}()
	if !m.admits(conn.RemoteAddr()) {
		const farewell = "Access Denied, go away.\n"
		_, _ = io.WriteString(conn, "Content-Type: text/rude-rejection\nContent-Length: "+strconv.Itoa(len(farewell))+"\n\n"+farewell)
		return
	}
	s := newSession(m, conn)
	m.mu.Lock()
	m.sessions[s] = struct{}{}
	m.mu.Unlock()
	s.run()
	m.mu.Lock()
	delete(m.sessions, s)
	m.mu.Unlock()
}

// publish offers an event to every listener, and throws out those that have
// missed too many.
func (m *eventSocket) publish(e *event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.sessions {
		if s.wanted.offer(e, m.owner.log) {
			_ = s.conn.Close()
		}
	}
}

// admits asks every access list in turn: one that says no is enough.
func (m *eventSocket) admits(remote net.Addr) bool {
	from, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return false
	}
	address := from.Addr().Unmap()
	for _, list := range m.acls {
		if !m.owner.accessLists().allows(list, address) {
			m.owner.log.line("WARNING", "mod_event_socket.c:2674", "IP %s Rejected by acl \"%s\"", address, list)
			return false
		}
	}
	return true
}

// sendNotice tells a client that its connection ends (mod_event_socket.c:648).
// The words may not reach one that is gone already, or that does not read.
func sendNotice(conn net.Conn, words string) {
	_ = conn.SetWriteDeadline(time.Now().Add(noticePatience))
	_, _ = io.WriteString(conn, "Content-Type: text/disconnect-notice\nContent-Length: "+strconv.Itoa(len(words))+"\n\n"+words)
}
