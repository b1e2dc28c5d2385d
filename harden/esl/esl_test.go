package esl_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
)

// What FreeSWITCH sends in a handshake, byte for byte as mod_event_socket.c
// 1.10.12 does.
const (
	hello    = "Content-Type: auth/request\n\n"
	accepted = "Content-Type: command/reply\nReply-Text: +OK accepted\n\n"
	refused  = "Content-Type: command/reply\nReply-Text: -ERR invalid\n\n"
	goodbye  = "Content-Type: text/disconnect-notice\nContent-Length: 67\n\nDisconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
	rude     = "Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"
)

// script is what a server says: first at once, then one entry for each command
// it reads. After the last it hangs up, or stays silent where hang is set.
type script struct {
	says []string
	hang bool
}

// serve plays the script to every connection and returns the address, and the
// commands as they come.
func serve(t *testing.T, s script) (string, <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	commands := make(chan string, 16)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go play(conn, s, commands)
		}
	}()
	return listener.Addr().String(), commands
}

func play(conn net.Conn, s script, commands chan<- string) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for i, words := range s.says {
		if i > 0 {
			command, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if _, err := in.ReadString('\n'); err != nil {
				return
			}
			commands <- strings.TrimSuffix(command, "\n")
		}
		if _, err := io.WriteString(conn, words); err != nil {
			return
		}
	}
	if s.hang {
		_, _ = io.Copy(io.Discard, in)
	}
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// Who is not the one that is meant hears nothing, and the two ends are told.
func TestTheWrongPeerIsNotToldThePassword(t *testing.T) {
	address, commands := serve(t, script{says: []string{hello, "Content-Type: command/reply\nReply-Text: +OK accepted\n\n"}, hang: true})
	foreign := errors.New("somebody else's")
	var said error
	d := esl.Dialer{Peer: func(server, client netip.AddrPort) error {
		if server.String() != address || !client.Addr().IsLoopback() || client.Port() == 0 {
			t.Errorf("asked of %s and %s", server, client)
		}
		return said
	}}
	conn, err := d.Dial(bounded(t), address, "Secret")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if got := <-commands; got != "auth Secret" {
		t.Errorf("got %q", got)
	}
	said = foreign
	if _, err := d.Dial(bounded(t), address, "Secret"); !errors.Is(err, foreign) {
		t.Errorf("got %v", err)
	}
	select {
	case got := <-commands:
		t.Errorf("it was told %q", got)
	case <-time.After(50 * time.Millisecond):
	}
}

func TestDial(t *testing.T) {
	const password = "OldSecret1234567890123456789"
	tests := []struct {
		name   string
		script script
		is     error // nil: any error will do
		says   string
	}{
		{"refused, then hung up", script{says: []string{hello, refused + goodbye}}, esl.ErrRefused, "refused the password"},
		{"refused, and left open", script{says: []string{hello, refused}, hang: true}, esl.ErrRefused, "refused the password"},
		{"turned away", script{says: []string{rude}}, esl.ErrRejected, "apply-inbound-acl"},
		{"turned away, and left open", script{says: []string{rude}, hang: true}, esl.ErrRejected, "apply-inbound-acl"},
		{"closed before the greeting", script{}, esl.ErrDropped, "closed"},
		{"closed within the greeting", script{says: []string{"Content-Type: auth/req"}}, esl.ErrDropped, "closed"},
		{"closed before the answer", script{says: []string{hello, ""}}, esl.ErrDropped, "closed"},
		{"notice before the answer", script{says: []string{hello, goodbye}}, esl.ErrDropped, "closed"},
		{"some other refusal", script{says: []string{hello, "Content-Type: command/reply\nReply-Text: -ERR command not found\n\n"}, hang: true}, nil, "neither yes nor no"},
		{"another protocol", script{says: []string{"SSH-2.0-OpenSSH_9.2p1\r\n"}, hang: true}, nil, "not the event socket"},
		{"password echoed", script{says: []string{hello, "auth " + password + "\n\n"}, hang: true}, nil, "not the event socket"},
		{"password echoed as a type", script{says: []string{hello, "Content-Type: " + password + "\n\n"}, hang: true}, nil, "neither yes nor no"},
		{"negative length", script{says: []string{"Content-Type: auth/request\nContent-Length: -1\n\n"}, hang: true}, nil, "Content-Length"},
		{"boundless length", script{says: []string{"Content-Type: auth/request\nContent-Length: 999999999999\n\n"}, hang: true}, nil, "Content-Length"},
		{"boundless line", script{says: []string{strings.Repeat("a", 1<<16)}, hang: true}, nil, "longer than"},
		{"boundless header", script{says: []string{strings.Repeat("a: b\n", 1<<10)}, hang: true}, nil, "more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address, _ := serve(t, tt.script)
			conn, err := esl.Dial(bounded(t), address, password)
			if err == nil {
				conn.Close()
				t.Fatal("Dial succeeded")
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %v", err, tt.is)
			}
			for _, sentinel := range []error{esl.ErrRefused, esl.ErrRejected, esl.ErrDropped, context.DeadlineExceeded} {
				if !errors.Is(tt.is, sentinel) && errors.Is(err, sentinel) {
					t.Errorf("%v passes for %v", err, sentinel)
				}
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q does not say %q", err, tt.says)
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

func TestDialNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if _, err := esl.Dial(bounded(t), listener.Addr().String(), "x"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want ECONNREFUSED", err)
	}
}

func TestPasswordThatWouldEndTheCommand(t *testing.T) {
	address, commands := serve(t, script{says: []string{hello, accepted}, hang: true})
	_, err := esl.Dial(bounded(t), address, "secret\n\napi shutdown")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want an error without the password", err)
	}
	select {
	case command := <-commands:
		t.Errorf("the server was sent %q", command)
	default:
	}
}

// A server that says nothing holds nobody longer than ctx allows, whichever
// word it withholds, and is never taken for one that refused.
func TestSilence(t *testing.T) {
	for name, says := range map[string][]string{
		"greeting": {""},
		"verdict":  {hello, ""},
		"answer":   {hello, accepted, "Content-Type: api/response\nContent-Length: 10\n\nhalf"},
	} {
		t.Run(name, func(t *testing.T) {
			address, commands := serve(t, script{says: says, hang: true})
			ctx, cancel := context.WithCancel(bounded(t))
			go func() {
				for range len(says) - 1 {
					<-commands
				}
				cancel()
			}()
			conn, err := esl.Dial(ctx, address, "x")
			if err == nil {
				_, err = conn.API(ctx, "status")
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
			if errors.Is(err, esl.ErrRefused) || errors.Is(err, esl.ErrDropped) {
				t.Errorf("%v passes for an answer", err)
			}
		})
	}
}

func response(body string) string {
	return "Content-Type: api/response\nContent-Length: " + strconv.Itoa(len(body)) + "\n\n" + body
}

func TestAPI(t *testing.T) {
	const job = "+OK Job-UUID: 7f4de4bc-17d7-11dd-b7a0-db4edd065621\n"
	tests := []struct {
		name    string
		command string
		reply   string
		answer  string
		says    string // of the error; empty: none
	}{
		{"reloadxml", "reloadxml", response("+OK [Success]\n"), "+OK [Success]\n", ""},
		{"reloadxml of a broken tree", "reloadxml", response("+OK [Cannot Open log directory or XML Root!]\n"), "", "Cannot Open"},
		{"rescan", "sofia profile internal rescan", response("Reload XML [Success]\n+OK scan complete\n"), "Reload XML [Success]\n+OK scan complete\n", ""},
		{"rescan of a broken tree", "sofia profile internal rescan", response("Reload XML [[error near line 3]: unclosed tag <x>]\n+OK scan complete\n"), "", "error near line 3"},
		{"rescan without configuration", "sofia profile internal rescan", response("Reload XML [Success]\n-ERR cannot find config for profile internal\n"), "", "cannot find config"},
		{"rescan of no profile", "sofia profile nosuch rescan", response("Invalid Profile [nosuch]"), "", "Invalid Profile [nosuch]"},
		{"reload of a module in use", "reload mod_sofia", response("+OK Reloading XML\n-ERR unloading module [Module in use.]\n-ERR loading module [Module already loaded]\n"), "", "Module in use"},
		{"reload of the event socket", "reload mod_event_socket", response(job), job, ""},
		{"unknown", "nosuch", response("-ERR nosuch Command not found!\n"), "", "nosuch Command not found!"},
		{"usage", "reload", response("-USAGE: [-f] <mod_name>\n"), "", "-USAGE"},
		{"no permission", "status", "Content-Type: command/reply\nReply-Text: -ERR permission denied\n\n", "", "permission denied"},
		{"a line of a log is not forged", "x", response("-ERR a\x1b[31m\rb\n"), "", `"-ERR a\x1b[31m\rb"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address, commands := serve(t, script{says: []string{hello, accepted, tt.reply}, hang: true})
			ctx := bounded(t)
			conn, err := esl.Dial(ctx, address, "Secret")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			answer, err := conn.API(ctx, tt.command)
			if got := <-commands; got != "auth Secret" {
				t.Errorf("the server was sent %q first", got)
			}
			if got := <-commands; got != "api "+tt.command {
				t.Errorf("the server was sent %q", got)
			}
			switch {
			case tt.says == "" && err != nil:
				t.Errorf("got error %v", err)
			case tt.says == "" && answer != tt.answer:
				t.Errorf("got %q, want %q", answer, tt.answer)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("got %v, want an error that says %q", err, tt.says)
			}
		})
	}
}

func TestAPIAfterAnAnswerThatFailed(t *testing.T) {
	address, _ := serve(t, script{says: []string{hello, accepted, response("-ERR no\n"), response("yes")}, hang: true})
	ctx := bounded(t)
	conn, err := esl.Dial(ctx, address, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.API(ctx, "first"); err == nil {
		t.Error("-ERR is no error")
	}
	if answer, err := conn.API(ctx, "second"); err != nil || answer != "yes" {
		t.Errorf("got %q, %v", answer, err)
	}
}

func TestAPIDropped(t *testing.T) {
	for name, says := range map[string]string{
		"hung up":         "",
		"with a notice":   goodbye,
		"within the body": "Content-Type: api/response\nContent-Length: 100\n\n+OK Job",
	} {
		t.Run(name, func(t *testing.T) {
			address, _ := serve(t, script{says: []string{hello, accepted, says}})
			ctx := bounded(t)
			conn, err := esl.Dial(ctx, address, "x")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for range 2 { // the second on a connection that is known to be gone
				if _, err := conn.API(ctx, "reload mod_event_socket"); !errors.Is(err, esl.ErrDropped) {
					t.Errorf("got %v, want ErrDropped", err)
				}
			}
		})
	}
}

func TestCommandThatWouldBeTwo(t *testing.T) {
	address, commands := serve(t, script{says: []string{hello, accepted, response("+OK")}, hang: true})
	ctx := bounded(t)
	conn, err := esl.Dial(ctx, address, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	<-commands
	if _, err := conn.API(ctx, "sofia profile a\n\napi shutdown"); err == nil {
		t.Error("a command with line breaks was sent")
	}
	select {
	case command := <-commands:
		t.Errorf("the server was sent %q", command)
	default:
	}
}

// No goroutine of this package outlives its connection, however that ended.
func TestNothingIsLeftRunning(t *testing.T) {
	scripts := []script{
		{says: []string{hello, refused + goodbye}},
		{says: []string{rude}},
		{says: []string{hello, accepted, response("+OK")}, hang: true},
		{says: []string{hello, accepted, ""}, hang: true},
	}
	for _, s := range scripts {
		address, commands := serve(t, s)
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			for range len(s.says) - 1 {
				<-commands
			}
			cancel()
		}()
		if conn, err := esl.Dial(ctx, address, "x"); err == nil {
			_, _ = conn.API(ctx, "status")
			conn.Close()
		}
		cancel()
	}
	left := ""
	for range 500 { // a goroutine that is ending needs a moment
		stacks := make([]byte, 1<<20)
		left = string(stacks[:runtime.Stack(stacks, true)])
		if !strings.Contains(left, "harden/esl.(") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("still running:\n%s", left)
}
