//go:build linux && acceptance

package acctest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	// jail is the one that is to ban the source; "" where none may, and anyJail where
	// the limits in the kernel are enough.
	jail string
	// limits are those of the kernel for strangers that are to have seen the source.
	limits []string
}

const anyJail = "(any)"

// mostAnswered is how many requests of a stranger may be answered, whatever he
// does, and for 300 s (docs/strangers.md).
const mostAnswered = 25

// jails are those that may ban somebody for what he does with FreeSWITCH.
var jails = []string{"freeswitch", "freeswitch-refused", "freeswitch-scanner", "recidive"}

// attacks are the rows for the settings that a machine has by default.
func attacks(paces []pace) []row {
	forged := "x] from ip " + forgedVictim
	call := request{method: "INVITE", user: "1000", called: "98765", port: external, body: sdp}
	named := call
	named.headers = []string{"User-Agent: friendly-scanner"}
	rows := []row{
		{"10.77.0.11", "INVITE flood", floodOn(300, request{method: "INVITE", user: "1000", port: internal}), "freeswitch", []string{"call"}},
		{"10.77.0.13", "INVITE flood on 5080, no SDP", flood(300, request{method: "INVITE", user: "1000", port: external}), anyJail, []string{"call"}},
		{"10.77.0.23", "INVITE flood on 5080, SDP", flood(300, call), anyJail, []string{"call"}},
		{"fd77:11::1", "INVITE flood, IPv6", floodOn(300, request{method: "INVITE", user: "1000", port: internal}), "freeswitch", []string{"call"}},
		{"10.77.0.16", "MESSAGE flood", flood(300, request{method: "MESSAGE", user: "1000", port: internal}), anyJail, []string{"probe"}},
		{"10.77.0.17", "SUBSCRIBE flood", flood(900, request{method: "SUBSCRIBE", user: "1000", port: internal}), anyJail, []string{"probe"}},
		{"10.77.0.18", "OPTIONS flood", flood(300, request{method: "OPTIONS", user: "1000", port: internal}), "", []string{"probe"}},
		{"10.77.0.28", "TCP connections to 5060", connections(400, internal), "", []string{"visit"}},
		{"10.77.0.12", "REGISTER, wrong passwords", guess(request{method: "REGISTER", user: "1001", port: internal}), "freeswitch", nil},
		{"10.77.0.19", "REGISTER, unknown users", guess(request{method: "REGISTER", user: "77777", port: internal}), "freeswitch", nil},
		{"10.77.0.20", "the same on 5080: passwords", guess(request{method: "REGISTER", user: "1001", port: external}), "freeswitch", nil},
		{"10.77.0.24", "the same on 5080: users", guess(request{method: "REGISTER", user: "77777", port: external}), "freeswitch", nil},
		{"10.77.0.14", "INVITE, user a]b", guess(request{method: "INVITE", user: "a]b", port: internal}), "freeswitch", nil},
		{"10.77.0.15", "REGISTER, user a]b", guess(request{method: "REGISTER", user: "a]b", port: internal}), "freeswitch", nil},
		{"10.77.0.21", "INVITE, forged tail", guess(request{method: "INVITE", user: forged, port: internal}), "freeswitch", nil},
		{"10.77.0.22", "REGISTER, forged tail", guess(request{method: "REGISTER", user: forged, port: internal}), "freeswitch", nil},
		{"fd77:12::1", "REGISTER, wrong passwords, IPv6", guess(request{method: "REGISTER", user: "1001", port: internal}), "freeswitch", nil},
		{"fd77:13::1", "REGISTER, user a]b, IPv6", guess(request{method: "REGISTER", user: "a]b", port: internal}), "freeswitch", nil},
		{"10.77.0.31", "folded lines blame a third party", foldLines, "", nil},
		{trustedCarrier, "a carrier's address, spoofed", spoofCarrier, "", nil},
		{"10.77.0.33", "INVITE of friendly-scanner", steady(3, 1, named), "freeswitch-scanner", nil},
		{"10.77.0.34", "REGISTER of friendly-scanner", steady(3, 1, request{method: "REGISTER", user: "1000", port: internal, headers: named.headers}), "freeswitch-scanner", nil},
		{"10.77.0.35", "INVITE, 5/s, rotating ports", rotating(100, 5, call), "freeswitch-refused", nil},
		{"10.77.0.36", "OPTIONS, 15/s, rotating ports", rotating(150, 15, request{method: "OPTIONS", user: "1000", port: internal}), "", []string{"probe"}},
	}
	return slices.Concat(rows, patient(call, paces), overStreams(call))
}

// A pace is how many requests are sent, and how many a second.
type pace struct {
	n    int
	rate float64
}

// paces are those of the scanners that take their time. One machine is enough for
// all of them.
func paces(release lab.Release) []pace {
	if release == lab.Bookworm {
		return []pace{{40, 1}, {100, 5}, {150, 15}}
	}
	return []pace{{100, 5}}
}

// patient are scanners that take their time: each method, on each profile, at each
// pace.
func patient(call request, paces []pace) []row {
	var rows []row
	for i, method := range []string{"INVITE", "OPTIONS", "SUBSCRIBE", "PUBLISH", "REFER", "NOTIFY", "MESSAGE", "REGISTER", "FOO"} {
		for j, port := range []uint16{internal, external} {
			for k, pace := range paces {
				r := request{method: method, user: "1000", port: port}
				jail, limits := anyJail, []string{"probe"}
				switch {
				case method == "INVITE" && port == external:
					r, jail, limits = call, "freeswitch-refused", nil
				case method == "INVITE":
					jail, limits = "freeswitch", nil
				case method == "REGISTER":
					limits = []string{"enrol"}
				}
				rows = append(rows, row{
					fmt.Sprintf("10.77.20.%d", 1+i*6+j*3+k), fmt.Sprintf("%s to %d, %g/s", method, port, pace.rate),
					steady(pace.n, pace.rate, r), jail, limits,
				})
			}
		}
	}
	for i, method := range []string{"INVITE", "OPTIONS", "REFER"} {
		r, jail, limits := request{method: method, user: "1000", port: external}, anyJail, []string{"probe"}
		if method == "INVITE" {
			r, jail, limits = call, "freeswitch-refused", nil
		}
		rows = append(rows, row{fmt.Sprintf("fd77:2%d::1", i), method + " to 5080, 5/s, IPv6", steady(100, 5, r), jail, limits})
	}
	return rows
}

// overStreams are scanners over TCP, TLS and WebSocket.
func overStreams(call request) []row {
	var rows []row
	for i, t := range []struct {
		kind string
		port uint16
	}{{"tcp", internal}, {"tcp", external}, {"tls", internal + 1}, {"tls", external + 1}, {"ws", 5066}} {
		options, invite := request{method: "OPTIONS", user: "1000", port: t.port}, call
		invite.port = t.port
		rows = append(rows,
			row{fmt.Sprintf("10.77.40.%d", 1+4*i), fmt.Sprintf("OPTIONS over %s to %d, 15/s", t.kind, t.port), streamed(t.kind, 150, 15, 1000, options), "", []string{"stream"}},
			row{fmt.Sprintf("10.77.40.%d", 2+4*i), "the same, a connection each, 5/s", streamed(t.kind, 60, 5, 1, options), "", []string{"visit"}},
			row{fmt.Sprintf("10.77.40.%d", 3+4*i), fmt.Sprintf("INVITE over %s to %d, 5/s", t.kind, t.port), streamed(t.kind, 60, 5, 1000, invite), anyJail, []string{"stream"}},
			row{fmt.Sprintf("10.77.40.%d", 4+4*i), fmt.Sprintf("OPTIONS over %s to %d, 1/s", t.kind, t.port), streamed(t.kind, 40, 1, 10, options), "", []string{"stream"}},
		)
	}
	return rows
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
			m.until("nft list set inet fs_harden watched | grep -q elements")
			s := &siege{m: m, t: t, watch: m.watchBans(t)}
			began := time.Now()
			s.run(slices.Concat(attacks(paces(release)), s.innocents()))
			for _, victim := range []string{forgedVictim, foldedVictim, trustedCarrier} {
				for _, jail := range jails {
					if _, ever := s.watch.ever(jail, victim); ever {
						t.Errorf("%s was banned by %s for what others sent", victim, jail)
					}
				}
			}
			s.withoutNames()
			s.scale()
			s.run(settled(m))
			s.print(release, time.Since(began))
			t.Run("challenges apart", func(t *testing.T) { challengesApart(machine{m.Machine, t}) })
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
	// With TLS, of which there are rows; and with room for the calls of all sources
	// at once, or FreeSWITCH refuses most of them before it looks at whose they are.
	for file, script := range map[string]string{
		"vars.xml":                         `s/\(_ssl_enable\)=false/\1=true/`,
		"autoload_configs/switch.conf.xml": `s/\(name="sessions-per-second" value=\)"30"/\1"1000"/`,
	} {
		if _, err := c.Exec(shop.ctx, "sed", "-i", script, "/etc/freeswitch/"+file); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{"public/50_overload.xml": overloaded, "default/50_wrong_number.xml": wrongNumber} {
		if err := c.WriteFile(shop.ctx, "/etc/freeswitch/dialplan/"+path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
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
	m     machine
	t     *testing.T
	watch *watch
	lines []string
}

// run carries out the rows, all at the same time.
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
	began := time.Now()
	r.do(s, a)
	sent, answered := a.counts()
	var stopped []string
	for _, name := range r.limits {
		if !s.m.sawIn(s.t, name, a.address) {
			s.t.Errorf("%s, %s: the kernel's limit %s for strangers did not see it", r.source, r.attack, name)
		}
		stopped = append(stopped, "limit "+name)
	}
	seconds := "-"
	jail, at := s.bannedBy(a, r)
	if jail != "" {
		seconds = fmt.Sprintf("%.1f", at.Sub(began).Seconds())
		stopped = append(stopped, "jail "+jail)
		sent, answered = a.counts()
		s.silent(a, r)
	}
	isAttack := r.jail != "" || len(r.limits) > 0
	switch {
	case isAttack && answered > mostAnswered:
		s.t.Errorf("%s, %s: %d of %d were answered, and %d may be", r.source, r.attack, answered, sent, mostAnswered)
	case !isAttack:
		stopped = []string{"nothing, as intended"}
	case len(stopped) == 0:
		stopped = []string{"NOTHING"}
	}
	return fmt.Sprintf("%s\t%s\t%d\t%d\t%s\t%s", r.source, r.attack, sent, answered, seconds, strings.Join(stopped, ", then "))
}

// bannedBy tells which jail banned the source and when, which one is to do for
// some rows, and none may for others.
func (s *siege) bannedBy(a *attacker, r row) (jail string, at time.Time) {
	if r.jail != "" && r.jail != anyJail && !s.watch.until(true, r.jail, r.source) {
		sent, answered := a.counts()
		s.t.Errorf("%s, %s: not banned by %s after %d packets, %d answered\n%s", r.source, r.attack, r.jail, sent, answered, s.m.sh("tail -n 5 "+authLog+" "+watchLog))
		return "", at
	}
	for _, jail := range jails {
		if at, ever := s.watch.ever(jail, r.source); ever && (r.jail == anyJail || r.jail == jail) {
			return jail, at
		} else if ever && r.jail == "" {
			s.t.Errorf("%s, %s: banned by %s", r.source, r.attack, jail)
		}
	}
	return "", at
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
