package inspect

import (
	"bytes"
	"fmt"
	"path"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
)

const (
	ofGateway = "holds a gateway's password: every instance would register at the carrier with it"
	ofUser    = "holds a user's password: every instance would take it, and whoever has one of them knows it for all"
)

// siteSecrets looks for the passwords and keys that the site itself has put into
// the configuration: its carrier's, its databases', those of its services and its
// users. No program can replace them; whoever makes the image must know that every
// instance has them.
func siteSecrets(s *scene) {
	c := s.configuration()
	if c == nil {
		return // which was told
	}
	s.siteConfiguration(c)
	for _, f := range s.strays() {
		switch {
		case f.vcs, isLeftover(path.Base(f.path)):
		case len(f.holds) > 0:
			s.siteSecret(f.path, f.holds[0])
		case f.size > 0:
			s.unseen(f.path, fmt.Sprintf("has %d bytes, and only its beginning was read", f.size))
		}
		if f.packed {
			s.add(advice(Known, f.path, "an archive beside the configuration, into which nobody looked: perhaps a copy of it, with passwords", "unpack and look, or "+s.rm(f.path)))
		}
	}
}

// maxMentions bounds how many secrets of a configuration are told of. One of 10,000
// users has some 20,000.
const maxMentions = 100000

// siteConfiguration looks at the configuration as FreeSWITCH reads it.
func (s *scene) siteConfiguration(c *fsxml.Config) {
	// A value that a variable gives is told where that is set.
	set := map[string]string{}
	for _, d := range c.Directives() {
		if d.Cmd == "set" {
			set[d.Value] = d.File
		}
	}
	var found []mention
	more := false
	r := secretReader{found: func(m mention) {
		if more = len(found) == maxMentions; !more {
			found = append(found, m)
		}
	}}
	r.xml(c.Expanded())
	if more {
		s.unseen(s.ConfDir, fmt.Sprintf("has more than %d passwords and keys: nobody looked at the rest", maxMentions))
	}
	for _, m := range s.ofSite(found) {
		file, ok := set[m.value]
		if !ok {
			file = c.FileAt(m.at)
		}
		s.siteSecret(file, m)
	}
	for _, d := range c.Directives() {
		if d.Cmd == "set" && isSecretName(d.Name) && isSecretValue(d.Name, d.Value) {
			for _, m := range s.ofSite([]mention{{name: d.Name, value: d.Value}}) {
				s.siteSecret(d.File, m)
			}
		}
	}
	if at := bytes.Index(c.Expanded(), []byte("PRIVATE KEY-----")); at >= 0 {
		s.siteSecret(c.FileAt(at), mention{name: "a private key"})
	}
}

func (s *scene) siteSecret(file string, m mention) {
	file = path.Clean(file) // an include may climb
	why := "holds a password or key of the site (" + m.name + "): every instance would have it"
	switch m.within {
	case "gateway":
		why = ofGateway
	case "user":
		why = ofUser
	}
	s.add(advice(Known, file, why, "take it out of "+s.on(file)+", and give it to each instance when it starts; where all must share it, look who may have the image"))
}

// ofSite leaves out the two that the look at the shared secrets tells of.
func (s *scene) ofSite(all []mention) []mention {
	if s.config == nil || len(all) == 0 {
		return all
	}
	sip, _ := s.config.Var(sipVariable)
	esl, _ := s.config.Value(fsxml.EventSocket(), "password")
	var out []mention
	for _, m := range all {
		if m.value != sip && m.value != esl {
			out = append(out, m)
		}
	}
	return out
}
