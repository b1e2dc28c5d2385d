package inspect

import (
	"net/netip"
	"path"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/password"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

const (
	sipVariable = password.SIPVariable
	// firstboot, enabled, makes every instance's secrets before FreeSWITCH starts.
	firstboot = "/etc/systemd/system/multi-user.target.wants/fs-harden-firstboot.service"
)

// sharedSecrets looks at the two passwords that every vanilla FreeSWITCH has.
func sharedSecrets(s *scene) {
	c := s.configuration()
	if c == nil {
		return
	}
	baked, err := state.ReadBaked(s.Tree)
	if err != nil {
		s.add(advice(Image, state.BakedPath, err.Error(), s.harden("apply")))
	}
	committed, err := state.ReadCommitted(s.Tree)
	if err != nil {
		s.add(advice(Image, state.CommittedPath, err.Error(), s.rm(state.CommittedPath)))
	}
	judge := func(at, what string, v secret.Value, which func(state.Digests) secret.Digest) {
		why := secret.Weakness(v)
		switch {
		case why != "":
			why = what + ": " + why
		case committed != nil && which(committed.Digests).Matches(v):
			why = what + " is the one of the instance that this image is made of: its copies would all have it"
		case baked != nil && which(baked.Digests).Matches(v), s.glance(firstboot).Kind == host.Symlink:
			return
		default:
			why = what + " is the same on every instance, and nothing makes one for each"
		}
		s.add(advice(Image, at, why, s.harden("apply")))
	}
	if sip, set := c.Var(sipVariable); set || c.References(sipVariable) {
		judge(s.setIn(sipVariable), sipVariable, secret.Of(sip), func(d state.Digests) secret.Digest { return d.SIP })
	}
	esl, _ := c.Value(fsxml.EventSocket(), "password")
	at := s.eventSocketFile()
	judge(at, "the event socket's password", secret.Of(esl), func(d state.Digests) secret.Digest { return d.ESL })
	ip, ok := c.Value(fsxml.EventSocket(), "listen-ip")
	if a, err := netip.ParseAddr(ip); ok && (err != nil || !a.IsLoopback()) {
		s.add(advice(Image, at, "the event socket listens on "+ip+": whoever reaches an instance reaches the port that controls it", s.harden("apply")))
	}
}

// setIn is the file in which a variable has its last word; vars.xml where it is
// not set at all.
func (s *scene) setIn(variable string) string {
	at := path.Join(s.ConfDir, "vars.xml")
	for _, d := range s.config.Directives() {
		if d.Cmd == "set" && d.Name == variable {
			at = d.File
		}
	}
	return at
}

func (s *scene) eventSocketFile() string {
	for _, p := range s.config.Params(fsxml.EventSocket()) {
		return p.File
	}
	return path.Join(s.ConfDir, "autoload_configs/event_socket.conf.xml")
}
