package inspect

import (
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
)

// directory looks at the users. What a user does not say, its group and its
// domain say for it (switch_xml_locate_user_merged).
func directory(s *scene) {
	c := s.configuration()
	if c == nil {
		return
	}
	if v, _ := c.Var("default_provider_password"); v == "password" {
		at := s.setIn("default_provider_password")
		s.add(advice(Known, at, "default_provider_password is \"password\", as FreeSWITCH ships it, for a user and for a gateway",
			"set default_provider_password in "+s.on(at)))
	}
	for _, domain := range c.Spots("section[directory]/domain") {
		s.allowsEmpty(domain)
		for _, u := range domain.All("users/user") {
			s.user(u, domain)
		}
		for _, group := range domain.All("groups/group") {
			s.allowsEmpty(group)
			for _, u := range group.All("users/user") {
				s.user(u, group, domain)
			}
		}
	}
}

// allowsEmpty looks at what a user, group or domain says itself.
func (s *scene) allowsEmpty(at fsxml.Spot) {
	if v, _ := param("allow-empty-password", at); fsxml.True(v) {
		s.add(advice(Known, at.File(), "allow-empty-password is true: whoever has no password gets in with any",
			"set allow-empty-password to false in "+s.on(at.File())))
	}
}

// user looks at one user; above are its group and domain.
func (s *scene) user(u fsxml.Spot, above ...fsxml.Spot) {
	id, at := u.Attr("id"), u.File()
	if strings.EqualFold(u.Attr("type"), "pointer") {
		return // leads to a user of another group
	}
	s.allowsEmpty(u)
	all := append([]fsxml.Spot{u}, above...)
	password, _ := param("password", all...)
	hash, _ := param("a1-hash", all...)
	empty, told := param("allow-empty-password", all...)
	switch {
	case password == "" && hash == "" && (!told || fsxml.True(empty)): // sofia_reg.c:2988
		s.add(advice(Known, at, "has a user without a password: whoever knows its name registers with any", s.rm(at)))
	case hash == "" && isShipped(password, id) && !s.sharedAndTold(password):
		s.add(advice(Known, at, "has a user whose password is its own number, or one that FreeSWITCH ships", s.rm(at)))
	}
	if pin, _ := param("vm-password", all...); pin != "" && isShipped(pin, id) {
		s.add(advice(Known, at, "has a voicemail PIN that is the extension's own number, or one that FreeSWITCH ships", s.rm(at)+", or set another vm-password in it"))
	}
	if u.Attr("cidr") == "192.0.2.0/24" { // brian.xml
		s.add(advice(Known, at, "lets a whole example network in without a password (cidr)", s.rm(at)))
	}
	if name, _ := variable("effective_caller_id_name", u); name == "Extension "+id {
		if toll, _ := variable("toll_allow", u); strings.Contains(toll, "international") {
			s.add(advice(Known, at, "a demo user may call abroad (toll_allow): that is how toll fraud pays", s.rm(at)+", or take \"international\" out of its toll_allow"))
		}
	}
}

// sharedAndTold tells whether a password is that of a variable, which is a
// finding of its own: once told is enough.
func (s *scene) sharedAndTold(password string) bool {
	for _, name := range []string{sipVariable, "default_provider_password"} {
		if v, _ := s.config.Var(name); v == password {
			return true
		}
	}
	return false
}

// isShipped tells the passwords of FreeSWITCH's own users and modules.
func isShipped(password, id string) bool {
	return password == id || slices.Contains([]string{"1234", "9999", "ClueCon", "works", "password", "freeswitch"}, password)
}

// param is what the first of these says that says anything.
func param(name string, of ...fsxml.Spot) (value string, ok bool) {
	for _, at := range of {
		for _, params := range first(at.All("params")) {
			if v, ok := params.Param(name); ok {
				return v, true
			}
		}
	}
	return "", false
}

func variable(name string, at fsxml.Spot) (value string, ok bool) {
	for _, variables := range first(at.All("variables")) {
		return variables.Variable(name)
	}
	return "", false
}

// first is the one that FreeSWITCH reads of several.
func first(all []fsxml.Spot) []fsxml.Spot { return all[:min(len(all), 1)] }
