package fakeswitch

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What one peer may cost.
const (
	maxMessage    = 1 << 16         // bytes of a SIP message
	writePatience = 5 * time.Second // for somebody who does not read
)

// samePort is how often another pair of ports is tried where any will do.
const samePort = 20

// open binds every address of the profile: UDP and TCP on one port, TLS, and
// WebSockets (config_sofia_profile_urls, sofia.c:4258). One that cannot be had
// fails the whole profile, as it fails sofia-sip's agent.
func (p *profile) open(ip net.IP, port int) error {
	if err := p.openPair(ip, port); err != nil {
		return err
	}
	if p.flag("tls") {
		tlsPort, err := strconv.ParseUint(p.value("tls-sip-port", "5061"), 10, 16)
		if err != nil {
			return fmt.Errorf("tls-sip-port: %w", err)
		}
		if err := p.listen("tls", net.JoinHostPort(ip.String(), strconv.Itoa(int(tlsPort))), "agent.pem"); err != nil {
			return err
		}
	}
	for _, transport := range []string{"ws", "wss"} {
		binding := p.value(transport+"-binding", "")
		colon := strings.LastIndex(binding, ":")
		if colon < 0 {
			continue
		}
		host, wsPort := strings.Trim(binding[:colon], "[]"), binding[colon+1:]
		if host == "" {
			host = ip.String()
		}
		if n, err := strconv.ParseUint(wsPort, 10, 16); err != nil || n == 0 {
			continue // no port is no binding (sofia.c:4312)
		}
		if err := p.listen(transport, net.JoinHostPort(host, wsPort), "wss.pem"); err != nil {
			return err
		}
	}
	return nil
}

// openPair binds one port for UDP and TCP.
func (p *profile) openPair(ip net.IP, port int) error {
	var err error
	for range samePort {
		if p.conn, err = net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: port}); err != nil {
			return err
		}
		if err = p.listen("tcp", p.conn.LocalAddr().String(), ""); err == nil {
			return nil
		}
		_ = p.conn.Close()
		if port != 0 {
			return err
		}
	}
	return err
}

// listen opens a listener of a transport. certificate is the file below
// tls-cert-dir; one is made up where it is missing.
func (p *profile) listen(transport, address, certificate string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	if transport == "tls" || transport == "wss" {
		pair, err := p.certificate(certificate)
		if err != nil {
			_ = listener.Close()
			return err
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	p.listeners[transport] = listener
	return nil
}

func (p *profile) certificate(name string) (tls.Certificate, error) {
	path := filepath.Join(p.value("tls-cert-dir", filepath.Join(p.owner.options.ConfDir, "tls")), name)
	if pair, err := tls.LoadX509KeyPair(path, path); err == nil {
		return pair, nil
	}
	made, err := newKey()
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	return tls.X509KeyPair(made, made)
}

// accept serves whoever connects, until the profile ends.
func (p *profile) accept(transport string, listener net.Listener) {
	defer p.serving.Done()
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.mu.Lock()
		if p.closed {
			_ = conn.Close()
		} else {
			p.streams[conn] = struct{}{}
			p.serving.Add(1)
			go p.stream(transport, conn)
		}
		p.mu.Unlock()
	}
}

// stream serves one connection. Its answers go back on it.
func (p *profile) stream(transport string, conn net.Conn) {
	defer p.serving.Done()
	defer func() {
		p.mu.Lock()
		delete(p.streams, conn)
		p.mu.Unlock()
		_ = conn.Close()
	}()
	address, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return
	}
	from := peer{address, transport}
	reader := bufio.NewReaderSize(conn, maxMessage)
	write := func(text string) {
		_ = conn.SetWriteDeadline(time.Now().Add(writePatience))
		_, _ = io.WriteString(conn, text)
	}
	if transport == "ws" || transport == "wss" {
		serveWebSocket(reader, write, func(packet string, send func(string)) { p.receive(packet, from, send) })
		return
	}
	for {
		packet, err := readMessage(reader, write)
		if err != nil {
			return
		}
		p.receive(packet, from, write)
	}
}

// readMessage reads a SIP message from a stream, which ends where its
// Content-Length says (RFC 3261, 18.3). An empty pair of lines before it is a
// ping, which gets its pong (RFC 5626, 4.4.1).
func readMessage(reader *bufio.Reader, pong func(string)) (string, error) {
	var head strings.Builder
	length, empty := 0, 0
	for {
		line, err := reader.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case text == "" && head.Len() == 0:
			if empty++; empty%2 == 0 {
				pong("\r\n")
			}
			continue
		case text == "":
			head.WriteString("\r\n")
			body := make([]byte, length)
			if _, err := io.ReadFull(reader, body); err != nil {
				return "", err
			}
			return head.String() + string(body), nil
		}
		head.WriteString(text + "\r\n")
		if head.Len() > maxMessage {
			return "", errors.New("the message is too long")
		}
		name, value, _ := strings.Cut(text, ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "content-length", "l":
			length, err = strconv.Atoi(strings.TrimSpace(value))
			if err != nil || length < 0 || length > maxMessage {
				return "", fmt.Errorf("content length %q", value)
			}
		}
	}
}
