package fakeswitch

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
)

// Kinds of frames (RFC 6455, 5.2).
const (
	frameMore   = 0x0
	frameText   = 0x1
	frameBinary = 0x2
	frameClose  = 0x8
	framePing   = 0x9
	framePong   = 0xa
)

// serveWebSocket speaks SIP over a WebSocket (RFC 7118), one message a frame or
// a row of frames, until the other side ends it.
func serveWebSocket(reader *bufio.Reader, write func(string), receive func(packet string, send func(string))) {
	if !upgrade(reader, write) {
		return
	}
	message := ""
	for {
		kind, last, payload, err := readFrame(reader)
		if err != nil {
			return
		}
		switch kind {
		case frameText, frameBinary, frameMore:
			if message += payload; len(message) > maxMessage {
				return
			}
			if last {
				receive(message, func(response string) { write(frame(frameText, response)) })
				message = ""
			}
		case framePing:
			write(frame(framePong, payload))
		case frameClose:
			write(frame(frameClose, payload))
			return
		}
	}
}

// upgrade answers the request that a WebSocket begins with. As FreeSWITCH's, it
// asks for a key only and repeats whatever protocol it is told (ws_handshake,
// sofia-sip's ws.c:251).
func upgrade(reader *bufio.Reader, write func(string)) bool {
	r, err := http.ReadRequest(reader)
	if err != nil || r.Method != http.MethodGet || r.Header.Get("Sec-WebSocket-Key") == "" {
		write("HTTP/1.1 400 Bad Request\r\nSec-WebSocket-Version: 13\r\n\r\n")
		return false
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	protocol := ""
	if p := r.Header.Get("Sec-WebSocket-Protocol"); p != "" {
		protocol = "Sec-WebSocket-Protocol: " + p + "\r\n"
	}
	write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n" + protocol + "\r\n")
	return true
}

// readFrame reads one frame of a client.
func readFrame(reader io.Reader) (kind byte, last bool, payload string, err error) {
	var head [8]byte
	if _, err = io.ReadFull(reader, head[:2]); err != nil {
		return
	}
	kind, last = head[0]&0x0f, head[0]&0x80 != 0
	masked, length := head[1]&0x80 != 0, uint64(head[1]&0x7f)
	switch length {
	case 126:
		_, err = io.ReadFull(reader, head[:2])
		length = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		_, err = io.ReadFull(reader, head[:8])
		length = binary.BigEndian.Uint64(head[:8])
	}
	if err != nil {
		return
	}
	if length > maxMessage || !masked {
		return kind, last, "", errors.New("a frame that is too long, or has no mask")
	}
	content := make([]byte, 4+length)
	if _, err = io.ReadFull(reader, content); err != nil {
		return
	}
	mask, content := content[:4], content[4:]
	for i := range content {
		content[i] ^= mask[i%4]
	}
	return kind, last, string(content), nil
}

// frame is a whole message of a server, which has no mask.
func frame(kind byte, payload string) string {
	head := []byte{0x80 | kind}
	if len(payload) < 126 {
		head = append(head, byte(len(payload)))
	} else {
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(min(len(payload), 1<<16-1)))
	}
	return string(head) + payload[:min(len(payload), 1<<16-1)]
}
