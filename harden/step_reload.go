package harden

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

const (
	// proofTimeout bounds how long FreeSWITCH may take to listen with its new
	// settings: mod_event_socket reloads in the background.
	proofTimeout = 30 * time.Second
	proofRetry   = 250 * time.Millisecond
	// answerTimeout bounds one connection, from dialling to the last answer.
	answerTimeout = 10 * time.Second
)

// eventSocketFile is where the settings stand in event_socket.conf.xml read alone.
const eventSocketFile fsxml.Place = "configuration[event_socket.conf]/settings"

// freeswitchComm is the name of FreeSWITCH's process (proc(5), comm).
const freeswitchComm = "freeswitch"

// socket is a running FreeSWITCH's event socket.
type socket struct {
	address   string
	passwords []string // what it may be listening with now, likeliest first
}

// reload makes a FreeSWITCH that runs already take over what was written, in
// the order of mod_event_socket's needs: with the old password, everything that
// reads the new files, the socket itself last.
func reload(_ context.Context, m *Machine) (Proposal, error) {
	if !m.Live {
		return Proposal{Status: report.Deferred, Reason: "FreeSWITCH reads it when it starts: " + m.WhyNot}, nil
	}
	if !m.Runs(freeswitchComm) {
		return Proposal{Reason: "FreeSWITCH is not running; it reads the new settings when it starts"}, nil
	}
	before := m.asItIs()
	old, err := before.Config()
	if err != nil {
		return Proposal{}, err
	}
	fresh := m.Secrets.ESL.Reveal()
	was := socket{eslAddress(old), oldPasswords(before, old)}
	will := socket{was.address, []string{fresh}}
	return Proposal{
		Reason: "FreeSWITCH is running",
		Actions: []Action{{
			Name: "telling the running FreeSWITCH",
			Do:   func(ctx context.Context) error { return was.takeOver(ctx, fresh) },
			Undo: func(ctx context.Context) error {
				// Whichever of them it listens with now, the files hold the old one again.
				now := socket{was.address, append(slices.Clone(will.passwords), was.passwords...)}
				return now.takeOver(ctx, was.passwords[0])
			},
		}},
	}, nil
}

// oldPasswords are what a running FreeSWITCH may have read when it started:
// the file as it is, the original from before the bake, the built-in default.
func oldPasswords(m *Machine, c *fsxml.Config) []string {
	list := []string{currentESL(c).Reveal()}
	for _, p := range c.Files() {
		if filepath.Base(p) != "event_socket.conf.xml" {
			continue
		}
		if b, err := m.ReadFile(p + ".bak"); err == nil {
			if bak, err := fsxml.Parse(p+".bak", b); err == nil {
				for _, param := range bak.Params(eventSocketFile) {
					if param.Name == "password" {
						list = append(list, param.Value)
					}
				}
			}
		}
	}
	list = append(list, eslDefault)
	list = slices.DeleteFunc(list, func(s string) bool { return s == "" })
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// takeOver reloads everything and proves that want, and no other, is accepted.
func (s socket) takeOver(ctx context.Context, want string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*proofTimeout)
	defer cancel()
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
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
	return s.prove(ctx, want)
}

// connect tries each password until one is accepted. A FreeSWITCH that is still
// starting refuses connections, so that is tried again.
func (s socket) connect(ctx context.Context) (*esl.Conn, error) {
	deadline, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	for {
		var last error
		for _, p := range s.passwords {
			conn, err := dial(deadline, s.address, p)
			if err == nil {
				return conn, nil
			}
			last = err
			if !errors.Is(err, esl.ErrRefused) {
				break
			}
		}
		if errors.Is(last, esl.ErrRefused) {
			return nil, fmt.Errorf("the running FreeSWITCH accepts none of the passwords that its files ever held: restart it (systemctl restart freeswitch), and it starts with the new one")
		}
		select {
		case <-deadline.Done():
			return nil, fmt.Errorf("FreeSWITCH runs, but its event socket on %s does not answer: %w; restart FreeSWITCH, and it starts with the new settings", s.address, last)
		case <-time.After(proofRetry):
		}
	}
}

func dial(ctx context.Context, address, password string) (*esl.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return esl.Dial(ctx, address, password)
}

// prove waits until want is accepted and every other password is refused.
func (s socket) prove(ctx context.Context, want string) error {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	for {
		err := s.proveOnce(ctx, want)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not proven within %s: %w; \"Module in use\" in FreeSWITCH's log means that an outbound socket application holds it: end those calls and run fs-harden rotate again", proofTimeout, err)
		case <-time.After(proofRetry):
		}
	}
}

func (s socket) proveOnce(ctx context.Context, want string) error {
	conn, err := dial(ctx, s.address, want)
	if err != nil {
		return fmt.Errorf("the new password does not work on %s: %w", s.address, err)
	}
	conn.Close()
	for _, old := range s.passwords {
		if old == want {
			continue
		}
		conn, err := dial(ctx, s.address, old)
		if err == nil {
			conn.Close()
			return fmt.Errorf("an old password still works on %s", s.address)
		}
		if !errors.Is(err, esl.ErrRefused) {
			return fmt.Errorf("an old password was not refused on %s but: %w", s.address, err)
		}
	}
	return nil
}

// checkLive proves on the running FreeSWITCH that the password in its files is
// the one that it listens with, and that the default is refused.
func checkLive(ctx context.Context, m *Machine) []report.Check {
	c := report.Check{Name: "event-socket-live", Status: report.Pass}
	switch {
	case !m.Live:
		c.Status, c.Detail = report.CheckDeferred, m.WhyNot
		return []report.Check{c}
	case !m.Runs(freeswitchComm):
		c.Status, c.Detail = report.CheckSkipped, "FreeSWITCH is not running"
		return []report.Check{c}
	}
	cfg, err := m.Config()
	if err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
		return []report.Check{c}
	}
	s := socket{eslAddress(cfg), []string{eslDefault}}
	if err := s.prove(ctx, currentESL(cfg).Reveal()); err != nil {
		c.Status, c.Detail = report.Fail, err.Error()
		if errors.Is(err, syscall.ECONNREFUSED) {
			c.Detail += "; is mod_event_socket loaded?"
		}
		return []report.Check{c}
	}
	c.Detail = "the new password is accepted on " + s.address + ", FreeSWITCH's default is refused"
	return []report.Check{c}
}
