//go:build linux && acceptance

package acctest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/bakery"
	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

const (
	// trustedCarrier is in the plan's ignore_ip.
	trustedCarrier = "10.77.0.90"
	// Addresses that attackers put into their lines, and that never sent a packet.
	forgedVictim, foldedVictim = "10.77.0.99", "203.0.113.200"

	internal, external = 5060, 5080
)

// A row of the table: what one source address does, and what is to come of it.
type row struct {
	source, attack string
	do             func(*siege, *attacker)
	// limit is the method that the kernel is to limit, or "".
	limit string
	// jail is the one that is to ban the source, or "". Where either is as good,
	// since FreeSWITCH and its stand-in differ, it is mayBan.
	jail string
}

const mayBan = "(either)"

// attacks are the rows for the settings that a machine has by default. Rows with
// a limit follow each other, so that what its counter gains is theirs.
func attacks() []row {
	const sdp = "v=0\r\no=- 1 1 IN IP4 10.77.0.23\r\ns=-\r\nc=IN IP4 10.77.0.23\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
	forged := "x] from ip " + forgedVictim
	return []row{
		{"10.77.0.11", "INVITE flood", floodOn(300, request{method: "INVITE", user: "1000", port: internal}), "INVITE", "freeswitch"},
		{"10.77.0.13", "INVITE flood on 5080, no SDP", flood(300, request{method: "INVITE", user: "1000", port: external}), "INVITE", ""},
		{"10.77.0.23", "INVITE flood on 5080, SDP", flood(300, request{method: "INVITE", user: "1000", port: external, body: sdp}), "INVITE", ""},
		{"fd77:11::1", "INVITE flood, IPv6", floodOn(300, request{method: "INVITE", user: "1000", port: internal}), "INVITE", "freeswitch"},
		{"10.77.0.16", "MESSAGE flood", floodOn(300, request{method: "MESSAGE", user: "1000", port: internal}), "MESSAGE", "freeswitch"},
		{"10.77.0.17", "SUBSCRIBE flood", flood(900, request{method: "SUBSCRIBE", user: "1000", port: internal}), "SUBSCRIBE", mayBan},
		{"10.77.0.18", "OPTIONS flood", flood(300, request{method: "OPTIONS", user: "1000", port: internal}), "OPTIONS", ""},
		{"10.77.0.28", "TCP connections to 5060", connections(400, internal), "connect", ""},
		{"10.77.0.12", "REGISTER, wrong passwords", guess(request{method: "REGISTER", user: "1001", port: internal}), "", "freeswitch"},
		{"10.77.0.19", "REGISTER, unknown users", guess(request{method: "REGISTER", user: "77777", port: internal}), "", "freeswitch"},
		{"10.77.0.20", "the same on 5080: passwords", guess(request{method: "REGISTER", user: "1001", port: external}), "", "freeswitch"},
		{"10.77.0.24", "the same on 5080: users", guess(request{method: "REGISTER", user: "77777", port: external}), "", "freeswitch"},
		{"10.77.0.14", "INVITE, user a]b", guess(request{method: "INVITE", user: "a]b", port: internal}), "", "freeswitch"},
		{"10.77.0.15", "REGISTER, user a]b", guess(request{method: "REGISTER", user: "a]b", port: internal}), "", "freeswitch"},
		{"10.77.0.21", "INVITE, forged tail", guess(request{method: "INVITE", user: forged, port: internal}), "", "freeswitch"},
		{"10.77.0.22", "REGISTER, forged tail", guess(request{method: "REGISTER", user: forged, port: internal}), "", "freeswitch"},
		{"fd77:12::1", "REGISTER, wrong passwords, IPv6", guess(request{method: "REGISTER", user: "1001", port: internal}), "", "freeswitch"},
		{"fd77:13::1", "REGISTER, user a]b, IPv6", guess(request{method: "REGISTER", user: "a]b", port: internal}), "", "freeswitch"},
		{"10.77.0.31", "folded lines blame a third party", foldLines, "", ""},
		{trustedCarrier, "a carrier's address, spoofed", spoofCarrier, "", ""},
	}
}

// TestAttacks is the defence as a whole, on finished instances: baked by Packer,
// started, and attacked with real packets, one source address a row. The table
// is left in .build/attacks-RELEASE.txt.
func TestAttacks(t *testing.T) {
	for _, release := range []lab.Release{lab.Bookworm, lab.Trixie} {
		t.Run(string(release), func(t *testing.T) {
			if release != lab.Bookworm && os.Getenv(lab.FreeSWITCHEnv) != "" {
				t.Skipf("the FreeSWITCH of %s is for Debian 12", lab.FreeSWITCHEnv)
			}
			m := boot(t, bakedFor(t, release), "siege-"+string(release), lab.BootOptions{})
			s := &siege{m: m, t: t, limits: documentedLimits(t), watch: m.watchBans(t)}
			began := time.Now()
			s.run(attacks())
			for _, victim := range []string{forgedVictim, foldedVictim, trustedCarrier} {
				for _, jail := range []string{"freeswitch", "recidive"} {
					if _, ever := s.watch.ever(jail, victim); ever {
						t.Errorf("%s was banned by %s for what others sent", victim, jail)
					}
				}
			}
			s.scale()
			s.run(settled(m))
			s.print(release, time.Since(began))
			t.Run("challenges apart", func(t *testing.T) { challengesApart(machine{m.Machine, t}, officeChallenges) })
			if release == lab.Bookworm {
				t.Run("in service", func(t *testing.T) { inService(machine{m.Machine, t}) })
			} else {
				t.Run("rules of the operator's", func(t *testing.T) { operatorsUFW(machine{m.Machine, t}) })
			}
		})
	}
}

// bakedFor is an image that Packer made of the release, by the example, with a
// carrier that is trusted.
func bakedFor(t *testing.T, release lab.Release) *lab.Image {
	t.Helper()
	lab.Require(t)
	c, err := shop.MachineOf(shop.ctx, release, "smith-"+string(release))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Kill() })
	dir := t.TempDir()
	example, err := os.ReadFile(filepath.Join(shop.Project, "example", "freeswitch.pkr.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	const option = "report = var.report"
	if strings.Count(string(example), option) != 1 {
		t.Fatalf("the example has no line %q", option)
	}
	config := strings.Replace(string(example), option, option+"\n    fail2ban {\n      ignore_ip = [\""+trustedCarrier+"\"]\n    }", 1)
	if err := os.WriteFile(filepath.Join(dir, "freeswitch.pkr.hcl"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	ssh := c.SSH()
	if out, err := shop.Packer.RunInside(shop.ctx, dir, "build", "-var", "host="+ssh.Host, "-var", "user=debian",
		"-var", "private_key_file="+ssh.KeyFile, "-var", "report="+filepath.Join(dir, "report.json"), "."); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	image, err := bakery.Image(shop.ctx, c, "siege-"+string(release))
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// A siege is the attacks on one machine, and the table that comes of them.
type siege struct {
	m      machine
	t      *testing.T
	limits map[string]limit
	watch  *watch

	lines []string
	// Bursts go one after the other: a limit's counter is for all sources.
	burst sync.Mutex
}

// run carries out the rows, those without a limit at the same time.
func (s *siege) run(rows []row) {
	lines := make([]string, len(rows))
	var all sync.WaitGroup
	for i, r := range rows {
		all.Go(func() { lines[i] = s.one(r) })
	}
	all.Wait()
	s.lines = append(s.lines, lines...)
}

// one is a row from its first packet to its line in the table.
func (s *siege) one(r row) string {
	a := s.m.from(s.t, r.source)
	if r.limit != "" {
		s.burst.Lock()
	}
	began := time.Now()
	before := 0
	if r.limit != "" {
		before = s.m.limited(s.t, r.limit)
	}
	r.do(s, a)
	var stopped []string
	if r.limit != "" {
		dropped := s.m.limited(s.t, r.limit) - before
		s.burst.Unlock()
		sent, answered := a.counts()
		if most := s.limits[r.limit].most(time.Since(began)); answered > most {
			s.t.Errorf("%s, %s: %d answered, and docs/limits.md promises at most %d", r.source, r.attack, answered, most)
		}
		if dropped == 0 {
			s.t.Errorf("%s, %s: the kernel limited none of %d packets", r.source, r.attack, sent)
		}
		stopped = append(stopped, fmt.Sprintf("kernel limit %s (%d dropped)", r.limit, dropped))
	}
	seconds := "-"
	if jail := strings.Replace(r.jail, mayBan, "freeswitch", 1); s.bannedBy(a, r, jail) {
		at, _ := s.watch.ever(jail, r.source)
		seconds = fmt.Sprintf("%.1f", at.Sub(began).Seconds())
		stopped = append(stopped, "jail "+jail)
		s.silent(a, r)
	}
	switch {
	case len(stopped) > 0:
	case r.jail == "":
		stopped = []string{"nothing, as intended"}
	default:
		stopped = []string{"NOTHING"}
	}
	sent, answered := a.counts()
	return fmt.Sprintf("%s\t%s\t%d\t%d\t%s\t%s", r.source, r.attack, sent, answered, seconds, strings.Join(stopped, ", then "))
}

// bannedBy tells whether the jail banned the source, which it is to do for some
// rows, and must not for others.
func (s *siege) bannedBy(a *attacker, r row, jail string) bool {
	switch r.jail {
	case "":
		for _, jail := range []string{"freeswitch", "recidive"} {
			if _, ever := s.watch.ever(jail, r.source); ever {
				s.t.Errorf("%s, %s: banned by %s", r.source, r.attack, jail)
			}
		}
		return false
	case mayBan:
		return s.watch.banned(jail, r.source)
	}
	if s.watch.until(true, jail, r.source) {
		return true
	}
	sent, answered := a.counts()
	s.t.Errorf("%s, %s: not banned by %s after %d packets, %d answered\n%s", r.source, r.attack, jail, sent, answered, s.m.sh("tail -n 5 "+authLog))
	return false
}

// silent proves a ban: what comes now is not answered.
func (s *siege) silent(a *attacker, r row) {
	_, before := a.counts()
	for _, port := range []uint16{internal, external} {
		if answer := a.ask(request{method: "OPTIONS", user: "1000", port: port}); answer != "" {
			s.t.Errorf("%s, %s: banned, and port %d answers %q", r.source, r.attack, port, statusLine(answer))
		}
	}
	if _, after := a.counts(); after != before {
		s.t.Errorf("%s, %s: %d packets were answered after the ban", r.source, r.attack, after-before)
	}
}

// print puts the table where make testacc finds it.
func (s *siege) print(release lab.Release, took time.Duration) {
	var b strings.Builder
	what := "the stand-in for FreeSWITCH"
	if os.Getenv(lab.FreeSWITCHEnv) != "" {
		what = "FreeSWITCH"
	}
	fmt.Fprintf(&b, "Attacks on Debian %s with %s, in %.0f s:\n", release, what, took.Seconds())
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "source\tattack\tsent\tanswered\tseconds to the ban\twhat stopped it")
	for _, line := range s.lines {
		fmt.Fprintln(w, line)
	}
	if err := w.Flush(); err != nil {
		s.t.Error(err)
	}
	s.t.Log("\n" + b.String())
	if err := os.WriteFile(filepath.Join(shop.Project, ".build", "attacks-"+string(release)+".txt"), []byte(b.String()), 0o644); err != nil {
		s.t.Error(err)
	}
}
