package esl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits on what is read, so that whatever listens on the port cannot fill the
// memory of a helper that runs before FreeSWITCH may. A line of `sofia status`
// is about 110 bytes, so 8 MiB hold tens of thousands of profiles.
const (
	maxLine   = 4 << 10 // bytes
	maxLines  = 64      // lines of one header
	maxBody   = 8 << 20 // bytes
	maxQuoted = 200     // bytes of the server's text that an error may quote
)

// errMalformed is wrapped by what readMessage reports of bytes that are no
// message; other errors are the connection's own.
var errMalformed = errors.New("this is not the event socket protocol")

// message is what FreeSWITCH sends: a header, and a body where the header
// counts one. Only the headers that a command needs are kept.
type message struct {
	kind      string // Content-Type
	replyText string // Reply-Text
	body      string
}

// readMessage reads one message: header lines that end in LF or CRLF, an empty
// line, and as many bytes of body as Content-Length says.
func readMessage(r *bufio.Reader) (message, error) {
	var m message
	length := 0
	for n := 0; ; n++ {
		line, err := readLine(r)
		if err != nil {
			return message{}, err
		}
		if line == "" {
			if n == 0 {
				return message{}, fmt.Errorf("%w: a header is empty", errMalformed)
			}
			break
		}
		if n == maxLines {
			return message{}, fmt.Errorf("%w: a header has more than %d lines", errMalformed, maxLines)
		}
		name, value, found := strings.Cut(line, ":")
		if !found {
			return message{}, fmt.Errorf("%w: the header line %s has no colon", errMalformed, excerpt(line))
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-type":
			m.kind = value
		case "reply-text":
			m.replyText = value
		case "content-length":
			length, err = strconv.Atoi(value)
			if err != nil || length < 0 || length > maxBody {
				return message{}, fmt.Errorf("%w: a Content-Length of %s is not within 0 to %d", errMalformed, excerpt(value), maxBody)
			}
		}
	}
	// ReadAll grows with what arrives, so a length that lies costs nothing.
	body, err := io.ReadAll(io.LimitReader(r, int64(length)))
	if err != nil {
		return message{}, err
	}
	if len(body) < length {
		return message{}, io.ErrUnexpectedEOF
	}
	m.body = string(body)
	return m, nil
}

// readLine reads a line of at most maxLine bytes, the reader's buffer.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", fmt.Errorf("%w: a header line is longer than %d bytes", errMalformed, r.Size())
	}
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
}

// excerpt quotes the server's own text for an error: short, and with nothing
// in it that could forge a line of a log.
func excerpt(s string) string {
	if len(s) > maxQuoted {
		s = s[:maxQuoted] + "..."
	}
	return strconv.Quote(s)
}
