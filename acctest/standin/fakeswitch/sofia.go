package fakeswitch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// minUptime is how long a profile runs before it may be stopped
// (mod_sofia.c:3721).
const minUptime = 10 * time.Second

// sofia answers the command of that name (mod_sofia.c:4428).
func (s *Switch) sofia(words []string) string {
	switch {
	case len(words) == 1 && strings.EqualFold(words[0], "status"):
		return s.sofiaStatus()
	case len(words) == 4 && strings.EqualFold(words[0], "status") && strings.EqualFold(words[1], "profile") && strings.EqualFold(words[3], "reg"):
		return s.sofiaRegistrations(words[2])
	case len(words) >= 1 && strings.EqualFold(words[0], "status"):
		return "Invalid Syntax!\n"
	case len(words) >= 3 && strings.EqualFold(words[0], "profile"):
		return s.sofiaProfile(words[1], strings.ToLower(words[2]))
	case len(words) >= 1 && strings.EqualFold(words[0], "profile"):
		return "Invalid Args!\n"
	case len(words) == 3 && strings.EqualFold(words[0], "global") && strings.EqualFold(words[1], "siptrace"):
		return s.siptrace(words[2])
	default:
		return "USAGE:\nsofia profile <name> [start | stop | restart | rescan]\nsofia status\n"
	}
}

// sofiaProfile is cmd_profile (mod_sofia.c:3514). A profile that does not run
// is told without "-ERR", as FreeSWITCH does.
func (s *Switch) sofiaProfile(name, verb string) string {
	if verb == "start" {
		text := "Reload XML [" + s.reloadXML() + "]\n"
		if !s.startProfile(name) {
			return text + "Failure starting " + name + "\n"
		}
		return text + name + " started successfully\n"
	}
	s.mu.Lock()
	p, found := s.profiles[name]
	if !found {
		p, found = s.byAlias(name)
	}
	s.mu.Unlock()
	if !found {
		return "Invalid Profile [" + name + "]"
	}
	switch verb {
	case "rescan":
		text := "Reload XML [" + s.reloadXML() + "]\n"
		x, found := s.configuration().profile(p.name)
		if !found {
			return text + "-ERR cannot find config for profile " + p.name + "\n"
		}
		p.apply(settings(child(x, "settings")))
		return text + "+OK scan complete\n"
	case "stop", "restart":
		if up := s.now().Sub(p.started); up < minUptime {
			remain := int((minUptime - up + time.Second - 1) / time.Second)
			return fmt.Sprintf("Profile %s must be up for at least %d seconds to stop/restart.\nPlease wait %d seconds\n", p.name, int(minUptime.Seconds()), remain)
		}
		text := "Reload XML [" + s.reloadXML() + "]\n"
		s.stopProfile(p)
		if verb == "stop" {
			return text + "stopping: " + p.name
		}
		s.startProfile(p.name)
		return text + "restarting: " + p.name
	default:
		return "-ERR Unknown command!\n"
	}
}

// byAlias finds a profile by another name of it; s.mu is held.
func (s *Switch) byAlias(name string) (*profile, bool) {
	for _, p := range s.profiles {
		if slices.Contains(p.aliases, name) {
			return p, true
		}
	}
	return nil, false
}

// startProfile opens a profile of the configuration that does not run yet. A
// failure is logged, and said.
func (s *Switch) startProfile(name string) bool {
	d := s.configuration()
	x, found := d.profile(name)
	if !found {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, runs := s.profiles[name]; runs {
		return true
	}
	p, err := openProfile(s, d, x)
	if err != nil {
		s.log.line("ERR", "sofia.c:3313", "Error Creating SIP UA for profile: %s (%v)", name, err)
		return false
	}
	s.profiles[name] = p
	return true
}

func (s *Switch) stopProfile(p *profile) {
	s.mu.Lock()
	delete(s.profiles, p.name)
	s.mu.Unlock()
	p.close()
}

// sofiaStatus is the list of what runs (cmd_status, mod_sofia.c:3153).
func (s *Switch) sofiaStatus() string {
	const rule = "=================================================================================================\n"
	var b strings.Builder
	fmt.Fprintf(&b, "%25s\t%s\t  %40s\t%s\n%s", "Name", "   Type", "Data", "State", rule)
	s.mu.Lock()
	defer s.mu.Unlock()
	aliases := 0
	for _, name := range slices.Sorted(maps.Keys(s.profiles)) {
		p := s.profiles[name]
		for _, alias := range p.aliases {
			aliases++
			fmt.Fprintf(&b, "%25s\t%s\t  %40s\t%s\n", alias, "  alias", p.name, "ALIASED")
		}
		fmt.Fprintf(&b, "%25s\t%s\t  %40s\t%s (%d)\n", p.name, "profile", p.url(p.port()), "RUNNING", 0)
		if p.flag("tls") {
			fmt.Fprintf(&b, "%25s\t%s\t  %40s\t%s (%d) (TLS)\n", p.name, "profile", p.url(p.portOf("tls")), "RUNNING", 0)
		}
		for _, g := range p.gateways {
			fmt.Fprintf(&b, "%25s\t%s\t  %40s\t%s\n", p.name+"::"+g.name, "gateway", g.to, g.state)
		}
	}
	fmt.Fprintf(&b, "%s%d profile%s %d alias%s\n", rule, len(s.profiles), plural(len(s.profiles), "s"), aliases, plural(aliases, "es"))
	return b.String()
}

// sofiaRegistrations lists who has registered with a profile (show_reg_callback,
// mod_sofia.c:2784).
func (s *Switch) sofiaRegistrations(name string) string {
	const rule = "=================================================================================================\n"
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.profiles[name] == nil {
		return "Invalid Profile!\n"
	}
	var b strings.Builder
	n := 0
	for _, key := range slices.Sorted(maps.Keys(s.registrations)) {
		r := s.registrations[key]
		if r.profile != name {
			continue
		}
		n++
		fmt.Fprintf(&b, "Call-ID:    \t%s\nUser:       \t%s@%s\nContact:    \t\"\" <%s>\nAgent:      \t%s\nIP:         \t%s\nPort:       \t%d\n\n",
			r.callID, r.user, r.realm, r.contact, r.agent, r.from.Addr().Unmap(), r.from.Port())
	}
	return fmt.Sprintf("\nRegistrations:\n%s%sTotal items returned: %d\n%s\n", rule, b.String(), n, rule)
}

func plural(n int, ending string) string {
	if n == 1 {
		return ""
	}
	return ending
}
