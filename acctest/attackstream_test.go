//go:build linux && acceptance

package acctest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// streamed sends n requests over TCP, "tls" or "ws", so many a second, and perConn
// of them over one connection. A connection that is not taken is tried again with
// the next request.
func streamed(kind string, n int, rate float64, perConn int, r request) func(*siege, *attacker) {
	return func(_ *siege, a *attacker) {
		var conn net.Conn
		defer func() {
			if conn != nil {
				_ = conn.Close()
			}
		}()
		pause := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer pause.Stop()
		for i := range n {
			if conn != nil && i%perConn == 0 {
				_ = conn.Close()
				conn = nil
			}
			if conn == nil {
				conn = a.open(kind, r.port)
			}
			packet := a.packet(r, kind)
			if conn != nil {
				if kind == "ws" {
					packet = wsFrame(packet)
				}
				// What the kernel drops stays in the buffer here, and is sent again.
				_ = conn.SetWriteDeadline(time.Now().Add(answerWait))
				_, _ = io.WriteString(conn, packet)
			}
			<-pause.C
		}
		a.settle()
	}
}

// open connects, or gives nil.
func (a *attacker) open(kind string, port uint16) net.Conn {
	ctx, cancel := context.WithTimeout(shop.ctx, connectWait)
	defer cancel()
	conn, err := shop.Lab.DialFrom(ctx, a.address, "tcp", netip.AddrPortFrom(a.target, port).String())
	if err != nil {
		return nil
	}
	_ = conn.SetDeadline(time.Now().Add(answerWait))
	in := bufio.NewReader(conn)
	switch kind {
	case "tls":
		secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		if secured.Handshake() != nil {
			_ = conn.Close()
			return nil
		}
		conn, in = secured, bufio.NewReader(secured)
	case "ws":
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n", a.host())
		if answer, err := http.ReadResponse(in, nil); err != nil || answer.StatusCode != http.StatusSwitchingProtocols { //nolint:bodyclose // there is none
			_ = conn.Close()
			return nil
		}
	}
	_ = conn.SetDeadline(time.Time{})
	go a.read(in)
	return conn
}

// read counts answers by their Call-IDs until the connection ends; frames of a
// WebSocket have no byte in them that looks like a line.
func (a *attacker) read(in *bufio.Reader) {
	status := false
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		status = status || strings.Contains(line, "SIP/2.0 ")
		if found := callID.FindStringSubmatch(line); found != nil && status {
			status = false
			a.mu.Lock()
			a.answered[found[1]] = true
			a.mu.Unlock()
		}
	}
}

// wsFrame is a text frame of a client (RFC 6455, 5.2), whose mask changes nothing.
func wsFrame(payload string) string {
	header := []byte{0x81, 0x80 | 126, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(header[2:], uint16(len(payload)))
	return string(header) + payload
}
