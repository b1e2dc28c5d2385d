package fakeswitch

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
)

// session is one connection to the event socket (listener_run,
// mod_event_socket.c:2626).
type session struct {
	module        *eventSocket
	conn          net.Conn
	reader        *bufio.Reader
	authenticated bool
	over          bool
	wanted        subscription
	pumping       bool
	ended         chan struct{}
	sending       sync.Mutex // an event and a reply do not mix
}

func newSession(m *eventSocket, conn net.Conn) *session {
	return &session{module: m, conn: conn, reader: bufio.NewReader(conn), ended: make(chan struct{})}
}

func (s *session) run() {
	defer close(s.ended)
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
	case s.authenticated && strings.HasPrefix(verb, "event"):
		s.reply(s.wanted.add(strings.Fields(rest)))
		s.pump()
	case s.authenticated && strings.HasPrefix(verb, "nixevent"):
		s.reply(s.wanted.remove(strings.Fields(rest)))
	case s.authenticated && strings.HasPrefix(verb, "noevents"):
		s.reply(s.wanted.end())
	case s.authenticated && verb == "filter" && rest != "":
		s.reply(s.wanted.filter(rest))
	default:
		s.reply("-ERR command not found")
	}
}

// pump begins to send what the listener wants, once there is a queue.
func (s *session) pump() {
	s.wanted.mu.Lock()
	queue := s.wanted.queue
	s.wanted.mu.Unlock()
	if queue == nil || s.pumping {
		return
	}
	s.pumping = true
	s.module.running.Add(1)
	go func() {
		defer s.module.running.Done()
		for {
			select {
			case <-s.ended:
				return
			case e := <-queue:
				if s.write(e.plain()) != nil {
					_ = s.conn.Close()
					return
				}
			}
		}
	}()
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
	if s.write(text) != nil {
		s.over = true
	}
}

func (s *session) write(text string) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	_, err := io.WriteString(s.conn, text)
	return err
}

// newUUID makes a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
