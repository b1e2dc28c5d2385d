package inspect

import (
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
)

const configurations = "section[configuration]/configuration"

// shipped are passwords of modules that FreeSWITCH ships.
var shipped = []struct {
	module      string
	place       fsxml.Place
	name, value string
	why, set    string
}{
	{"mod_xml_rpc", configurations + "[xml_rpc.conf]/settings", "auth-pass", "works", "mod_xml_rpc's password is \"works\", as FreeSWITCH ships it", "auth-user and auth-pass"},
	{"mod_erlang_event", configurations + "[erlang_event.conf]/settings", "cookie", "ClueCon", "mod_erlang_event's cookie is \"ClueCon\", as FreeSWITCH ships it", "cookie and listen-ip"},
	{"mod_amqp", configurations + "[amqp.conf]/producers/profile/connections/connection", "password", "guest", guest, userAndPassword},
	{"mod_amqp", configurations + "[amqp.conf]/commands/profile/connections/connection", "password", "guest", guest, userAndPassword},
	{"mod_amqp", configurations + "[amqp.conf]/logging/profile/connections/connection", "password", "guest", guest, userAndPassword},
}

const (
	guest           = "mod_amqp's password is \"guest\", as every broker ships it"
	userAndPassword = "username and password"
)

// modules looks at what modules open, or would if somebody loaded them.
func modules(s *scene) {
	c := s.configuration()
	if c == nil {
		return
	}
	for _, m := range shipped {
		for _, p := range c.Spots(m.place) {
			if v, _ := p.Param(m.name); v == m.value {
				s.moduleDefault(p, m.module, m.why, m.set)
			}
		}
	}
	for _, p := range c.Spots(configurations + "[voicemail.conf]/profiles/profile") {
		// mod_voicemail.c:691: true where nothing is said.
		if v, ok := p.Param("allow-empty-password-auth"); !ok || fsxml.True(v) {
			s.moduleDefault(p, "mod_voicemail", "allow-empty-password-auth is true: a mailbox without a PIN opens to everybody", "allow-empty-password-auth to false")
		}
	}
	for _, p := range c.Spots(configurations + "[acl.conf]/network-lists/list[lan]") {
		if strings.EqualFold(p.Attr("default"), "allow") {
			s.add(advice(Known, p.File(), "the list \"lan\" lets in everybody that it does not name: whoever uses it for his own network is open to the world",
				"set default=\"deny\" for the list lan in "+s.on(p.File())))
		}
	}
	s.services()
}

// moduleDefault takes down a default of a module, and how much it weighs here.
func (s *scene) moduleDefault(at fsxml.Spot, module, why, set string) {
	weight := " is not loaded, so this opens on the day somebody loads it"
	if s.loaded[module] {
		weight = " is loaded, so this is open now"
	}
	s.add(advice(Known, at.File(), why+"; "+module+weight, "set "+set+" in "+s.on(at.File())))
}

// services are modules that vanilla loads and few installations use.
func (s *scene) services() {
	for _, m := range []struct{ module, why string }{
		{"mod_verto", "listens on ports 8081 and 8082, where bugs before 1.11.1 need no password"},
		{"mod_signalwire", "connects this machine to a service in the cloud"},
		{"mod_httapi", "runs calls as a web server says, that of freeswitch.org in the example"},
	} {
		if m.module == "mod_verto" && len(s.config.Spots(configurations+"[verto.conf]/profiles/profile")) == 0 {
			continue // listens on nothing
		}
		for _, l := range s.loads() {
			if moduleName(l) == m.module {
				s.add(advice(Known, l.File(), m.module+" is loaded and "+m.why, "remove the line that loads "+m.module+" from "+s.on(l.File())+", if nobody uses it"))
			}
		}
	}
}

// sipProfiles looks for the door of CVE-2026-116779: on where nothing is said
// (sofia.c:4656).
func sipProfiles(s *scene) {
	c := s.configuration()
	if c == nil {
		return
	}
	for _, p := range c.Spots(configurations + "[sofia.conf]/profiles/profile") {
		v, ok := "", false
		for _, settings := range first(p.All("settings")) {
			v, ok = settings.Param("enable-chat")
		}
		if !ok || fsxml.True(v) {
			s.add(advice(Known, p.File(), "enable-chat is on: before 1.11.3, it is told, a SIP MESSAGE may run commands of FreeSWITCH (CVE-2026-116779)",
				"add <param name=\"enable-chat\" value=\"false\"/> to the settings in "+s.on(p.File())+", or install 1.11.3"))
		}
	}
}
