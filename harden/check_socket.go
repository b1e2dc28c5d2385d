package harden

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/handover"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

// settleTime is how long a wrong password may be in force while it is looked at:
// a rotation may be under way, which takes a second.
const settleTime = 3 * time.Second

// checkLive proves on the running FreeSWITCH that the password in its files is
// the one that it listens with, that the default is refused, that nobody but
// this machine can try one, and that the administrator's fs_cli gets in.
func checkLive(ctx context.Context, m *Machine) []report.Check {
	checks := []report.Check{{Name: "event-socket-live"}, {Name: "event-socket-listener"}, {Name: "fs-cli-connects"}}
	all := func(s report.CheckStatus, why string) []report.Check {
		for i := range checks {
			checks[i].Status, checks[i].Detail = s, why
		}
		return checks
	}
	switch {
	case !m.Live:
		return all(report.CheckDeferred, m.WhyNot)
	case !m.Runs(freeswitchComm):
		return all(report.CheckSkipped, "FreeSWITCH is not running")
	}
	c, err := m.Config()
	if err != nil {
		return all(report.Fail, err.Error())
	}
	checks[0].Status, checks[0].Detail = checkPassword(ctx, m, c)
	checks[1].Status, checks[1].Detail = checkListener(m, c)
	if checks[0].Status == report.Fail {
		checks[2].Status, checks[2].Detail = report.CheckSkipped, "the event socket is not as its file says"
		return checks
	}
	checks[2].Status, checks[2].Detail = checkConsole(ctx, m)
	return checks
}

func checkPassword(ctx context.Context, m *Machine, c *fsxml.Config) (report.CheckStatus, string) {
	s := handover.Socket{Address: eslAddress(c), Passwords: []secret.Value{secret.Of(eslDefault)}, Runs: func() bool { return m.Runs(freeswitchComm) }, Dialer: m.eventSocket(), Bound: settleTime}
	want := currentESL(c)
	err := s.Prove(ctx, want)
	if err != nil && !errors.Is(err, handover.ErrWrong) && !errors.Is(err, handover.ErrEnded) && !errors.Is(err, errForeign) {
		// It may be starting, which takes longer.
		s.Bound = handover.Timeout - settleTime
		err = s.Prove(ctx, want)
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return report.Fail, err.Error() + "; is mod_event_socket loaded?"
	case errors.Is(err, handover.ErrWrong):
		return report.Fail, err.Error() + "; run fs-harden rotate, or restart FreeSWITCH"
	case err != nil:
		return report.Fail, err.Error()
	}
	return report.Pass, "the new password is accepted on " + s.Address + ", FreeSWITCH's default is refused"
}

// checkListener asks the kernel who listens on the event socket's port: what
// FreeSWITCH read when it started may be another file than there is now.
func checkListener(m *Machine, c *fsxml.Config) (report.CheckStatus, string) {
	_, port, err := net.SplitHostPort(eslAddress(c))
	if err != nil {
		return report.Fail, err.Error()
	}
	var world []string
	for _, s := range m.Sockets("tcp", "tcp6") {
		if s.State == host.Listening && strconv.Itoa(int(s.Port)) == port && !s.Local.IsLoopback() {
			world = append(world, net.JoinHostPort(s.Local.String(), port))
		}
	}
	if len(world) > 0 {
		return report.Fail, fmt.Sprintf("the event socket listens on %s: whoever reaches this machine reaches its control port; fs_cli -x 'reload mod_event_socket' makes it read its file again", strings.Join(world, ", "))
	}
	return report.Pass, "port " + port + " is open on loopback alone"
}
