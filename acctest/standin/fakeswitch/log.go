package fakeswitch

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// logger writes freeswitch.log in the form that FreeSWITCH has had since
// 1.10.7 (switch_log.c:614): time, idle processor, level, place, message.
type logger struct {
	mu   sync.Mutex
	file *os.File
}

func openLog(path string) (*logger, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o660)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return &logger{file: file}, nil
}

// line logs a message. Whatever line breaks the message holds are written as
// they are: FreeSWITCH does not escape them either.
func (l *logger) line(level, place, format string, args ...any) {
	l.write("", level, place, format, args...)
}

// session logs a message of a call, whose lines begin with its uuid.
func (l *logger) session(uuid, level, place, format string, args ...any) {
	l.write(uuid+" ", level, place, format, args...)
}

func (l *logger) write(prefix, level, place, format string, args ...any) {
	stamp := time.Now().Format("2006-01-02 15:04:05.000000")
	text := fmt.Sprintf("%s%s 98.77%% [%s] %s %s\n", prefix, stamp, level, place, fmt.Sprintf(format, args...))
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.file.WriteString(text) // nobody is left to tell
}

func (l *logger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
