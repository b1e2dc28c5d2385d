package fakeswitch_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/standin/fakeswitch"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
)

func TestPasswordAndAddress(t *testing.T) {
	tests := []struct {
		name     string
		edits    [][2]string
		password string
	}{
		{"as it ships", nil, "ClueCon"},
		{"changed", [][2]string{{`"ClueCon"`, `"NewSecret"`}}, "NewSecret"},
		{"empty is the default", [][2]string{{`"ClueCon"`, `""`}}, "ClueCon"},
		{"commented out is the default", [][2]string{{`<param name="password" value="ClueCon"/>`, `<!--<param name="password" value="x"/>-->`}}, "ClueCon"},
		{"the last one counts", [][2]string{{`<param name="password" value="ClueCon"/>`, `<param name="password" value="a"/><param name='password' value='b'/>`}}, "b"},
		{"a variable", [][2]string{{`"ClueCon"`, `"$${default_password}"`}}, "1234"},
		{"no such file is the default", [][2]string{{`"event_socket.conf"`, `"event_socket.conf.old"`}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := install(t)
			for _, e := range tt.edits {
				in.edit(t, "autoload_configs/event_socket.conf.xml", e[0], e[1])
			}
			if tt.password == "" { // then also the port is the default one, which the test may not have
				in.edit(t, "autoload_configs/acl.conf.xml", `<configuration name="acl.conf"`, `<configuration name="event_socket.conf"><settings><param name="listen-port" value="`+portOf(in.eventSocket)+`"/></settings></configuration><configuration name="acl.conf"`)
				tt.password = "ClueCon"
			}
			in.start(t)
			connect(t, in.eventSocket, tt.password)
			for _, wrong := range []string{"", "ClueConX", "wrong"} {
				if _, err := esl.Dial(bounded(t), in.eventSocket, wrong); !errors.Is(err, esl.ErrRefused) {
					t.Errorf("password %q: got %v, want ErrRefused", wrong, err)
				}
			}
		})
	}
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

func TestBytesOnTheWire(t *testing.T) {
	const (
		hello = "Content-Type: auth/request\n\n"
		bye   = "Content-Type: text/disconnect-notice\nContent-Length: 67\n\nDisconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
	)
	in := install(t)
	in.start(t)
	tests := []struct{ name, sent, got string }{
		{"refused", "auth wrong\n\n", hello + "Content-Type: command/reply\nReply-Text: -ERR invalid\n\n" + bye},
		{"accepted", "auth ClueCon\r\n\r\nexit\n\n", hello + "Content-Type: command/reply\nReply-Text: +OK accepted\n\nContent-Type: command/reply\nReply-Text: +OK bye\n\n" + bye},
		{"before the password", "api status\n\nreload mod_event_socket\n\nexit\n\n", hello + strings.Repeat("Content-Type: command/reply\nReply-Text: -ERR command not found\n\n", 2) + "Content-Type: command/reply\nReply-Text: +OK bye\n\n" + bye},
		{"headers of a command", "\n\nauth ClueCon\n\napi global_getvar default_password\nconsole_execute: true\n\nexit\n\n", hello + "Content-Type: command/reply\nReply-Text: +OK accepted\n\nContent-Type: api/response\nContent-Length: 4\n\n1234Content-Type: command/reply\nReply-Text: +OK bye\n\n" + bye},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", in.eventSocket)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, tt.sent); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.got {
				t.Errorf("got\n%q, want\n%q", got, tt.got)
			}
		})
	}
}

func TestAccessList(t *testing.T) {
	tests := []struct {
		list    string
		allowed bool
	}{
		{"loopback.auto", true},
		{"127.0.0.0/8", true},
		{"10.0.0.0/8", false},
		{"any_v6.auto", false},
		{"lan", true}, // vanilla's default is allow
		{"domains", false},
		{"nosuch", false},
	}
	for _, tt := range tests {
		t.Run(tt.list, func(t *testing.T) {
			in := install(t)
			in.edit(t, "autoload_configs/event_socket.conf.xml", `<!--<param name="apply-inbound-acl" value="loopback.auto"/>-->`, `<param name="apply-inbound-acl" value="`+tt.list+`"/>`)
			in.start(t)
			conn, err := esl.Dial(bounded(t), in.eventSocket, "ClueCon")
			if tt.allowed {
				if err != nil {
					t.Fatal(err)
				}
				conn.Close()
				return
			}
			if !errors.Is(err, esl.ErrRejected) {
				t.Errorf("got %v, want ErrRejected", err)
			}
			if want := `IP 127.0.0.1 Rejected by acl "` + tt.list + `"`; !strings.Contains(in.log(t), want) {
				t.Errorf("the log lacks %s", want)
			}
		})
	}
}

// The order of a live change: reloadxml alone changes nothing, the reload of
// the module everything, and the old password is refused from then on.
func TestReload(t *testing.T) {
	in := install(t)
	in.start(t)
	conn := connect(t, in.eventSocket, "ClueCon")
	in.edit(t, "autoload_configs/event_socket.conf.xml", `"ClueCon"`, `"NewSecret"`)
	in.edit(t, "autoload_configs/event_socket.conf.xml", `"::"`, `"127.0.0.1"`)
	if _, err := conn.API(bounded(t), "reloadxml"); err != nil {
		t.Fatal(err)
	}
	connect(t, in.eventSocket, "ClueCon")
	if _, err := esl.Dial(bounded(t), in.eventSocket, "NewSecret"); !errors.Is(err, esl.ErrRefused) {
		t.Errorf("the new password before the reload: %v", err)
	}
	if answer, err := conn.API(bounded(t), "reload mod_event_socket"); err != nil || !strings.HasPrefix(answer, "+OK Job-UUID: ") {
		t.Errorf("reload answers %q, %v", answer, err)
	}
	eventually(t, "the new password works", func() bool {
		conn, err := esl.Dial(bounded(t), in.eventSocket, "NewSecret")
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	if _, err := esl.Dial(bounded(t), in.eventSocket, "ClueCon"); !errors.Is(err, esl.ErrRefused) {
		t.Errorf("the old password after the reload: %v", err)
	}
	if _, err := conn.API(bounded(t), "status"); !errors.Is(err, esl.ErrDropped) {
		t.Errorf("the old connection: %v", err)
	}
	if _, err := esl.Dial(bounded(t), net.JoinHostPort("::1", portOf(in.eventSocket)), "NewSecret"); err == nil {
		t.Error("it listens on ::1 though the address is 127.0.0.1")
	}
}

func TestReloadOfAModuleInUse(t *testing.T) {
	in := install(t)
	in.start(t)
	in.misbehave(t, fakeswitch.ModuleInUse)
	in.edit(t, "autoload_configs/event_socket.conf.xml", `"ClueCon"`, `"NewSecret"`)
	conn := connect(t, in.eventSocket, "ClueCon")
	if _, err := conn.API(bounded(t), "reload mod_event_socket"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log says that the module is in use", func() bool {
		return strings.Contains(in.log(t), "Module mod_event_socket is in use, cannot unload.")
	})
	if _, err := conn.API(bounded(t), "status"); err != nil {
		t.Errorf("the connection did not survive: %v", err)
	}
	if _, err := esl.Dial(bounded(t), in.eventSocket, "NewSecret"); !errors.Is(err, esl.ErrRefused) {
		t.Errorf("the new password: %v", err)
	}
}

func TestHang(t *testing.T) {
	in := install(t)
	in.start(t)
	conn := connect(t, in.eventSocket, "ClueCon")
	in.misbehave(t, fakeswitch.Hang)
	short, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := conn.API(short, "status"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a session: %v", err)
	}
	if _, err := esl.Dial(short, in.eventSocket, "ClueCon"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a new session: %v", err)
	}
}

// A tree that no longer parses is told of, and what ran goes on.
func TestReloadOfABrokenTree(t *testing.T) {
	in := install(t)
	in.start(t)
	in.edit(t, "autoload_configs/event_socket.conf.xml", `"ClueCon"/>`, `"NewSecret">`)
	conn := connect(t, in.eventSocket, "ClueCon")
	if answer, err := conn.API(bounded(t), "reloadxml"); err == nil {
		t.Errorf("reloadxml answers %q", answer)
	}
	if _, err := fakeswitch.Start(in.Options); err == nil {
		t.Error("a broken tree starts")
	}
}
