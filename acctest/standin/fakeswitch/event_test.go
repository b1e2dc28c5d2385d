package fakeswitch

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestURLEncode(t *testing.T) {
	for value, want := range map[string]string{
		"":                 "",
		"1001":             "1001",
		"a b":              "a%20b",
		`"" <sip:1@[::1]>`: "%22%22%20%3Csip%3A1%40%5B%3A%3A1%5D%3E",
		"a\r\nb":           "a%0D%0Ab",
		"x%0Ay":            "x%0Ay", // an attacker's, and a decoder's line break
		"100%":             "100%25",
		"%zz":              "%25zz",
		"é":                "%C3%A9",
		"a/b_c-d.e~f":      "a/b_c-d.e~f",
	} {
		if got := urlEncode(value); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}

func TestWanted(t *testing.T) {
	register := &event{"CUSTOM", registered, []setting{{"network-ip", "192.0.2.1"}, {"profile-name", "internal"}}}
	answer := &event{"CHANNEL_ANSWER", "", []setting{{"Call-Direction", "inbound"}}}
	tests := []struct {
		name             string
		commands         []string // of subscription: the verb, and its argument
		register, answer bool
	}{
		{"nothing", nil, false, false},
		{"a name", []string{"event plain CHANNEL_ANSWER"}, false, true},
		{"in small letters, with the prefix", []string{"event switch_event_channel_answer"}, false, true},
		{"a subclass", []string{"event plain CUSTOM sofia::register"}, true, false},
		{"another subclass", []string{"event plain CUSTOM sofia::expire"}, false, false},
		{"CUSTOM without a subclass", []string{"event plain CUSTOM"}, false, false},
		{"a name before CUSTOM", []string{"event plain CHANNEL_ANSWER CUSTOM sofia::register"}, true, true},
		{"a name after CUSTOM is a subclass", []string{"event plain CUSTOM sofia::register CHANNEL_ANSWER"}, true, false},
		{"all", []string{"event plain ALL"}, true, true},
		{"all but one", []string{"event plain ALL", "nixevent CHANNEL_ANSWER"}, true, false},
		{"all but a subclass", []string{"event plain CUSTOM sofia::register", "nixevent CUSTOM sofia::register"}, false, false},
		{"no more", []string{"event plain ALL", "noevents"}, false, false},
		{"a filter that fits", []string{"event plain ALL", "filter Call-Direction inbound"}, false, true},
		{"in any case", []string{"event plain ALL", "filter call-direction INBOUND"}, false, true},
		{"a filter that excludes", []string{"event plain ALL", "filter Call-Direction +inbound", "filter profile-name -internal"}, false, true},
		{"two filters", []string{"event plain ALL", "filter Call-Direction inbound", "filter profile-name internal"}, true, true},
		{"a filter gone", []string{"event plain ALL", "filter Call-Direction outbound", "filter delete Call-Direction outbound"}, true, true},
		{"all filters gone", []string{"event plain ALL", "filter x y", "filter delete all"}, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sub := &subscription{}
			for _, command := range tt.commands {
				verb, rest, _ := strings.Cut(command, " ")
				answer := map[string]func() string{
					"event":    func() string { return sub.add(strings.Fields(rest)) },
					"nixevent": func() string { return sub.remove(strings.Fields(rest)) },
					"noevents": sub.end,
					"filter":   func() string { return sub.filter(rest) },
				}[verb]()
				if !strings.HasPrefix(answer, "+OK") {
					t.Fatalf("%s: %s", command, answer)
				}
			}
			if got := sub.wants(register); got != tt.register {
				t.Errorf("the registration: %t", got)
			}
			if got := sub.wants(answer); got != tt.answer {
				t.Errorf("the answer: %t", got)
			}
		})
	}
}

// A listener that does not read holds nothing up, and is thrown out in the end;
// one that reads gets every event.
func TestListenerThatDoesNotRead(t *testing.T) {
	m := &eventSocket{owner: &Switch{log: &logger{loaded: true}}, unloaded: make(chan struct{}), sessions: map[*session]struct{}{}}
	m.owner.module, m.owner.now = m, time.Now
	listen := func(capacity int) net.Conn {
		near, far := net.Pipe()
		t.Cleanup(func() { near.Close(); far.Close() })
		s := newSession(m, near)
		s.wanted.add([]string{"ALL"})
		s.wanted.queue = make(chan *event, capacity)
		m.sessions[s] = struct{}{}
		s.pump()
		t.Cleanup(func() { close(s.ended) })
		return far
	}
	const sent = 2*maxMissed + 20 // one that finds room starts the count anew
	lazy, eager := listen(10), listen(sent)
	done := make(chan string)
	go func() {
		text, _ := io.ReadAll(eager)
		done <- string(text)
	}()
	fired := make(chan struct{})
	go func() {
		defer close(fired)
		for range sent {
			m.owner.fire("x.c:1 x", "HEARTBEAT", "")
		}
	}()
	select {
	case <-fired:
	case <-time.After(20 * time.Second):
		t.Fatal("the storm waits for a listener")
	}
	_ = lazy.SetReadDeadline(time.Now().Add(20 * time.Second)) // which fails once it is thrown out
	if text, err := io.ReadAll(lazy); err != nil && !errors.Is(err, io.ErrClosedPipe) || strings.Count(string(text), "Event-Name: HEARTBEAT") > 10 {
		t.Errorf("the lazy one was not thrown out: %d bytes, %v", len(text), err)
	}
	for s := range m.sessions {
		if cap(s.wanted.queue) == sent {
			for len(s.wanted.queue) > 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}
	time.Sleep(20 * time.Millisecond) // the last one is on its way
	eager.Close()
	if got := strings.Count(<-done, "Event-Name: HEARTBEAT"); got != sent {
		t.Errorf("the eager one got %d of %d", got, sent)
	}
}
