package esl

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Event is what FreeSWITCH tells by itself, by the names of its headers. The
// values are as they were before switch_event_serialize encoded them. Of a name
// that comes twice the first value counts: FreeSWITCH's own headers come before
// those that a SIP message brought.
type Event map[string]string

// Name is the event's, such as CHANNEL_ANSWER; of a CUSTOM one its subclass,
// such as sofia::register.
func (e Event) Name() string {
	if e["Event-Name"] == "CUSTOM" {
		return e["Event-Subclass"]
	}
	return e["Event-Name"]
}

// Subscribe asks for events by their names; those with colons are subclasses of
// CUSTOM. From then on Next reads the connection, and API must not be called.
func (c *Conn) Subscribe(ctx context.Context, names ...string) error {
	var plain, custom []string
	for _, n := range names {
		if hasControl(n) || strings.Contains(n, " ") {
			return fmt.Errorf("event name %q: a name is one word", n)
		}
		if strings.Contains(n, "::") {
			custom = append(custom, n)
		} else {
			plain = append(plain, n)
		}
	}
	// What follows the word CUSTOM is taken for subclasses (parse_command).
	command := "event plain " + strings.Join(append(append(plain, "CUSTOM"), custom...), " ")
	var reply string
	err := c.bounded(ctx, func() (err error) {
		reply, err = c.exchange(command)
		return err
	})
	if err != nil {
		c.Close()
		return fmt.Errorf("subscribing to events: %w", err)
	}
	if !strings.HasPrefix(reply, "+OK") {
		c.Close()
		return fmt.Errorf("subscribing to events: FreeSWITCH answered %s", excerpt(reply))
	}
	return nil
}

// Ping asks for an answer, which Next tells of as an Event without headers: a
// FreeSWITCH that hangs keeps its connections, and says nothing.
func (c *Conn) Ping() error { return c.send("api uptime") }

// Next waits for the next event until ctx ends, which closes the connection, as
// every error does. ErrDropped says that FreeSWITCH closed it.
func (c *Conn) Next(ctx context.Context) (Event, error) {
	var event Event
	err := c.bounded(ctx, func() error {
		m, err := c.receive()
		if err == nil && m.kind == "text/event-plain" {
			event = parseEvent(m.body)
		}
		return err
	})
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("waiting for an event: %w", err)
	}
	return event, nil
}

// parseEvent reads "Name: value" lines, up to the empty one behind which a body
// may follow (switch_event_serialize, switch_event.c).
func parseEvent(body string) Event {
	e := Event{}
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			break
		}
		name, value, found := strings.Cut(line, ": ")
		if !found {
			continue
		}
		if _, again := e[name]; again {
			continue
		}
		e[name] = decoded(value)
	}
	return e
}

// decoded undoes switch_url_encode: %XX is a byte. What is no such thing stays
// as it is. (net/url would add 60 KB to the helper.)
func decoded(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if b, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out = append(out, byte(b))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}
