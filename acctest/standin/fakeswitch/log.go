package fakeswitch

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// logger hands what is logged to mod_logfile (logfile.go). Until that module is
// loaded it keeps the messages, as FreeSWITCH's queue does (switch_log.c:729).
type logger struct {
	mu          sync.Mutex
	loaded      bool
	waiting     []message
	files       []*logFile
	rotateOnHUP bool
}

// message is one log message: what decides which files it goes to, and the
// text with its prefix.
type message struct {
	level, file, function string
	uuid                  string // of the call that it belongs to, or ""
	text                  string
}

// line logs a message. Whatever line breaks the message holds are written as
// they are: FreeSWITCH does not escape them either. place is FILE:LINE, and
// where a log profile may name the function, a blank and the function.
func (l *logger) line(level, place, format string, args ...any) {
	l.session("", level, place, format, args...)
}

// session logs a message of a call, in the form that FreeSWITCH has had since
// 1.10.7 (switch_log.c:614): time, idle processor, level, place, message.
func (l *logger) session(uuid, level, place, format string, args ...any) {
	place, function, _ := strings.Cut(place, " ")
	file, _, _ := strings.Cut(place, ":")
	stamp := time.Now().Format("2006-01-02 15:04:05.000000")
	text := fmt.Sprintf("%s 98.77%% [%s] %s %s\n", stamp, level, place, fmt.Sprintf(format, args...))
	l.hand(message{level, file, function, uuid, text})
}

// clean logs text without any prefix (SWITCH_CHANNEL_LOG_CLEAN): a SIP trace.
func (l *logger) clean(level, file, function, text string) {
	l.hand(message{level, file, function, "", text})
}

func (l *logger) hand(m message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.loaded {
		l.waiting = append(l.waiting, m)
		return
	}
	for _, f := range l.files {
		f.take(m)
	}
}

func (l *logger) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, f := range l.files {
		errs = append(errs, f.handle.Close())
	}
	l.loaded, l.files = false, nil
	return errors.Join(errs...)
}
