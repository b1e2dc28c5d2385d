package fakeswitch_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// everyTransport makes the profile "internal" listen on all of them, and says
// where the WebSockets are.
func everyTransport(t *testing.T, in *installation) (addresses map[string]string) {
	t.Helper()
	in.edit(t, "vars.xml", "internal_ssl_enable=false", "internal_ssl_enable=true")
	in.edit(t, "vars.xml", "internal_tls_port=5061", "internal_tls_port=0")
	addresses = map[string]string{"ws": freePort(t), "wss": freePort(t)}
	in.edit(t, "sip_profiles/internal.xml", `"ws-binding" value=""`, `"ws-binding" value=":`+portOf(addresses["ws"])+`"`)
	in.edit(t, "sip_profiles/internal.xml", `"wss-binding" value=""`, `"wss-binding" value="`+addresses["wss"]+`"`)
	return addresses
}

// over is a phone for the profile "internal" on another transport.
func over(t *testing.T, in *installation, addresses map[string]string, transport string) *phone {
	t.Helper()
	p := call(t, in, "internal")
	address := p.conn.RemoteAddr().String()
	switch transport {
	case "udp":
		return p
	case "ws", "wss":
		address = addresses[transport]
	case "tls":
		status, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), "sofia status")
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?m)^ *internal\tprofile\t +sip:mod_sofia@(\S+)\tRUNNING \(0\) \(TLS\)$`).FindStringSubmatch(status)
		if found == nil {
			t.Fatalf("no TLS in\n%s", status)
		}
		address = found[1]
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if transport == "tls" || transport == "wss" {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // it signed itself
	}
	s := &stream{Conn: conn, reader: bufio.NewReader(conn)}
	if strings.HasPrefix(transport, "ws") {
		s.frames = true
		s.upgrade(t, "sip")
	}
	p.conn = s
	return p
}

// stream makes a Read of each message, and a message of each Write.
type stream struct {
	net.Conn
	reader *bufio.Reader
	frames bool
}

func (s *stream) upgrade(t *testing.T, protocol string) {
	t.Helper()
	const key, accept = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" // RFC 6455, 1.3
	if _, err := fmt.Fprintf(s.Conn, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\n\r\n", key, protocol); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(s.reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close() // an upgrade has none
	if response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Sec-WebSocket-Accept") != accept || response.Header.Get("Sec-WebSocket-Protocol") != protocol {
		t.Fatalf("the upgrade: %s %v", response.Status, response.Header)
	}
}

func (s *stream) Write(message []byte) (int, error) {
	if s.frames {
		return len(message), s.writeFrame(0x81, message)
	}
	return s.Conn.Write(message)
}

func (s *stream) writeFrame(head byte, payload []byte) error {
	frame := binary.BigEndian.AppendUint16([]byte{head, 0x80 | 126}, uint16(len(payload)))
	mask := []byte{1, 2, 3, 4}
	frame = append(frame, mask...)
	for i, b := range payload {
		frame = append(frame, b^mask[i%4])
	}
	_, err := s.Conn.Write(frame)
	return err
}

func (s *stream) Read(message []byte) (int, error) {
	if s.frames {
		_, payload, err := s.readFrame()
		return copy(message, payload), err
	}
	var text bytes.Buffer
	length := 0
	for {
		line, err := s.reader.ReadString('\n')
		if err != nil {
			return 0, err
		}
		text.WriteString(line)
		if value, found := strings.CutPrefix(line, "Content-Length: "); found {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
		if line == "\r\n" {
			break
		}
	}
	_, err := io.CopyN(&text, s.reader, int64(length))
	return copy(message, text.Bytes()), err
}

func (s *stream) readFrame() (kind byte, payload []byte, err error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(s.reader, head[:2]); err != nil {
		return 0, nil, err
	}
	length := int(head[1])
	if length == 126 {
		if _, err := io.ReadFull(s.reader, head[2:]); err != nil {
			return 0, nil, err
		}
		length = int(binary.BigEndian.Uint16(head[2:]))
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(s.reader, payload)
	return head[0], payload, err
}

// The log and the events have the true address, whatever a request came over.
func TestTransports(t *testing.T) {
	for _, transport := range []string{"udp", "tcp", "tls", "ws", "wss"} {
		t.Run(transport, func(t *testing.T) {
			in := install(t)
			addresses := everyTransport(t, in)
			in.logAuthFailures(t)
			in.start(t)
			p := over(t, in, addresses, transport)
			l := listen(t, in, watched)
			if got := p.login("REGISTER", "1001", "wrong"); got != "403 Forbidden" {
				t.Errorf("a wrong password: %s", got)
			}
			if want := "SIP auth failure (REGISTER) on sofia profile 'internal' for [1001@127.0.0.1] from ip 127.0.0.1\n"; !strings.Contains(in.log(t), want) {
				t.Errorf("no %q in\n%s", want, in.log(t))
			}
			port := portOf(p.conn.LocalAddr().String())
			if _, event := l.read(); header(event, "network-ip") != "127.0.0.1" || header(event, "network-port") != port {
				t.Errorf("the event: %v", event)
			}
			if got := p.login("REGISTER", "1001", "1234"); got != "200 OK" {
				t.Errorf("the right password: %s", got)
			}
			shown, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), "show registrations")
			if want := ",127.0.0.1," + port + "," + transport + ","; err != nil || !strings.Contains(shown, want) {
				t.Errorf("no %s in %q, %v", want, shown, err)
			}
		})
	}
}

// What a stream cuts, joins or leaves open.
func TestStreams(t *testing.T) {
	in := install(t)
	addresses := everyTransport(t, in)
	in.start(t)
	options := func(id string, headers ...string) string {
		lines := append([]string{"OPTIONS sip:x SIP/2.0", "Via: SIP/2.0/TCP a;branch=z9hG4bK1", "From: <sip:a@b>;tag=1", "To: <sip:a@b>", "Call-ID: " + id, "CSeq: 1 OPTIONS"}, headers...)
		return strings.Join(lines, "\r\n") + "\r\n\r\n"
	}
	tests := []struct {
		name   string
		pieces []string
		ids    []string // of the answers
		closed bool
	}{
		{"two at once", []string{options("1", "Content-Length: 0") + options("2", "l: 0")}, []string{"1", "2"}, false},
		{"one in pieces", []string{options("1")[:20], options("1")[20:50], options("1")[50:]}, []string{"1"}, false},
		{"a body in pieces", []string{options("1", "Content-Length: 4") + "ab", "cd" + options("2")}, []string{"1", "2"}, false},
		{"no message", []string{"hello\r\n\r\n" + options("2")}, []string{"2"}, false},
		{"a length that is none", []string{options("1", "Content-Length: -1")}, nil, true},
		{"a length beyond reason", []string{options("1", "Content-Length: 99999999")}, nil, true},
		{"a head without end", []string{strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 100)}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := over(t, in, addresses, "tcp")
			for _, piece := range tt.pieces {
				_, _ = io.WriteString(p.conn, piece) // which may be closed by now
				time.Sleep(5 * time.Millisecond)
			}
			for _, id := range tt.ids {
				if got := p.receive("OPTIONS", func(string) bool { return true }); !strings.Contains(got, "\r\nCall-ID: "+id+"\r\n") {
					t.Errorf("want the answer to %s, got %q", id, got)
				}
			}
			if tt.closed {
				_ = p.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
				if n, err := p.conn.Read(make([]byte, 10)); err == nil || strings.Contains(err.Error(), "timeout") {
					t.Errorf("the connection is still there: %d, %v", n, err)
				}
			}
		})
	}
	t.Run("a ping", func(t *testing.T) {
		s := over(t, in, addresses, "tcp").conn.(*stream)
		_, _ = io.WriteString(s.Conn, "\r\n\r\n")
		_ = s.SetReadDeadline(time.Now().Add(20 * time.Second))
		if got, err := s.reader.ReadString('\n'); got != "\r\n" {
			t.Errorf("the pong is %q, %v", got, err)
		}
	})
	t.Run("frames", func(t *testing.T) {
		p := over(t, in, addresses, "ws")
		s := p.conn.(*stream)
		message := []byte(options("1"))
		for _, f := range []struct {
			head    byte
			payload []byte
		}{{0x02, message[:30]}, {0x89, []byte("ping")}, {0x80, message[30:]}} { // binary, in two frames with a ping between
			if err := s.writeFrame(f.head, f.payload); err != nil {
				t.Fatal(err)
			}
		}
		if kind, payload, err := s.readFrame(); kind != 0x8a || string(payload) != "ping" {
			t.Errorf("the pong is %x %q, %v", kind, payload, err)
		}
		if got := p.receive("OPTIONS", func(string) bool { return true }); !strings.Contains(got, "\r\nCall-ID: 1\r\n") {
			t.Errorf("got %q", got)
		}
		if err := s.writeFrame(0x88, nil); err != nil {
			t.Fatal(err)
		}
		if kind, _, err := s.readFrame(); kind != 0x88 {
			t.Errorf("the answer to a close is %x, %v", kind, err)
		}
	})
	t.Run("no WebSocket", func(t *testing.T) {
		conn, err := net.Dial("tcp", addresses["ws"])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if got, _ := io.ReadAll(conn); string(got) != "HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\n\r\n" {
			t.Errorf("got %q", got)
		}
	})
}

// A profile one of whose addresses is taken does not run at all.
func TestTakenAddress(t *testing.T) {
	for _, transport := range []string{"tcp", "tls", "ws"} {
		t.Run(transport, func(t *testing.T) {
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer taken.Close()
			port := portOf(taken.Addr().String())
			in := install(t)
			switch transport {
			case "tcp":
				in.edit(t, "vars.xml", "internal_sip_port=0", "internal_sip_port="+port)
			case "tls":
				in.edit(t, "vars.xml", "internal_ssl_enable=false", "internal_ssl_enable=true")
				in.edit(t, "vars.xml", "internal_tls_port=5061", "internal_tls_port="+port)
			case "ws":
				in.edit(t, "sip_profiles/internal.xml", `"ws-binding" value=""`, `"ws-binding" value=":`+port+`"`)
			}
			in.start(t)
			if want := "Error Creating SIP UA for profile: internal ("; !strings.Contains(in.log(t), want) {
				t.Errorf("the log lacks %q", want)
			}
		})
	}
}
