package fakeswitch

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// session is one connection to the event socket (listener_run,
// mod_event_socket.c:2626).
type session struct {
	module        *eventSocket
	conn          net.Conn
	reader        *bufio.Reader
	authenticated bool
	over          bool
}

func newSession(m *eventSocket, conn net.Conn) *session {
	return &session{module: m, conn: conn, reader: bufio.NewReader(conn)}
}

func (s *session) run() {
	if s.hangs() {
		return
	}
	s.send("Content-Type: auth/request\n\n")
	for !s.over {
		command, err := s.readCommand()
		if err != nil || s.hangs() {
			return
		}
		s.obey(command)
	}
	sendNotice(s.conn, "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n")
}

// hangs keeps the connection open without a word where it is told to.
func (s *session) hangs() bool {
	if !s.module.owner.told(Hang) {
		return false
	}
	_, _ = io.Copy(io.Discard, s.reader)
	return true
}

// obey carries out a command as parse_command does (mod_event_socket.c:1714).
func (s *session) obey(command string) {
	lower := strings.ToLower(command)
	if strings.Contains(lower, "mod_event_socket") {
		switch { // the module cannot unload itself from a thread of its own
		case strings.Contains(lower, "unload"):
			command = "api bgapi unload mod_event_socket"
		case strings.Contains(lower, "reload"):
			command = "api bgapi reload mod_event_socket"
		}
	}
	verb, rest, _ := strings.Cut(command, " ")
	switch verb := strings.ToLower(verb); {
	case strings.HasPrefix(verb, "exit"), strings.HasPrefix(verb, "..."):
		s.over = true
		s.reply("+OK bye")
	case !s.authenticated && verb == "auth":
		s.authenticated = rest == s.module.password
		s.over = !s.authenticated
		if s.authenticated {
			s.reply("+OK accepted")
		} else {
			s.reply("-ERR invalid")
		}
	case s.authenticated && verb == "api":
		answer := s.module.owner.execute(rest)
		s.send("Content-Type: api/response\nContent-Length: " + strconv.Itoa(len(answer.text)) + "\n\n" + answer.text)
		answer.follow()
	case s.authenticated && verb == "bgapi":
		job := newUUID()
		s.send("Content-Type: command/reply\nReply-Text: +OK Job-UUID: " + job + "\nJob-UUID: " + job + "\n\n")
		s.module.owner.background(rest)
	default:
		s.reply("-ERR command not found")
	}
}

// readCommand reads a command and its headers, which are thrown away, to the
// empty line that ends them. Empty lines before it are skipped.
func (s *session) readCommand() (string, error) {
	command := ""
	for {
		line, err := s.reader.ReadSlice('\n') // a longer line than the buffer ends the session
		if err != nil {
			return "", err
		}
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case text == "" && command != "":
			return command, nil
		case command == "":
			command = text
		}
	}
}

func (s *session) reply(text string) {
	s.send("Content-Type: command/reply\nReply-Text: " + text + "\n\n")
}

func (s *session) send(text string) {
	if _, err := io.WriteString(s.conn, text); err != nil {
		s.over = true
	}
}

// newUUID makes a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
