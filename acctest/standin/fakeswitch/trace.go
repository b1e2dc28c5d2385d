package fakeswitch

import (
	"fmt"
	"strings"
	"time"
)

// trace logs a packet while "sofia global siptrace on" holds. Its lines come
// without any prefix but three blanks (tport_logging.c, by way of sofia.c:3627),
// whoever wrote them.
func (s *Switch) trace(verb string, packet string, from peer) {
	s.mu.Lock()
	tracing := s.tracing
	s.mu.Unlock()
	if !tracing {
		return
	}
	const rule = "   ------------------------------------------------------------------------\n"
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d bytes from %s/[%s]:%d at %s:\n%s", verb, len(packet), from.transport, from.Addr().Unmap(), from.Port(), time.Now().Format("15:04:05.000000"), rule)
	for line := range strings.SplitSeq(strings.ReplaceAll(packet, "\r\n", "\n"), "\n") {
		b.WriteString("   " + line + "\n")
	}
	s.log.clean("CONSOLE", "sofia.c", "logger", b.String())
}

// siptrace switches the trace on or off (mod_sofia.c:4578).
func (s *Switch) siptrace(word string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tracing = isTrue(word)
	return "+OK Global siptrace " + word + "\n"
}
