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

// steady sends n requests, so many a second, and goes on when it is banned: what
// is dropped is not answered.
func steady(n int, rate float64, r request) func(*siege, *attacker) {
	return func(_ *siege, a *attacker) {
		pace := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer pace.Stop()
		for range n {
			a.send(r)
			<-pace.C
		}
		a.settle()
	}
}

// rotating is steady with another source port for each request.
func rotating(n int, rate float64, r request) func(*siege, *attacker) {
	return func(s *siege, a *attacker) {
		pace := time.NewTicker(time.Duration(float64(time.Second) / rate))
		defer pace.Stop()
		for range n {
			once := a.onAnotherPort(s)
			once.send(r)
			<-pace.C
			a.add(once)
		}
	}
}

// onAnotherPort is one more behind the same address: a telephone behind a router,
// or a scanner that changes its port.
func (a *attacker) onAnotherPort(s *siege) *attacker {
	conn, err := shop.Lab.ListenUDP(netip.AddrPortFrom(a.address, 0))
	if err != nil {
		s.t.Error(err)
		return a
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	other := &attacker{address: a.address, target: a.target, conn: conn, wait: a.wait, answered: map[string]bool{}, waiting: map[string]chan string{}}
	go other.listen()
	return other
}

// add counts another's answers as this one's.
func (a *attacker) add(other *attacker) {
	other.mu.Lock()
	defer other.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent += other.sent
	port := other.conn.LocalAddr().String()
	for id := range other.answered {
		a.answered[port+" "+id] = true
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
	guess(request{method: "INVITE", user: "1001", port: internal})(s, behind)
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

// scale makes a ban of a day last some seconds.
func (s *siege) scale() {
	s.m.bringHelper()
	s.m.applyPlan(fmt.Sprintf(`{"fail2ban": {"ignore_ip": [%q], "ban_time": 3}}`, trustedCarrier))
}

func settled(machine) []row {
	return []row{{"10.77.0.66", "repeat offender", offend, "recidive", nil}}
}

// sdp is a session that nobody listens to.
const sdp = "v=0\r\no=- 1 1 IN IP4 10.77.0.23\r\ns=-\r\nc=IN IP4 10.77.0.23\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"

// overloaded is a number that is out of order: the answer is 503.
const overloaded = `<include>
  <extension name="overload">
    <condition field="destination_number" expression="^5550$">
      <action application="hangup" data="SWITCH_CONGESTION"/>
    </condition>
  </extension>
</include>
`

// wrongNumber is one that telephones may dial and that nobody has: the answer is 404.
const wrongNumber = `<include>
  <extension name="wrong-number">
    <condition field="destination_number" expression="^5551$">
      <action application="hangup" data="UNALLOCATED_NUMBER"/>
    </condition>
  </extension>
</include>
`

// innocents are who must not be hit at the defaults.
func (s *siege) innocents() []row {
	password, _ := s.m.secrets()
	return []row{
		{"10.77.3.1", "fifty phones after a power cut", powerCut(password), "", nil},
		{"10.77.3.2", "the same with a new address", moved(password), "", nil},
		{"10.77.3.3", "call centre with wrong numbers", callCentre(password), "", nil},
		{"10.77.3.4", "trunk in overload", overload, "", nil},
		{"10.77.3.5", "phone with stale lamp keys", staleKeys(password), "", nil},
		{"10.77.3.6", "phone that is switched off, called", callsAbsent, "", nil},
		{"10.77.3.7", "trunk's keep-alive every 20 s", keepAlive, "", nil},
		{"10.77.3.8", "registrar failover, thirty sites", failover(password), "", nil},
		{"fd77:3::1", "phone over IPv6", callCentre(password), "", nil},
	}
}

// phone registers, as one does: what is not answered is sent again (RFC 3261,
// 17.1.2).
func (s *siege) phone(a *attacker, password string) bool {
	wait := 500 * time.Millisecond
	for end := time.Now().Add(64 * time.Second); time.Now().Before(end); wait = min(2*wait, 4*time.Second) {
		began := time.Now()
		if strings.HasPrefix(a.login(request{method: "REGISTER", user: "1001", port: internal}, password), "200") {
			return true
		}
		time.Sleep(time.Until(began.Add(wait)))
	}
	return false
}

// powerCut is an office of fifty phones behind an address that is known: two lines
// each register in the same instant, and then all of them call. Nothing of it may
// be lost.
func powerCut(password string) func(*siege, *attacker) {
	return func(s *siege, a *attacker) {
		if !s.phone(a, password) {
			s.t.Errorf("%s: no phone registered the day before", a.address)
		}
		s.accepted(a)
		a.wait = patience
		var phones sync.WaitGroup
		for i := range 50 {
			phones.Go(func() {
				for range 2 {
					if status := a.login(request{method: "REGISTER", user: "1001", port: internal}, password); !strings.HasPrefix(status, "200") {
						s.t.Errorf("a phone's REGISTER: %q", status)
					}
				}
				// A call is two sessions, of which FreeSWITCH itself takes 30 a second, from
				// all together.
				time.Sleep(time.Duration(i) * 500 * time.Millisecond)
				s.dials(a, password, "5551")
			})
		}
		phones.Wait()
		if sent, answered := a.counts(); answered != sent {
			s.t.Errorf("%d packets of the office were lost", sent-answered)
		}
		s.read(a)
	}
}

// dials calls a number that does not exist.
func (s *siege) dials(a *attacker, password, number string) {
	status := a.login(request{method: "INVITE", user: "1001", called: number, port: internal, body: sdp}, password)
	if !strings.HasPrefix(status, "404") {
		s.t.Errorf("%s: a phone's INVITE: %q", a.address, status)
	}
}

// moved is the same office behind an address that nobody knows: every phone has
// registered within the time that it takes to try.
func moved(password string) func(*siege, *attacker) {
	return func(s *siege, a *attacker) {
		a.wait = 400 * time.Millisecond
		began := time.Now()
		var phones sync.WaitGroup
		for range 50 {
			phones.Go(func() {
				phone := a.onAnotherPort(s)
				if !s.phone(phone, password) {
					s.t.Errorf("%s: a phone of fifty has not registered in a minute", a.address)
				}
				a.add(phone)
			})
		}
		phones.Wait()
		s.t.Logf("fifty phones at a new address have registered after %.1f s", time.Since(began).Seconds())
		s.read(a)
	}
}

// callCentre is a phone that dials sixty wrong numbers in two minutes' half.
func callCentre(password string) func(*siege, *attacker) {
	return func(s *siege, a *attacker) {
		if !s.phone(a, password) {
			s.t.Errorf("%s: no phone registered", a.address)
		}
		a.wait = patience
		for range 60 {
			s.dials(a, password, "5551")
			time.Sleep(500 * time.Millisecond)
		}
	}
}

// overload is a trunk whose calls are refused since FreeSWITCH has no room.
func overload(s *siege, a *attacker) {
	a.wait = patience
	for range 20 {
		if status := statusLine(a.ask(request{method: "INVITE", user: "trunk", called: "5550", port: external, body: sdp})); !strings.HasPrefix(status, "503") {
			s.t.Errorf("the trunk's INVITE: %q", status)
		}
		time.Sleep(time.Second)
	}
}

// failover is the phones of thirty sites that another registrar has served until
// now: each is asked for its password, and none of them is known.
func failover(password string) func(*siege, *attacker) {
	return func(s *siege, a *attacker) {
		var sites sync.WaitGroup
		for i := range 30 {
			site := s.m.from(s.t, fmt.Sprintf("10.77.6.%d", 1+i))
			sites.Go(func() {
				site.wait = patience
				for range 3 {
					if status := site.login(request{method: "REGISTER", user: "1001", port: internal}, password); !strings.HasPrefix(status, "200") {
						s.t.Errorf("%s: the phone's REGISTER: %q", site.address, status)
					}
				}
				a.add(site)
			})
		}
		sites.Wait()
		s.read(a)
		for i := range 30 {
			for _, jail := range jails {
				if _, ever := s.watch.ever(jail, fmt.Sprintf("10.77.6.%d", 1+i)); ever {
					s.t.Errorf("10.77.6.%d was banned by %s", 1+i, jail)
				}
			}
		}
	}
}

// staleKeys is a phone whose lamp keys name somebody who is gone.
func staleKeys(password string) func(*siege, *attacker) {
	return func(s *siege, a *attacker) {
		if !s.phone(a, password) {
			s.t.Errorf("%s: no phone registered", a.address)
		}
		s.accepted(a)
		a.wait = patience
		for range 60 {
			if a.ask(request{method: "SUBSCRIBE", user: "77777", port: internal}) == "" {
				s.t.Errorf("%s: a SUBSCRIBE was not answered", a.address)
			}
			time.Sleep(500 * time.Millisecond)
		}
	}
}

// callsAbsent calls a phone that is switched off, again and again.
func callsAbsent(s *siege, a *attacker) {
	for range 22 {
		a.send(request{method: "INVITE", user: "trunk", called: "1002", port: external, body: sdp})
		time.Sleep(time.Second)
	}
	a.settle()
}

func keepAlive(s *siege, a *attacker) {
	a.wait = patience
	for i := range 3 {
		if i > 0 {
			time.Sleep(20 * time.Second)
		}
		if a.ask(request{method: "OPTIONS", user: "ping", port: external}) == "" {
			s.t.Errorf("%s: a keep-alive was not answered", a.address)
		}
	}
}

// accepted waits until the kernel knows a source.
func (s *siege) accepted(a *attacker) {
	version := "v4"
	if a.address.Is6() {
		version = "v6"
	}
	s.m.until("nft list set inet fs_harden accepted_" + version + " | grep -qF '" + a.address.String() + "'")
}

// offend is banned three times, as a scanner by its name: that takes one packet.
func offend(s *siege, a *attacker) {
	const jail = "freeswitch-scanner"
	address := a.address.String()
	for range 3 {
		a.send(request{method: "REGISTER", user: "1001", port: internal, headers: []string{"User-Agent: friendly-scanner"}})
		if !s.watch.until(true, jail, address) {
			s.t.Errorf("%s is not banned", address)
			return
		}
		if !s.watch.until(false, jail, address) {
			s.t.Errorf("the ban of %s does not end", address)
			return
		}
	}
}
