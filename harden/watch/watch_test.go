package watch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
)

// freeSWITCH is an event socket that holds one registration, and sends the events
// of each connection in turn; then it hangs up, or stays and is silent.
type freeSWITCH struct {
	events [][]esl.Event
	stays  bool
}

func (f freeSWITCH) serve(t *testing.T) func(context.Context) (*esl.Conn, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			var events []esl.Event
			if n < len(f.events) {
				events = f.events[n]
			}
			go f.speak(conn, events)
		}
	}()
	return func(ctx context.Context) (*esl.Conn, error) { return esl.Dial(ctx, l.Addr().String(), "secret") }
}

func (f freeSWITCH) speak(conn net.Conn, events []esl.Event) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	reply := func(text string) { fmt.Fprintf(conn, "Content-Type: command/reply\nReply-Text: %s\n\n", text) }
	answer := func(text string) {
		fmt.Fprintf(conn, "Content-Type: api/response\nContent-Length: %d\n\n%s", len(text), text)
	}
	fmt.Fprint(conn, "Content-Type: auth/request\n\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch command := strings.TrimSpace(line); {
		case command == "":
		case strings.HasPrefix(command, "auth "):
			reply("+OK accepted")
		case command == "api sofia status":
			answer("internal\tprofile\tsip:mod_sofia@10.77.0.2:5060\tRUNNING (1)\n")
		case command == "api sofia status profile internal reg":
			answer("Call-ID:    \tx\nUser:       \t1000@10.77.0.2\nAgent:      \tIP: 192.0.2.99\n IP: \t192.0.2.99\nIP:         \t10.77.0.50\nPort:       \t5060\n\n")
		case strings.HasPrefix(command, "event plain CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE CUSTOM sofia::register "):
			reply("+OK event listener enabled plain")
			for _, e := range events {
				var body strings.Builder
				for name, value := range e {
					fmt.Fprintf(&body, "%s: %s\n", name, strings.ReplaceAll(value, " ", "%20"))
				}
				body.WriteString("\n")
				fmt.Fprintf(conn, "Content-Length: %d\nContent-Type: text/event-plain\n\n%s", body.Len(), body.String())
			}
			if !f.stays {
				return
			}
		default:
			reply("-ERR command not found")
			return
		}
	}
}

// observed is what a watch told.
type observed struct {
	mu      sync.Mutex
	scripts []string
	lines   []string
	said    []string
}

func (o *observed) kernel(_ context.Context, script string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.scripts = append(o.scripts, script)
	return nil
}

func (o *observed) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, what, _ := strings.Cut(string(line), "fs-harden ")
	o.lines = append(o.lines, strings.TrimSpace(what))
	return len(line), nil
}

func (o *observed) say(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = append(o.said, what)
}

// until waits for something that was told, or fails.
func (o *observed) until(t *testing.T, what string, seen func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		o.mu.Lock()
		ok := seen()
		o.mu.Unlock()
		if ok {
			return
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	t.Fatalf("%s: not seen\nscripts %q\nlines %q\nsaid %q", what, o.scripts, o.lines, o.said)
}

func (o *observed) told(part string) bool {
	return slices.ContainsFunc(o.scripts, func(s string) bool { return strings.Contains(s, part) })
}

func start(t *testing.T, f freeSWITCH, o *observed) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	w := &Watch{Dial: f.serve(t), Kernel: o.kernel, Log: o, Known: Signatures{"sipcli"}, Say: o.say, Ready: func() {}}
	go func() { defer close(ended); w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
}

func from(e esl.Event, address string) esl.Event {
	if e["variable_sip_network_ip"] != "" {
		return with(e, "variable_sip_network_ip", address)
	}
	return with(e, "network-ip", address)
}

func TestWatch(t *testing.T) {
	o := &observed{}
	start(t, freeSWITCH{stays: true, events: [][]esl.Event{{
		from(challenged, "10.77.0.60"), from(register, "10.77.0.60"), // a telephone
		from(register, "fd77:12::abcd"),
		from(challenged, "10.77.0.61"), // a stranger
		from(noSuchNumber, "10.77.0.62"),
		with(challenged, "network-ip", "10.77.0.63", "user-agent", "sipcli/1"),
		from(heard, "10.77.0.64"), from(noSuchNumber, "10.77.0.64"), // a carrier, or somebody who found voicemail
		// In the name of a telephone's address, forged.
		from(register, "10.77.0.65"), from(noSuchNumber, "10.77.0.65"), with(challenged, "network-ip", "10.77.0.65", "user-agent", "sipcli/1"),
	}}}, o)
	o.until(t, "whom the kernel is told of", func() bool {
		return o.told("accepted_v4 { 10.77.0.50 timeout 86400s }") && o.told("10.77.0.60 timeout 86400s") &&
			o.told("accepted_v6 { fd77:12:: timeout 86400s }") && o.told("watched { tcp timeout 90s, udp timeout 90s }")
	})
	o.until(t, "what the jails are told", func() bool { return len(o.lines) >= 4 })
	slices.Sort(o.lines)
	if want := []string{"challenged stranger from 10.77.0.61", "refused NORMAL_CLEARING from 10.77.0.62", "refused NORMAL_CLEARING from 10.77.0.64", "scanner sipcli from 10.77.0.63"}; !slices.Equal(o.lines, want) {
		t.Errorf("the jails are told %q", o.lines)
	}
	if o.told("192.0.2.99") {
		t.Error("a telephone's name became a source")
	}
	if len(o.said) != 1 || !strings.Contains(o.said[0], "1 sources have registered") {
		t.Errorf("it says %q", o.said)
	}
}

// A connection that ends is made again, and the kernel told anew: its table may
// have been loaded again.
func TestWatchComesBack(t *testing.T) {
	o := &observed{}
	start(t, freeSWITCH{events: [][]esl.Event{{from(register, "10.77.0.60")}, {from(register, "10.77.0.60")}}}, o)
	o.until(t, "two connections", func() bool {
		n := 0
		for _, s := range o.scripts {
			n += strings.Count(s, "{ 10.77.0.60 timeout")
		}
		return n >= 2
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.ContainsFunc(o.said, func(s string) bool { return strings.Contains(s, "closed the connection") }) {
		t.Errorf("it says %q", o.said)
	}
}

// Where the kernel's table is gone nothing is claimed, and it is tried again.
func TestWatchWithoutATable(t *testing.T) {
	o, fails := &observed{}, 2
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := &Watch{Dial: freeSWITCH{stays: true}.serve(t), Log: o, Say: o.say, Ready: func() {}, Kernel: func(ctx context.Context, script string) error {
		if fails--; fails >= 0 {
			return errors.New("no such table")
		}
		return o.kernel(ctx, script)
	}}
	go w.Run(ctx)
	o.until(t, "the kernel is told in the end", func() bool { return o.told("watched") && len(o.said) == 2 })
	if !strings.Contains(o.said[0], "no such table") || !strings.HasPrefix(o.said[1], "watching") {
		t.Errorf("it says %q", o.said)
	}
}

// Without limits in the kernel the jails are told all the same.
func TestWatchForTheJailsAlone(t *testing.T) {
	o := &observed{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := [][]esl.Event{{from(register, "10.77.0.60"), from(noSuchNumber, "10.77.0.62")}}
	w := &Watch{Dial: freeSWITCH{stays: true, events: events}.serve(t), Log: o, Say: o.say, Ready: func() {}}
	go w.Run(ctx)
	o.until(t, "what the jails are told", func() bool { return len(o.lines) == 1 })
}

func TestAccepted(t *testing.T) {
	a, now := accepted{}, time.Now()
	source := netip.MustParseAddr("192.0.2.7")
	for _, c := range []struct {
		after time.Duration
		tell  bool
	}{{0, true}, {time.Minute, false}, {renewAfter, true}, {renewAfter + time.Minute, false}} {
		if tell := a.add(source, false, now.Add(c.after)); tell != c.tell {
			t.Errorf("after %s: told is %v", c.after, tell)
		}
	}
	// One IPv6 customer is one source.
	if !a.add(netip.MustParseAddr("2001:db8::1"), true, now) || a.add(netip.MustParseAddr("2001:db8::2:3"), true, now) || !a.add(netip.MustParseAddr("2001:db8:0:1::1"), true, now) {
		t.Error("IPv6 is not by /64")
	}
	if !a.knows(netip.MustParseAddr("2001:db8::9")) || a.knows(netip.MustParseAddr("192.0.2.8")) {
		t.Error("who is known")
	}
	if a.trusts(source, now) || !a.trusts(netip.MustParseAddr("2001:db8::9"), now) || a.trusts(netip.MustParseAddr("2001:db8::9"), now.Add(acceptedFor)) {
		t.Error("whose telephones are behind a source")
	}
	// As many as the kernel holds; who has been silent for long makes room.
	for i := len(a); i < maxAccepted; i++ {
		a.add(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), true, now)
	}
	if a.add(netip.MustParseAddr("198.51.100.1"), true, now.Add(time.Hour)) {
		t.Error("more than the kernel holds")
	}
	if !a.add(netip.MustParseAddr("198.51.100.1"), true, now.Add(acceptedFor+renewAfter)) {
		t.Error("nobody made room")
	}
}

// Linux takes an argument of 128 KiB.
func TestScriptsAreShort(t *testing.T) {
	var many []netip.Prefix
	for i := range 2 * perScript {
		many = append(many, keyOf(netip.MustParseAddr(fmt.Sprintf("2001:db8:ffff:%x::1", 0xf000+i))))
	}
	scripts := acceptScripts(many)
	if len(scripts) != 2 {
		t.Errorf("%d scripts", len(scripts))
	}
	for _, s := range scripts {
		if len(s) > 100<<10 {
			t.Errorf("one has %d bytes", len(s))
		}
	}
}

func TestBudget(t *testing.T) {
	var b budget
	now, told := time.Unix(1000, 0), 0
	for range 100 {
		if b.spend(now) {
			told++
		}
	}
	if told != scannersASecond || !b.spend(now.Add(time.Second)) {
		t.Errorf("%d are told in a second", told)
	}
}

// What keeps the limits in force fails on a table that does not have them.
func TestKeeping(t *testing.T) {
	if first := watchedScript(false); !strings.HasPrefix(first, "add element") {
		t.Errorf("the first is %q", first)
	}
	if next := watchedScript(true); !strings.HasPrefix(next, "delete element") || !strings.Contains(next, "\nadd element") {
		t.Errorf("the next is %q", next)
	}
}
