//go:build linux && acceptance

package acctest

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// answerWait is how long a SIP answer may take before a packet counts as
// unanswered for now; one that comes later is counted all the same.
const answerWait = time.Second

// connectWait is less than what a lost SYN takes to be sent again (tcp(7)).
const connectWait = 900 * time.Millisecond

// An attacker is one source address on the lab's network that speaks SIP over
// UDP with one machine, and counts which of its requests are answered.
type attacker struct {
	address netip.Addr
	target  netip.Addr
	conn    *net.UDPConn
	wait    time.Duration // for an answer

	mu       sync.Mutex
	sent     int
	answered map[string]bool        // by Call-ID
	waiting  map[string]chan string // for the final answer, by Call-ID
}

// aliases are made one after the other: a hundred programs at once take seconds.
var aliases sync.Mutex

// from makes an attacker with this address, which ends with the test.
func (m machine) from(t *testing.T, address string) *attacker {
	t.Helper()
	c := m.container()
	a := &attacker{
		address: netip.MustParseAddr(address), target: c.IPv4, wait: answerWait,
		answered: map[string]bool{}, waiting: map[string]chan string{},
	}
	if a.address.Is6() {
		a.target = c.IPv6
	}
	aliases.Lock()
	err := shop.Lab.Alias(shop.ctx, a.address)
	aliases.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if a.conn, err = shop.Lab.ListenUDP(netip.AddrPortFrom(a.address, 0)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.conn.Close() })
	go a.listen()
	return a
}

var (
	callID    = regexp.MustCompile(`(?mi)^(?:Call-ID|i): *(\S+)`)
	challenge = regexp.MustCompile(`(?mi)^(WWW|Proxy)-Authenticate: *Digest .*realm="([^"]*)".*nonce="([^"]*)"`)
)

// listen counts answers until the socket is closed.
func (a *attacker) listen() {
	packet := make([]byte, 1<<16)
	for {
		n, err := a.conn.Read(packet)
		if err != nil {
			return
		}
		text := string(packet[:n])
		found := callID.FindStringSubmatch(text)
		if found == nil || !strings.HasPrefix(text, "SIP/2.0 ") {
			continue
		}
		a.mu.Lock()
		a.answered[found[1]] = true
		wait := a.waiting[found[1]]
		a.mu.Unlock()
		if wait != nil && !strings.HasPrefix(text, "SIP/2.0 1") {
			select {
			case wait <- text:
			default: // a retransmission
			}
		}
	}
}

// counts are the requests that were sent, and how many of them were answered.
func (a *attacker) counts() (sent, answered int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sent, len(a.answered)
}

// request is one SIP request. The user stands in To and From, whatever it holds.
type request struct {
	method, user string
	called       string // of the request URI: a number or NUMBER@HOST; the machine itself where it is empty
	port         uint16
	headers      []string
	body         string
}

// send sends a request and waits for nothing.
func (a *attacker) send(r request) { a.post(r, nil) }

// ask sends a request and gives its final answer, or "" where none comes.
func (a *attacker) ask(r request) string {
	wait := make(chan string, 1)
	a.post(r, wait)
	select {
	case answer := <-wait:
		return answer
	case <-time.After(a.wait):
		return ""
	}
}

func (a *attacker) post(r request, wait chan string) {
	packet, id := a.packetAs(r, "UDP")
	if wait != nil {
		a.mu.Lock()
		a.waiting[id] = wait
		a.mu.Unlock()
	}
	a.transmit(packet, r.port)
}

// transmit sends a packet. One that the kernel here refuses to send is one that is
// not answered.
func (a *attacker) transmit(packet string, port uint16) {
	_, _ = a.conn.WriteToUDPAddrPort([]byte(packet), netip.AddrPortFrom(a.target, port))
}

// packet is a request's next one, counted as sent.
func (a *attacker) packet(r request, transport string) string {
	packet, _ := a.packetAs(r, strings.ToUpper(transport))
	return packet
}

func (a *attacker) packetAs(r request, transport string) (packet, id string) {
	a.mu.Lock()
	a.sent++
	id = fmt.Sprintf("%x-%d-%d", a.address.AsSlice(), a.conn.LocalAddr().(*net.UDPAddr).Port, a.sent)
	a.mu.Unlock()
	switch r.method {
	case "SUBSCRIBE", "PUBLISH":
		r.headers = append(slices.Clone(r.headers), "Event: presence", "Expires: 60")
	case "NOTIFY":
		r.headers = append(slices.Clone(r.headers), "Event: presence", "Subscription-State: active")
	case "REFER":
		r.headers = append(slices.Clone(r.headers), "Refer-To: <sip:1001@"+a.host()+">")
	}
	if r.body != "" {
		r.headers = append(slices.Clone(r.headers), "Content-Type: application/sdp")
	}
	who := "<sip:" + r.user + "@" + a.host() + ">"
	lines := append([]string{
		r.method + " sip:" + a.callee(r) + " SIP/2.0",
		"Via: SIP/2.0/" + transport + " " + a.conn.LocalAddr().String() + ";branch=z9hG4bK" + id + ";rport",
		"Max-Forwards: 70", "From: " + who + ";tag=" + id, "To: " + who,
		"Call-ID: " + id, "CSeq: 1 " + r.method,
		"Contact: <sip:phone@" + a.conn.LocalAddr().String() + ">",
	}, r.headers...)
	return strings.Join(lines, "\r\n") + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(r.body), r.body), id
}

// callee is who is called, as a SIP URI has it.
func (a *attacker) callee(r request) string {
	if r.called == "" || strings.Contains(r.called, "@") {
		return cmp.Or(r.called, a.host())
	}
	return r.called + "@" + a.host()
}

// host is the machine's address as a SIP URI has it.
func (a *attacker) host() string {
	if a.target.Is6() {
		return "[" + a.target.String() + "]"
	}
	return a.target.String()
}

// login sends a request, answers its challenge with the password, and gives the
// status line of the end, or "" where no answer came.
func (a *attacker) login(r request, password string) string {
	answer := a.ask(r)
	found := challenge.FindStringSubmatch(answer)
	if found == nil {
		return statusLine(answer)
	}
	header := map[string]string{"WWW": "Authorization", "Proxy": "Proxy-Authorization"}[found[1]]
	r.headers = append(slices.Clone(r.headers), header+": "+a.credentials(r, found[2], found[3], password))
	return statusLine(a.ask(r))
}

// credentials answer a challenge (RFC 2617, section 3.2.2).
func (a *attacker) credentials(r request, realm, nonce, password string) string {
	uri := "sip:" + a.callee(r)
	proof := md5Hex(strings.Join([]string{
		md5Hex(r.user + ":" + realm + ":" + password), nonce, "00000001", "abc", "auth", md5Hex(r.method + ":" + uri),
	}, ":"))
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s", algorithm=MD5, qop=auth, nc=00000001, cnonce="abc"`,
		r.user, realm, nonce, uri, proof)
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func statusLine(answer string) string {
	line, _, _ := strings.Cut(answer, "\r\n")
	return strings.TrimPrefix(line, "SIP/2.0 ")
}

// connect begins n TCP connections at once, and tells how many the machine
// took or refused: a packet that is dropped makes neither.
func (a *attacker) connect(port uint16, n int) {
	target := netip.AddrPortFrom(a.target, port).String()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(shop.ctx, connectWait)
			defer cancel()
			conn, err := shop.Lab.DialFrom(ctx, a.address, "tcp", target)
			if err == nil {
				_ = conn.Close()
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			a.sent++
			if err == nil || errors.Is(err, syscall.ECONNREFUSED) {
				a.answered[fmt.Sprintf("connection %d", a.sent)] = true
			}
		})
	}
	all.Wait()
}
