package harden

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
)

// socket is a running FreeSWITCH's event socket.
type socket struct {
	address   string
	passwords []string      // what it may be listening with now, likeliest first
	runs      func() bool   // whether FreeSWITCH does
	bound     time.Duration // proofTimeout outside tests
}

// errEnded: a process that is gone answers nobody, so nothing is waited for.
var errEnded = errors.New("FreeSWITCH has ended; it reads the files when it starts")

// takeOver reloads everything and proves that want, and no other, is accepted.
// telling is called once FreeSWITCH is about to be asked for the first reload.
func (s socket) takeOver(ctx context.Context, want string, telling func()) error {
	ctx, cancel := context.WithTimeout(ctx, 2*s.bound)
	defer cancel()
	for {
		err := s.tell(ctx, telling)
		if err == nil {
			break
		}
		// A reload that somebody else had asked for ends connections too.
		if !errors.Is(err, esl.ErrDropped) || !s.runs() || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(proofRetry):
		}
	}
	err := s.prove(ctx, want)
	if errors.Is(err, errWrong) {
		err = fmt.Errorf("%w; \"Module in use\" in FreeSWITCH's log means that an outbound socket application holds it: end those calls and run this again", err)
	}
	return err
}

// tell asks for all reloads on one connection.
func (s socket) tell(ctx context.Context, telling func()) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	telling()
	if err := s.reloadAll(ctx, conn); err != nil {
		if !s.runs() {
			return fmt.Errorf("%w (%v)", errEnded, err) //nolint:errorlint // what was lost with it is no reason to try again
		}
		return err
	}
	return nil
}

func (s socket) reloadAll(ctx context.Context, conn *esl.Conn) error {
	if _, err := conn.API(ctx, "reloadxml"); err != nil {
		return fmt.Errorf("reloadxml: %w", err)
	}
	status, err := conn.API(ctx, "sofia status")
	if err != nil {
		return fmt.Errorf("sofia status: %w", err)
	}
	for _, name := range esl.Profiles(status) {
		if _, err := conn.API(ctx, "sofia profile "+name+" rescan"); err != nil {
			return fmt.Errorf("rescanning the SIP profile %s: %w", name, err)
		}
	}
	// The jails' log is a profile of its own, which the module reads when it is
	// loaded. One that was never loaded has nothing to tell.
	if _, err := conn.API(ctx, "reload mod_logfile"); err != nil && !strings.Contains(err.Error(), "-ERR") {
		return fmt.Errorf("reload mod_logfile: %w", err)
	}
	// The answer to this one may be lost with the connection: what counts is the proof.
	if _, err := conn.API(ctx, "reload mod_event_socket"); err != nil && !errors.Is(err, esl.ErrDropped) {
		return fmt.Errorf("reload mod_event_socket: %w", err)
	}
	return nil
}

// connect tries each password until one is accepted. A FreeSWITCH that is still
// starting refuses connections, so that is tried again.
func (s socket) connect(ctx context.Context) (*esl.Conn, error) {
	deadline, cancel := context.WithTimeout(ctx, s.bound)
	defer cancel()
	for {
		var last error
		for _, p := range s.passwords {
			conn, err := s.dial(deadline, p)
			if err == nil {
				return conn, nil
			}
			last = err
			if !errors.Is(err, esl.ErrRefused) {
				break
			}
		}
		switch {
		case errors.Is(last, esl.ErrRefused):
			return nil, errors.New("the running FreeSWITCH accepts none of the passwords that its files ever held: restart it, and it starts with the one of its files; then run this again")
		case !s.runs():
			return nil, errEnded
		}
		select {
		case <-deadline.Done():
			return nil, fmt.Errorf("FreeSWITCH runs, but its event socket on %s did not answer for %s: %w; restart FreeSWITCH and run this again", s.address, s.bound, last)
		case <-time.After(proofRetry):
		}
	}
}

func (s socket) dial(ctx context.Context, password string) (*esl.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, min(answerTimeout, s.bound))
	defer cancel()
	return esl.Dial(ctx, s.address, password)
}

// prove waits until want is accepted and every other password is refused.
func (s socket) prove(ctx context.Context, want string) error {
	ctx, cancel := context.WithTimeout(ctx, s.bound)
	defer cancel()
	var last error
	for {
		err := s.proveOnce(ctx, want)
		switch {
		case err == nil:
			return nil
		case !s.runs():
			return errEnded
		case last == nil || ctx.Err() == nil: // what was cut short tells nothing
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not proven within %s: %w", s.bound, last)
		case <-time.After(proofRetry):
		}
	}
}

// errWrong marks what FreeSWITCH said itself, and what waiting mends only while
// a reload is under way.
var errWrong = errors.New("another password than that of its file is in force")

func (s socket) proveOnce(ctx context.Context, want string) error {
	conn, err := s.dial(ctx, want)
	if errors.Is(err, esl.ErrRefused) {
		return fmt.Errorf("%w: the new one is refused on %s", errWrong, s.address)
	} else if err != nil {
		return fmt.Errorf("the new password does not work on %s: %w", s.address, err)
	}
	conn.Close()
	for _, old := range s.passwords {
		if old == want {
			continue
		}
		conn, err := s.dial(ctx, old)
		if err == nil {
			conn.Close()
			return fmt.Errorf("%w: an old one still works on %s", errWrong, s.address)
		}
		if !errors.Is(err, esl.ErrRefused) {
			return fmt.Errorf("an old password was not refused on %s but: %w", s.address, err)
		}
	}
	return nil
}
