package harden

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/handover"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/password"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

// freeswitchComm is the name of FreeSWITCH's process (proc(5), comm).
const freeswitchComm = "freeswitch"

// reload makes a FreeSWITCH that runs already take over what was written, in
// the order of mod_event_socket's needs: with the old password, everything that
// reads the new files, the socket itself last.
func reload(_ context.Context, m *Machine) (Proposal, error) {
	if !m.Live {
		return Proposal{Status: report.Deferred, Reason: "FreeSWITCH reads it when it starts: " + m.WhyNot}, nil
	}
	runs := func() bool { return m.Runs(freeswitchComm) }
	if !runs() {
		return Proposal{Reason: "FreeSWITCH is not running; it reads the new settings when it starts"}, nil
	}
	before := m.asItIs()
	old, err := before.Config()
	if err != nil {
		return Proposal{}, err
	}
	h := &handover.Handover{
		Was:   handover.Socket{Address: eslAddress(old), Passwords: oldPasswords(before, old), Runs: runs, Dialer: m.eventSocket(), Bound: handover.Timeout},
		Fresh: m.Secrets.ESL,
	}
	return Proposal{
		Reason:  "FreeSWITCH is running",
		Actions: []Action{{Name: "telling the running FreeSWITCH", Do: h.Do, Undo: h.Undo}},
	}, nil
}

// oldPasswords are what a running FreeSWITCH may have read when it started:
// the file as it is, the original from before the bake, the built-in default.
func oldPasswords(m *Machine, c *fsxml.Config) []secret.Value {
	list := []string{currentESL(c).Reveal()}
	for _, p := range c.Files() {
		if filepath.Base(p) != "event_socket.conf.xml" {
			continue
		}
		if b, err := m.ReadFile(p + ".bak"); err == nil {
			found, _ := password.In(p+".bak", b) // what cannot be read has none to try
			for _, f := range found {
				if f.Which == password.ESL {
					list = append(list, f.Value.Reveal())
				}
			}
		}
	}
	list = append(list, eslDefault)
	var out []secret.Value
	for i, s := range list {
		if s != "" && !slices.Contains(list[:i], s) {
			out = append(out, secret.Of(s))
		}
	}
	return out
}
