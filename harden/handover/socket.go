package handover

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

const (
	// Timeout bounds how long FreeSWITCH may take to listen with its new settings:
	// mod_event_socket reloads in the background.
	Timeout = 30 * time.Second
	retry   = 250 * time.Millisecond
	// answerTimeout bounds one connection, from dialling to the last answer.
	answerTimeout = 10 * time.Second
)

// Socket is a running FreeSWITCH's event socket.
type Socket struct {
	Address   string
	Passwords []secret.Value // what it may be listening with now, likeliest first
	Runs      func() bool    // whether FreeSWITCH does
	Dialer    esl.Dialer
	Bound     time.Duration // on each thing that is waited for; Timeout, mostly
}

// ErrEnded says that FreeSWITCH is gone. It answers nobody, so nothing is waited
// for.
var ErrEnded = errors.New("FreeSWITCH has ended; it reads the files when it starts")

// takeOver reloads everything and proves that want, and no other, is accepted.
// telling is called once FreeSWITCH is about to be asked for the first reload.
func (s Socket) takeOver(ctx context.Context, want secret.Value, telling func()) error {
	ctx, cancel := context.WithTimeout(ctx, 2*s.Bound)
	defer cancel()
	for {
		err := s.tell(ctx, telling)
		if err == nil {
			break
		}
		// A reload that somebody else had asked for ends connections too.
		if !errors.Is(err, esl.ErrDropped) || !s.Runs() || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retry):
		}
	}
	err := s.Prove(ctx, want)
	if errors.Is(err, ErrWrong) {
		err = fmt.Errorf("%w; \"Module in use\" in FreeSWITCH's log means that an outbound socket application holds it: end those calls and run this again", err)
	}
	return err
}

// tell asks for all reloads on one connection.
func (s Socket) tell(ctx context.Context, telling func()) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	telling()
	if err := s.reloadAll(ctx, conn); err != nil {
		if !s.Runs() {
			return fmt.Errorf("%w (%v)", ErrEnded, err) //nolint:errorlint // what was lost with it is no reason to try again
		}
		return err
	}
	return nil
}

func (s Socket) reloadAll(ctx context.Context, conn *esl.Conn) error {
	if _, err := conn.API(ctx, "reloadxml"); err != nil {
		return fmt.Errorf("reloadxml: %w", err)
	}
	// Access lists stay as they were until this; the profiles below may name new ones.
	if _, err := conn.API(ctx, "reloadacl"); err != nil {
		return fmt.Errorf("reloadacl: %w", err)
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
func (s Socket) connect(ctx context.Context) (*esl.Conn, error) {
	deadline, cancel := context.WithTimeout(ctx, s.Bound)
	defer cancel()
	for {
		var last error
		for _, p := range s.Passwords {
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
		case !s.Runs():
			return nil, ErrEnded
		}
		select {
		case <-deadline.Done():
			return nil, fmt.Errorf("FreeSWITCH runs, but its event socket on %s did not answer for %s: %w; restart FreeSWITCH and run this again", s.Address, s.Bound, last)
		case <-time.After(retry):
		}
	}
}

func (s Socket) dial(ctx context.Context, password secret.Value) (*esl.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, min(answerTimeout, s.Bound))
	defer cancel()
	return s.Dialer.Dial(ctx, s.Address, password.Reveal())
}

// Prove waits until want is accepted and every other password is refused.
func (s Socket) Prove(ctx context.Context, want secret.Value) error {
	ctx, cancel := context.WithTimeout(ctx, s.Bound)
	defer cancel()
	var last error
	for {
		err := s.proveOnce(ctx, want)
		switch {
		case err == nil:
			return nil
		case !s.Runs():
			return ErrEnded
		case last == nil || !over(ctx): // what was cut short tells nothing
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not proven within %s: %w", s.Bound, last)
		case <-time.After(retry):
		}
	}
}

// over reports whether ctx has ended or is due to: a connection looks at the
// clock, and may give up before the context's own timer has run.
func over(ctx context.Context) bool {
	deadline, bounded := ctx.Deadline()
	return ctx.Err() != nil || bounded && !time.Now().Before(deadline)
}

// ErrWrong marks what FreeSWITCH said itself, and what waiting mends only while
// a reload is under way.
var ErrWrong = errors.New("another password than that of its file is in force")

func (s Socket) proveOnce(ctx context.Context, want secret.Value) error {
	conn, err := s.dial(ctx, want)
	if errors.Is(err, esl.ErrRefused) {
		return fmt.Errorf("%w: the new one is refused on %s", ErrWrong, s.Address)
	} else if err != nil {
		return fmt.Errorf("the new password does not work on %s: %w", s.Address, err)
	}
	conn.Close()
	for _, old := range s.Passwords {
		if old.Reveal() == want.Reveal() {
			continue
		}
		conn, err := s.dial(ctx, old)
		if err == nil {
			conn.Close()
			return fmt.Errorf("%w: an old one still works on %s", ErrWrong, s.Address)
		}
		if !errors.Is(err, esl.ErrRefused) {
			return fmt.Errorf("an old password was not refused on %s but: %w", s.Address, err)
		}
	}
	return nil
}
