// Package esl speaks to FreeSWITCH's event socket: one inbound connection, and
// on it either one command at a time or, once it has subscribed, events.
//
// The protocol is mod_event_socket.c of FreeSWITCH 1.10.12: listener_run for
// the handshake, parse_command for the commands, api_exec for the answers.
package esl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

var (
	// ErrRefused says that FreeSWITCH answered the password with "-ERR
	// invalid" (mod_event_socket.c:1752). Nothing else gives it: silence, a
	// dropped connection and a broken answer are other errors.
	ErrRefused = errors.New("the event socket refused the password")

	// ErrRejected says that apply-inbound-acl turned this address away
	// before any password was asked for (mod_event_socket.c:2668).
	ErrRejected = errors.New("the event socket turned this address away: see apply-inbound-acl in event_socket.conf.xml")

	// ErrDropped says that the connection ended before the answer came. After
	// "reload mod_event_socket" that is to be expected: connect again.
	ErrDropped = errors.New("the event socket closed the connection")
)

// Conn is an authenticated connection. It is not safe for use by several
// goroutines at once.
type Conn struct {
	conn   net.Conn
	reader *bufio.Reader
}

// A Dialer connects to event sockets.
type Dialer struct {
	// Peer tells whose program has answered, before it is given the password: an
	// error is whose it should not be. The two ends are the server's and ours. Where
	// it is nil, any program's is good.
	Peer func(server, client netip.AddrPort) error
}

// Dial is that of a Dialer who asks nobody whose program it is.
func Dial(ctx context.Context, address, password string) (*Conn, error) {
	return Dialer{}.Dial(ctx, address, password)
}

// Dial connects to the event socket at address (host:port) and gives it the
// password. It returns as soon as FreeSWITCH has answered, or when ctx ends.
//
// A refused password is ErrRefused, an address that the access list turns away
// is ErrRejected, a connection lost in the handshake is ErrDropped; what the
// network said is wrapped, so a closed port is syscall.ECONNREFUSED. The
// password is in no error.
func (d Dialer) Dial(ctx context.Context, address, password string) (*Conn, error) {
	if hasControl(password) {
		return nil, fmt.Errorf("authenticate to the event socket at %s: the password holds a control character, which no password on the wire can", address)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to the event socket: %w", err)
	}
	c := &Conn{conn: conn, reader: bufio.NewReaderSize(conn, maxLine)}
	if err := c.bounded(ctx, func() error { return c.authenticate(password, d.vet) }); err != nil {
		c.Close()
		return nil, fmt.Errorf("authenticate to the event socket at %s: %w", address, err)
	}
	return c, nil
}

// API runs a command of FreeSWITCH's console, such as "reloadxml", and returns
// its answer. An answer that tells of a failure is an error that quotes its
// line, also where FreeSWITCH begins it with something other than "-ERR". The
// command is quoted in errors, so it must hold no secret.
//
// After an error that is not an answer's the connection is closed, and so it
// is when ctx ends; ErrDropped says that FreeSWITCH closed it.
func (c *Conn) API(ctx context.Context, command string) (string, error) {
	if hasControl(command) {
		return "", fmt.Errorf("event socket command %q: a line break or control character would end the command early", command)
	}
	var answer string
	err := c.bounded(ctx, func() (err error) {
		answer, err = c.exchange("api " + command)
		return err
	})
	if err != nil {
		c.Close()
		return "", fmt.Errorf("event socket command %q: %w", command, err)
	}
	if line := failure(answer); line != "" {
		return answer, fmt.Errorf("event socket command %q: FreeSWITCH answered %s", command, excerpt(line))
	}
	return answer, nil
}

// Close ends the connection. A second Close does nothing.
func (c *Conn) Close() {
	_ = c.conn.Close()
}

// bounded runs an exchange and closes the connection when ctx ends first,
// which is what wakes a blocked read or write.
func (c *Conn) bounded(ctx context.Context, exchange func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, c.Close)
	err := exchange()
	if !stop() {
		return ctx.Err()
	}
	return err
}

// vet asks about the two ends of a connection.
func (d Dialer) vet(conn net.Conn) error {
	if d.Peer == nil {
		return nil
	}
	server, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return err
	}
	client, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return err
	}
	return d.Peer(server, client)
}

func (c *Conn) authenticate(password string, vet func(net.Conn) error) error {
	hello, err := c.receive()
	if err != nil {
		return err
	}
	if hello.kind != "auth/request" {
		return fmt.Errorf("%s came where auth/request was due: is that port FreeSWITCH's event socket?", excerpt(hello.kind))
	}
	// Only now: a connection that nobody has accepted yet is nobody's.
	if err := vet(c.conn); err != nil {
		return err
	}
	if err := c.send("auth " + password); err != nil {
		return err
	}
	// From here nothing the other side says is quoted: it may echo the password.
	reply, err := c.receive()
	switch {
	case errors.Is(err, errMalformed):
		return errMalformed
	case err != nil:
		return err
	case reply.kind == "command/reply" && strings.HasPrefix(reply.replyText, "+OK"):
		return nil
	case reply.kind == "command/reply" && strings.HasPrefix(reply.replyText, "-ERR invalid"):
		return ErrRefused
	default:
		return errors.New("the answer to the password was neither yes nor no: is that port FreeSWITCH's event socket?")
	}
}

// exchange sends one command and returns the text of its answer.
func (c *Conn) exchange(command string) (string, error) {
	if err := c.send(command); err != nil {
		return "", err
	}
	answer, err := c.receive()
	switch {
	case err != nil:
		return "", err
	case answer.kind == "api/response":
		return answer.body, nil
	case answer.kind == "command/reply":
		return answer.replyText, nil
	default:
		return "", fmt.Errorf("%s came where an answer was due", excerpt(answer.kind))
	}
}

func (c *Conn) send(command string) error {
	if _, err := c.conn.Write([]byte(command + "\n\n")); err != nil {
		return fmt.Errorf("%w: %w", ErrDropped, err)
	}
	return nil
}

// receive reads the next message, and turns the two by which FreeSWITCH ends a
// connection into their errors.
func (c *Conn) receive() (message, error) {
	m, err := readMessage(c.reader)
	switch {
	case errors.Is(err, errMalformed):
		return m, err
	case err != nil:
		return m, fmt.Errorf("%w: %w", ErrDropped, err)
	case m.kind == "text/disconnect-notice":
		return m, ErrDropped
	case m.kind == "text/rude-rejection":
		return m, ErrRejected
	default:
		return m, nil
	}
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
