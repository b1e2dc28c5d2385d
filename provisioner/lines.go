package provisioner

import (
	"bufio"
	"io"
	"strings"
	"sync"
	"unicode"
)

// eachLine calls do for every line of r. A line of more than 64 KiB comes in
// parts, so that no output can make the reader stop.
func eachLine(r io.Reader, do func(string)) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, _, err := in.ReadLine()
		if err != nil {
			return err
		}
		do(string(line))
	}
}

// tail keeps the last lines that were no JSON, to say why a run ended badly.
type tail struct {
	mu    sync.Mutex
	lines []string
}

const tailLines = 5

func (t *tail) add(line string) {
	if line = clean(line); line == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	if len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
}

// String is ": " and the lines, or nothing.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 0 {
		return ""
	}
	return ": " + strings.Join(t.lines, " / ")
}

// clean makes one plain line of text that came from the guest: what a terminal
// would take as a command, or as a new line, becomes a space.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	return strings.TrimSpace(text)
}
