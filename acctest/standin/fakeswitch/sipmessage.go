package fakeswitch

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// request is a SIP request (RFC 3261). A header that is folded over several
// lines keeps its line breaks, which FreeSWITCH writes to its log as they are.
type request struct {
	method  string
	uri     string
	headers []setting
	body    string
	tag     string // of the To header of its answers, once there is one
}

// peer is where a request came from, and over what: udp, tcp, tls, ws or wss.
type peer struct {
	netip.AddrPort
	transport string
}

var compactNames = map[string]string{"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "o": "event"}

func parseRequest(packet string) (*request, error) {
	head, body, _ := strings.Cut(packet, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	method, rest, _ := strings.Cut(lines[0], " ")
	if method == "" || !strings.HasSuffix(rest, " SIP/2.0") {
		return nil, errors.New("no SIP request")
	}
	r := &request{method: method, uri: strings.TrimSuffix(rest, " SIP/2.0"), body: body}
	for _, line := range lines[1:] {
		if folded := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"); folded && len(r.headers) > 0 {
			r.headers[len(r.headers)-1].value += "\r\n" + line
			continue
		}
		name, value, found := strings.Cut(line, ":")
		if !found {
			return nil, fmt.Errorf("header line %q has no colon", line)
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if long, isCompact := compactNames[name]; isCompact {
			name = long
		}
		r.headers = append(r.headers, setting{name, strings.TrimSpace(value)})
	}
	for _, name := range []string{"via", "from", "to", "call-id", "cseq"} {
		if r.header(name) == "" {
			return nil, fmt.Errorf("no %s header", name)
		}
	}
	return r, nil
}

// header is the first header of that name, given in lower case, or "".
func (r *request) header(name string) string {
	for _, h := range r.headers {
		if h.name == name {
			return h.value
		}
	}
	return ""
}

// address splits the URI of a From, To or Contact into user and host. Whatever
// stands before the last @ is the user, brackets and blanks too.
func (r *request) address(name string) (user, host string) {
	return splitURI(r.header(name))
}

// target splits the URI that a request is sent to.
func (r *request) target() (user, host string) { return splitURI(r.uri) }

func splitURI(uri string) (user, host string) {
	if _, inside, found := strings.Cut(uri, "<"); found {
		uri, _, _ = strings.Cut(inside, ">")
	}
	_, uri, _ = strings.Cut(uri, ":") // sip:
	if at := strings.LastIndex(uri, "@"); at >= 0 {
		user, uri = uri[:at], uri[at+1:]
	}
	host, _, _ = strings.Cut(uri, ";")
	if end := strings.Index(host, "]"); end >= 0 { // an IPv6 address keeps its brackets
		return user, host[:end+1]
	}
	host, _, _ = strings.Cut(host, ":")
	return user, host
}

// respond makes a response to r that is sent to from. Each of more is a whole
// header line.
func (r *request) respond(status string, from peer, body string, more ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	first := true
	for _, h := range r.headers {
		if h.name != "via" {
			continue
		}
		if first {
			h.value = fmt.Sprintf("%s;received=%s;rport=%d", strings.ReplaceAll(h.value, ";rport", ""), from.Addr().Unmap(), from.Port())
		}
		first = false
		fmt.Fprintf(&b, "Via: %s\r\n", h.value)
	}
	to := r.header("to")
	if !strings.Contains(to, ";tag=") && !strings.HasPrefix(status, "100 ") {
		if r.tag == "" {
			r.tag = newUUID()[:8]
		}
		to += ";tag=" + r.tag
	}
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n", r.header("from"), to, r.header("call-id"), r.header("cseq"))
	for _, line := range more {
		b.WriteString(line + "\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}
