package fakeswitch

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

// call is one that "originate" made. It carries no sound: it is there for what
// must not end it.
type call struct {
	uuid, destination, application string
	created                        time.Time
	conn                           net.Conn // of the application socket, else nil
}

// originate makes a call that is answered at once, as null/ and loopback/ do, and
// gives it to an application: "originate null/x &park" (mod_commands.c:5162).
// "&socket(HOST:PORT ...)" connects there and holds mod_event_socket for as long
// as the other side keeps the connection (mod_event_socket.c, socket_function).
func (s *Switch) originate(argument string) string {
	destination, application, found := strings.Cut(argument, " &")
	if !found || destination == "" {
		return "-USAGE: <call url> <exten>|&<application_name>(<app_args>)\n"
	}
	c := &call{uuid: newUUID(), destination: destination, application: application, created: s.now()}
	if to, isSocket := strings.CutPrefix(application, "socket("); isSocket {
		address, _, _ := strings.Cut(strings.TrimSuffix(to, ")"), " ")
		conn, err := net.Dial("tcp", address)
		if err != nil {
			s.log.line("ERR", "mod_event_socket.c:455", "Socket Error!")
			return "+OK " + c.uuid + "\n" // it was answered, and ended with the application
		}
		c.conn = conn
		s.jobs.Add(1)
		go s.hold(c)
	}
	s.mu.Lock()
	s.calls = append(s.calls, c)
	s.mu.Unlock()
	s.fire("switch_channel.c:3846 switch_channel_perform_mark_answered", "CHANNEL_ANSWER", "", c.headers("answered")...)
	return "+OK " + c.uuid + "\n"
}

// hold ends a call once the other side of its socket does.
func (s *Switch) hold(c *call) {
	defer s.jobs.Done()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, c.conn)
	}()
	select {
	case <-ended:
	case <-s.stopped:
	}
	_ = c.conn.Close()
	<-ended
	s.mu.Lock()
	s.calls = slices.DeleteFunc(s.calls, func(other *call) bool { return other == c })
	s.mu.Unlock()
	s.fire("switch_core_state_machine.c:943 switch_core_session_reporting_state", "CHANNEL_HANGUP_COMPLETE", "",
		append([]setting{{"Hangup-Cause", "NORMAL_CLEARING"}}, c.headers("hangup")...)...)
}

// headers are those of an event of the call. It came by no SIP profile.
func (c *call) headers(answerState string) []setting {
	return []setting{
		{"Channel-Name", c.destination}, {"Unique-ID", c.uuid}, {"Call-Direction", "outbound"},
		{"Presence-Call-Direction", "outbound"}, {"Answer-State", answerState},
		{"Caller-Direction", "outbound"}, {"variable_uuid", c.uuid},
	}
}

// holdsModule tells whether an application holds mod_event_socket.
func (s *Switch) holdsModule() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.calls, func(c *call) bool { return c.conn != nil })
}

// showCalls answers "show calls" with the first columns of FreeSWITCH's view
// (switch_core_sqldb.c, basic_calls).
func (s *Switch) showCalls() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == 0 {
		return "\n0 total.\n"
	}
	var b strings.Builder
	b.WriteString("uuid,direction,created,created_epoch,name,state\n")
	for _, c := range s.calls {
		fmt.Fprintf(&b, "%s,outbound,%s,%d,%s,CS_EXECUTE\n", c.uuid, c.created.Format(time.DateTime), c.created.Unix(), c.destination)
	}
	fmt.Fprintf(&b, "\n%d total.\n", len(s.calls))
	return b.String()
}
