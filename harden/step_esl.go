package harden

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// What the event socket is to be, besides its password. FreeSWITCH makes the
// list loopback.auto itself (switch_core.c, switch_load_network_lists).
const (
	eslListen  = "127.0.0.1"
	eslACL     = "loopback.auto"
	eslPort    = "8021" // mod_event_socket.c, config(): where listen-port lacks
	eslDefault = "ClueCon"
)

func eventSocket(_ context.Context, m *Machine) (Proposal, error) {
	c, err := m.Config()
	if err != nil {
		return Proposal{}, err
	}
	if serves, err := m.inService(); err != nil || serves {
		return keepSecret("the event socket's password", currentESL(c), err)
	}
	value, err := target(m, m.Secrets.ESL, currentESL(c), func(d state.Digests) secret.Digest { return d.ESL })
	if err != nil {
		return Proposal{}, err
	}
	e := c.Edit()
	if err := e.SetParam(fsxml.EventSocket(), "password", value.Reveal()); err != nil {
		return Proposal{}, err
	}
	return m.edits(e, "the event socket's password is random, "+whose(m), value)
}

// eventSocketAccess lets nobody but this machine reach the event socket. It is
// a step of its own so that its diff shows what it replaces.
func eventSocketAccess(_ context.Context, m *Machine) (Proposal, error) {
	c, err := m.Config()
	if err != nil {
		return Proposal{}, err
	}
	e := c.Edit()
	if err := e.SetParam(fsxml.EventSocket(), "listen-ip", eslListen); err != nil {
		return Proposal{}, err
	}
	if err := e.SetParam(fsxml.EventSocket(), "apply-inbound-acl", eslACL); err != nil {
		return Proposal{}, err
	}
	return m.edits(e, "the event socket listens on "+eslListen+" and lets in loopback only", secret.Value{})
}

func currentESL(c *fsxml.Config) secret.Value {
	v, _ := c.Value(fsxml.EventSocket(), "password")
	return secret.Of(v)
}

// eslAddress is where the configured event socket is reached from this machine.
func eslAddress(c *fsxml.Config) string {
	port, _ := c.Value(fsxml.EventSocket(), "listen-port")
	// It goes into a file of root's: what is no number does not.
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		port = eslPort
	}
	return eslListen + ":" + port
}

func checkEventSocket(_ context.Context, m *Machine) []report.Check {
	c, err := m.Config()
	if err != nil {
		return []report.Check{{Name: "event-socket-password", Status: report.Fail, Detail: err.Error()}}
	}
	return []report.Check{strong("event-socket-password", "the event socket's password", currentESL(c))}
}

func checkEventSocketAccess(_ context.Context, m *Machine) []report.Check {
	c, err := m.Config()
	if err != nil {
		return []report.Check{{Name: "event-socket-loopback", Status: report.Fail, Detail: err.Error()}}
	}
	return []report.Check{checkListen(c), checkACL(c)}
}

func checkListen(c *fsxml.Config) report.Check {
	ip, ok := c.Value(fsxml.EventSocket(), "listen-ip")
	if a, err := netip.ParseAddr(ip); ok && (err != nil || !a.IsLoopback()) {
		return report.Check{Name: "event-socket-loopback", Status: report.Fail, Detail: fmt.Sprintf("listen-ip is %q: everybody who reaches this machine reaches its control port; set it to %s", ip, eslListen)}
	}
	return report.Check{Name: "event-socket-loopback", Status: report.Pass, Detail: "listen-ip is loopback"}
}

func checkACL(c *fsxml.Config) report.Check {
	if acl, _ := c.Value(fsxml.EventSocket(), "apply-inbound-acl"); acl != eslACL {
		return report.Check{Name: "event-socket-acl", Status: report.Fail, Detail: fmt.Sprintf("apply-inbound-acl is %q, not %s", acl, eslACL)}
	}
	return report.Check{Name: "event-socket-acl", Status: report.Pass, Detail: "only loopback may connect"}
}
