package fakeswitch

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// event is one of FreeSWITCH's events: what it is called, and its headers in
// order. Those of a subclass are called CUSTOM.
type event struct {
	name, subclass string
	headers        []setting
}

// fire makes an event and offers it to whoever listens on the event socket. It
// never waits for a listener, and s.mu must not be held. place is FILE:LINE and,
// after a blank, the function. A header whose value is empty is sent as
// "_undef_"; one that FreeSWITCH would leave out must not be given.
func (s *Switch) fire(place, name, subclass string, headers ...setting) {
	s.mu.Lock()
	m := s.module
	v4, v6, host := s.variables["local_ip_v4"], s.variables["local_ip_v6"], s.variables["hostname"]
	s.mu.Unlock()
	place, function, _ := strings.Cut(place, " ")
	file, line, _ := strings.Cut(place, ":")

	s.events.Lock() // so that the numbers grow in the order of sending
	defer s.events.Unlock()
	s.sequence++
	if m == nil {
		return
	}
	now := s.now()
	e := &event{name: name, subclass: subclass}
	if subclass != "" {
		e.headers = append(e.headers, setting{"Event-Subclass", subclass})
	}
	e.headers = append(e.headers, []setting{ // switch_event.c:1972
		{"Event-Name", name},
		{"Core-UUID", s.uuid},
		{"FreeSWITCH-Hostname", host},
		{"FreeSWITCH-Switchname", host},
		{"FreeSWITCH-IPv4", v4},
		{"FreeSWITCH-IPv6", v6},
		{"Event-Date-Local", now.Format(time.DateTime)},
		{"Event-Date-GMT", now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")},
		{"Event-Date-Timestamp", strconv.FormatInt(now.UnixMicro(), 10)},
		{"Event-Calling-File", file},
		{"Event-Calling-Function", function},
		{"Event-Calling-Line-Number", line},
		{"Event-Sequence", strconv.FormatUint(s.sequence, 10)},
	}...)
	e.headers = append(e.headers, headers...)
	m.publish(e)
}

// header is the value of the first header of that name, in any case, and
// whether there is one.
func (e *event) header(name string) (string, bool) {
	for _, h := range e.headers {
		if strings.EqualFold(h.name, name) {
			return h.value, true
		}
	}
	return "", false
}

// plain is the event as "event plain" sends it (switch_event_serialize,
// switch_event.c:1527).
func (e *event) plain() string {
	var body strings.Builder
	for _, h := range e.headers {
		value := urlEncode(h.value)
		if value == "" {
			value = "_undef_"
		}
		body.WriteString(h.name + ": " + value + "\n")
	}
	body.WriteString("\n")
	return fmt.Sprintf("Content-Length: %d\nContent-Type: text/event-plain\n\n%s", body.Len(), body.String())
}

// urlEncode is switch_url_encode (switch_utils.c:3476): what is not safe in a
// header becomes %XX, but a text that looks like %XX already stays. So a
// decoder makes a line break of a "%0A" that an attacker wrote.
func urlEncode(value string) string {
	const unsafe, digits = "\r\n #%&+:;<=>?@[\\]^`{|}\"", "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		c := value[i]
		encoded := c == '%' && i+2 < len(value) && strings.IndexByte(digits, value[i+1]) >= 0 && strings.IndexByte(digits, value[i+2]) >= 0
		if !encoded && (c < ' ' || c > '~' || strings.IndexByte(unsafe, c) >= 0) {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
