package fakeswitch_test

import (
	"bufio"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// listener is a connection to the event socket that gets events.
type listener struct {
	t    *testing.T
	conn net.Conn
	text *textproto.Reader
}

func listen(t *testing.T, in *installation, commands ...string) *listener {
	t.Helper()
	conn, err := net.Dial("tcp", in.eventSocket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	l := &listener{t, conn, textproto.NewReader(bufio.NewReader(conn))}
	l.read()
	for _, command := range append([]string{"auth ClueCon"}, commands...) {
		if reply := l.ask(command); !strings.HasPrefix(reply, "+OK") {
			t.Fatalf("%s: %s", command, reply)
		}
	}
	return l
}

func (l *listener) ask(command string) string {
	l.t.Helper()
	if _, err := io.WriteString(l.conn, command+"\n\n"); err != nil {
		l.t.Fatal(err)
	}
	head, _ := l.read()
	return head.Get("Reply-Text")
}

// read reads a message: its headers, and those of the event in its body.
func (l *listener) read() (head, event textproto.MIMEHeader) {
	l.t.Helper()
	if err := l.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		l.t.Fatal(err)
	}
	head, err := l.text.ReadMIMEHeader()
	if err != nil {
		l.t.Fatal(err)
	}
	length, _ := strconv.Atoi(head.Get("Content-Length"))
	body := make([]byte, length)
	if _, err := io.ReadFull(l.text.R, body); err != nil {
		l.t.Fatal(err)
	}
	if head.Get("Content-Type") != "text/event-plain" {
		return head, nil
	}
	event, err = textproto.NewReader(bufio.NewReader(strings.NewReader(string(body)))).ReadMIMEHeader()
	if err != nil {
		l.t.Fatalf("%v in %q", err, body)
	}
	return head, event
}

// header is a header of an event, decoded.
func header(event textproto.MIMEHeader, name string) string {
	value, err := url.PathUnescape(event.Get(name))
	if err != nil {
		return err.Error()
	}
	return value
}

const watched = "event plain CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE CUSTOM sofia::register sofia::register_failure sofia::unregister"

func TestEvents(t *testing.T) {
	in := install(t)
	in.start(t)
	sdp := "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\n"
	tests := []struct {
		name    string
		does    func(internal, external *phone)
		events  []map[string]string // in order; PORT stands for the phone's
		missing []string            // headers that the last one must not have
	}{
		{"a registration", func(internal, _ *phone) { internal.login("REGISTER", "1001", "1234") }, []map[string]string{{
			"Event-Name": "CUSTOM", "Event-Subclass": "sofia::register", "profile-name": "internal", "from-user": "1001", "from-host": "127.0.0.1",
			"username": "1001", "realm": "127.0.0.1", "network-ip": "127.0.0.1", "network-port": "PORT", "expires": "300", "user-agent": "probe/1 (x:y)",
			"contact": `"" <sip:me@127.0.0.1:9>`, "Event-Calling-File": "sofia_reg.c",
		}}, nil},
		{"a wrong password", func(internal, _ *phone) { internal.login("REGISTER", "1001", "wrong") }, []map[string]string{{
			"Event-Subclass": "sofia::register_failure", "profile-name": "internal", "to-user": "1001", "to-host": "127.0.0.1",
			"network-ip": "127.0.0.1", "network-port": "PORT", "user-agent": "probe/1 (x:y)", "registration-type": "REGISTER",
		}}, []string{"username"}},
		{"a wrong password of a call", func(internal, _ *phone) { internal.login("INVITE", "1001", "wrong") }, []map[string]string{{
			"Event-Subclass": "sofia::register_failure", "registration-type": "INVITE", "network-ip": "127.0.0.1",
		}, {
			"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Hangup-Cause": "CALL_REJECTED", "variable_sip_from_user": "1001",
		}}, []string{"variable_sip_network_ip", "Caller-Network-Addr", "variable_sofia_profile_name"}},
		{"a registration's end", func(internal, _ *phone) { internal.login("REGISTER", "1001", "1234", "Expires: 0") }, []map[string]string{{
			"Event-Subclass": "sofia::unregister", "profile-name": "internal", "username": "1001", "network-ip": "127.0.0.1", "network-port": "PORT", "expires": "0",
		}}, nil},
		{"a call without SDP", func(_, external *phone) { external.send("INVITE", "1001") }, []map[string]string{{
			"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Hangup-Cause": "MANDATORY_IE_MISSING", "Answer-State": "hangup", "Call-Direction": "inbound",
			"variable_sip_network_ip": "127.0.0.1", "variable_sip_network_port": "PORT", "variable_sofia_profile_name": "external",
			"variable_sip_user_agent": "probe/1 (x:y)", "variable_sip_from_user": "1001", "variable_sip_hangup_disposition": "send_refuse",
		}}, []string{"variable_sip_authorized"}},
		{"a call nowhere", func(_, external *phone) {
			external.body = sdp
			external.send("INVITE", "9011442071838", "Call-ID: nowhere@x")
		}, []map[string]string{{
			"Hangup-Cause": "NORMAL_CLEARING", "Caller-Destination-Number": "9011442071838", "Caller-Context": "public", "variable_sip_call_id": "nowhere@x",
		}}, nil},
		{"a call that is answered", func(_, external *phone) {
			external.body = sdp
			external.send("INVITE", "3500", "Call-ID: answered@x")
			external.body = ""
			external.send("BYE", "3500", "Call-ID: answered@x")
		}, []map[string]string{
			{"Event-Name": "CHANNEL_ANSWER", "Answer-State": "answered", "variable_sip_network_ip": "127.0.0.1", "variable_sip_call_id": "answered@x"},
			{"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Hangup-Cause": "NORMAL_CLEARING", "variable_sip_hangup_disposition": "recv_bye", "variable_sip_call_id": "answered@x"},
		}, nil},
		{"a call with a password", func(internal, _ *phone) {
			internal.body, internal.number = sdp, "3001"
			internal.login("INVITE", "1001", "1234")
		}, []map[string]string{{"Event-Name": "CHANNEL_ANSWER", "variable_sip_authorized": "true", "Caller-Context": "default", "variable_sofia_profile_name": "internal"}}, nil},
		{"a call given up", func(internal, external *phone) {
			internal.login("REGISTER", "1001", "1234")
			external.body = sdp
			external.ring("1001", "Call-ID: ringing@x")
			external.body = ""
			external.send("CANCEL", "1001", "Call-ID: ringing@x")
			internal.login("REGISTER", "1001", "1234", "Expires: 0")
		}, []map[string]string{
			{"Event-Subclass": "sofia::register"},
			{"Hangup-Cause": "ORIGINATOR_CANCEL", "variable_sip_hangup_disposition": "recv_cancel"},
			{"Event-Subclass": "sofia::unregister"},
		}, nil},
		{"a user who is not there", func(_, external *phone) {
			external.body = sdp
			external.send("INVITE", "1001")
		}, []map[string]string{{"Hangup-Cause": "USER_NOT_REGISTERED"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t, in, watched)
			internal, external := call(t, in, "internal"), call(t, in, "external")
			internal.agent, external.agent = "probe/1 (x:y)", "probe/1 (x:y)"
			tt.does(internal, external)
			ports := portOf(internal.conn.LocalAddr().String()) + " " + portOf(external.conn.LocalAddr().String())
			var event textproto.MIMEHeader
			for _, want := range tt.events {
				_, event = l.read()
				for name, value := range want {
					got := header(event, name)
					if value == "PORT" && got != "" && strings.Contains(ports, got) {
						continue
					}
					if got != value {
						t.Errorf("%s is %q, want %q, in %v", name, got, value, event)
					}
				}
			}
			for _, name := range tt.missing {
				if got := event.Get(name); got != "" {
					t.Errorf("%s is %q", name, got)
				}
			}
		})
	}
}

func TestEventCommands(t *testing.T) {
	in := install(t)
	in.start(t)
	l := listen(t, in)
	for _, tt := range []struct{ command, reply string }{
		{"noevents", "-ERR not listening for events"},
		{"event plain", "-ERR no keywords supplied"},
		{"event plain NOSUCH", "-ERR no keywords supplied"},
		{"event json ALL", "-ERR the stand-in sends events as plain only"},
		{"events plain HEARTBEAT", "+OK event listener enabled plain"},
		{"event CUSTOM sofia::register", "+OK event listener enabled plain"},
		{"nixevent HEARTBEAT", "+OK events nixed"},
		{"nixevent NOSUCH", "-ERR no keywords supplied"},
		{"filter Unique-ID", "-ERR invalid syntax"},
		{"filter Unique-ID 1", "+OK filter added. [Unique-ID]=[1]"},
		{"filter add a b c", "+OK filter added. [a]=[b c]"},
		{"filter delete Unique-ID 1", "+OK filter deleted. [Unique-ID][1]"},
		{"noevents", "+OK no longer listening for events"},
	} {
		if got := l.ask(tt.command); got != tt.reply {
			t.Errorf("%s: got %q, want %q", tt.command, got, tt.reply)
		}
	}
}

// Events and answers of the API do not mix, and an originated call is told of.
func TestEventsBesideAnswers(t *testing.T) {
	in := install(t)
	in.start(t)
	l := listen(t, in, "event plain ALL")
	if _, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), "originate null/x &park"); err != nil {
		t.Fatal(err)
	}
	if _, event := l.read(); event.Get("Event-Name") != "CHANNEL_ANSWER" || event.Get("Call-Direction") != "outbound" {
		t.Errorf("got %v", event)
	}
}
