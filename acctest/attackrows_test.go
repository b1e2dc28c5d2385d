//go:build linux && acceptance

package acctest

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// What the rows of the table do.

// quietFor is how long nothing more is answered before a burst is over.
const quietFor = 300 * time.Millisecond

// flood sends n requests at once, and waits for the answers.
func flood(n int, r request) func(*siege, *attacker) {
	return func(_ *siege, a *attacker) {
		for range n {
			a.send(r)
		}
		a.settle()
	}
}

// floodOn is flood by somebody who then goes on at ten a second until banned:
// FreeSWITCH itself refuses most of a burst of INVITEs without a line in its log
// (sessions-per-second).
func floodOn(n int, r request) func(*siege, *attacker) {
	return func(s *siege, a *attacker) {
		flood(n, r)(s, a)
		for range 100 {
			if s.watch.banned("freeswitch", a.address.String()) {
				return
			}
			a.send(r)
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// settle waits until no more answers come.
func (a *attacker) settle() {
	for last := -1; ; time.Sleep(quietFor) {
		if _, answered := a.counts(); answered == last {
			return
		} else {
			last = answered
		}
	}
}

func connections(n int, port uint16) func(*siege, *attacker) {
	return func(_ *siege, a *attacker) { a.connect(port, n) }
}

// guess tries passwords, ten a second, until it is banned, or has had many more
// tries than a jail of 20 events leaves it.
func guess(r request) func(*siege, *attacker) {
	return func(s *siege, a *attacker) {
		for range 100 {
			if s.watch.banned("freeswitch", a.address.String()) {
				return
			}
			if status := a.login(r, "wrong"); strings.HasPrefix(status, "200") {
				s.t.Errorf("%s logged in with a wrong password", a.address)
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// foldLines sends what made the published baseline ban a third party: a user
// name of folded lines, each like one that FreeSWITCH would log of the victim.
func foldLines(s *siege, a *attacker) {
	const line = "2026-11-22 22:22:12.811985 98.77% [WARNING] sofia_reg.c:3210 Can't find user [1@1] from " + foldedVictim
	a.wait = patience
	for range 3 {
		r := request{method: "REGISTER", user: "1001", port: external}
		found := challenge.FindStringSubmatch(a.ask(r))
		if found == nil {
			s.t.Errorf("%s was not challenged", a.address)
			return
		}
		r.headers = []string{`Authorization: Digest username="x` + strings.Repeat("\r\n "+line, 10) + "\r\n \"" +
			`, realm="` + found[2] + `", nonce="` + found[3] + `", uri="sip:x", response="0", algorithm=MD5`}
		a.ask(r)
	}
	s.read(a)
}

// read waits until the jail has read all that a did: until it has banned
// somebody who attacks after it.
func (s *siege) read(a *attacker) {
	address := a.address.As4()
	address[2]++
	behind := s.m.from(s.t, netip.AddrFrom4(address).String())
	guess(request{method: "REGISTER", user: "1001", port: internal})(s, behind)
	if !s.watch.until(true, "freeswitch", behind.address.String()) {
		s.t.Error("the jail does not read on")
	}
}

// spoofCarrier sends what bans anybody else, in the name of a carrier that the
// plan trusts; the carrier itself is served on.
func spoofCarrier(s *siege, a *attacker) {
	for range 60 {
		a.send(request{method: "REGISTER", user: "1001", port: internal})
	}
	a.settle()
	s.read(a)
	a.wait = patience
	for _, r := range []request{
		{method: "OPTIONS", user: "trunk", port: external},
		{method: "INVITE", user: "trunk", port: external},
	} {
		if a.ask(r) == "" {
			s.t.Errorf("the carrier's %s is not answered", r.method)
		}
	}
}

// officeChallenges is what docs/fail2ban.md says for it.
const officeChallenges = 600

// scale makes a ban of a day last some seconds, and counts challenges apart for an
// office of fifty phones.
func (s *siege) scale() {
	s.m.bringHelper()
	s.m.applyPlan(fmt.Sprintf(`{"fail2ban": {"ignore_ip": [%q], "challenge_max_retry": %d, "ban_time": 3}}`, trustedCarrier, officeChallenges))
}

func settled(m machine) []row {
	password, _ := m.secrets()
	return []row{
		{"10.77.0.50", "office of fifty phones", office(password), "", ""},
		{"10.77.0.66", "repeat offender", offend, "", "recidive"},
	}
}

// office is fifty phones behind one address when the power comes back: two lines
// each register in the same instant, and then all of them call. Nothing of it may
// be lost.
func office(password string) func(*siege, *attacker) {
	return func(s *siege, a *attacker) {
		a.wait = patience
		s.burst.Lock()
		defer s.burst.Unlock()
		limited := s.m.limited(s.t, "REGISTER") + s.m.limited(s.t, "INVITE")
		var phones sync.WaitGroup
		for i := range 50 {
			phones.Go(func() {
				for range 2 {
					if status := a.login(request{method: "REGISTER", user: "1001", port: internal}, password); !strings.HasPrefix(status, "200") {
						s.t.Errorf("a phone's REGISTER: %q", status)
					}
				}
				// A call is two sessions, of which FreeSWITCH itself takes 30 a second.
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				status := a.login(request{method: "INVITE", user: "1001", called: "99999@" + a.host(), port: internal}, password)
				if !strings.HasPrefix(status, "404") && !strings.HasPrefix(status, "480") { // it is let in, and calls nobody
					s.t.Errorf("a phone's INVITE: %q", status)
				}
			})
		}
		phones.Wait()
		if now := s.m.limited(s.t, "REGISTER") + s.m.limited(s.t, "INVITE"); now != limited {
			s.t.Errorf("%d packets of the office were limited", now-limited)
		}
		s.read(a)
	}
}

// offend guesses until it is banned, three times.
func offend(s *siege, a *attacker) {
	address := a.address.String()
	for range 3 {
		guess(request{method: "REGISTER", user: "1001", port: internal})(s, a)
		if _, ever := s.watch.ever("freeswitch", address); !ever {
			s.t.Errorf("%s is not banned", address)
			return
		}
		if !s.watch.until(false, "freeswitch", address) {
			s.t.Errorf("the ban of %s does not end", address)
			return
		}
	}
}
