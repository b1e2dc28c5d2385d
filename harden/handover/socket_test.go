package handover

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

// door stands in for an event socket: it takes the passwords that it is told to
// take, one or several, hangs, hangs up, and answers what it likes.
type door struct {
	mu       sync.Mutex
	takes    []string          // passwords that it accepts
	hangsOn  string            // a password or a command on which it says nothing more
	dropsOn  string            // a command on which it hangs up
	drops    int               // so many times; else every time
	answers  map[string]string // of a command; else "+OK"
	turnsTo  []string          // what it takes once its module was told to reload
	tried    []string          // passwords, in order
	commands []string
	ended    bool
}

func openDoor(t *testing.T, d *door) Socket {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { close(done); listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go d.speak(conn, done)
		}
	}()
	return Socket{
		Address: listener.Addr().String(), Bound: 2 * time.Second,
		Passwords: []secret.Value{secret.Of(oldSecret), secret.Of("ClueCon")},
		Runs:      func() bool { d.mu.Lock(); defer d.mu.Unlock(); return !d.ended },
	}
}

func (d *door) speak(conn net.Conn, done chan struct{}) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	fmt.Fprint(conn, "Content-Type: auth/request\n\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		reply, hangs := d.reply(strings.TrimSpace(line))
		if hangs {
			<-done
			return
		}
		fmt.Fprint(conn, reply)
		if reply == "" && strings.TrimSpace(line) != "" || strings.Contains(reply, "invalid") {
			return
		}
	}
}

func (d *door) reply(line string) (reply string, hangs bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	verb, rest, _ := strings.Cut(line, " ")
	if rest != "" && rest == d.hangsOn {
		return "", true
	}
	switch verb {
	case "auth":
		d.tried = append(d.tried, rest)
		if slices.Contains(d.takes, rest) {
			return "Content-Type: command/reply\nReply-Text: +OK accepted\n\n", false
		}
		return "Content-Type: command/reply\nReply-Text: -ERR invalid\n\n", false
	case "api":
		d.commands = append(d.commands, rest)
		if rest == d.dropsOn && d.drops >= 0 {
			d.drops--
			return "", false
		}
		if rest == "reload mod_event_socket" && d.turnsTo != nil {
			d.takes = d.turnsTo
		}
		text, ok := d.answers[rest]
		if !ok {
			text = "+OK\n"
		}
		return fmt.Sprintf("Content-Type: api/response\nContent-Length: %d\n\n%s", len(text), text), false
	}
	return "", false
}

// Proven is: the new one is taken, and no other. Nothing else is.
func TestWhatIsProven(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		door  *door
		want  string // of the error; empty: proven
		wrong bool   // FreeSWITCH said so itself
	}{
		"the new one and no other":      {door: &door{takes: []string{newSecret}}},
		"it takes the old one too":      {door: &door{takes: []string{newSecret, oldSecret}}, want: "an old one still works", wrong: true},
		"it takes the shipped one too":  {door: &door{takes: []string{newSecret, "ClueCon"}}, want: "an old one still works", wrong: true},
		"it takes the old one alone":    {door: &door{takes: []string{oldSecret}}, want: "the new one is refused", wrong: true},
		"it takes none":                 {door: &door{}, want: "the new one is refused", wrong: true},
		"it hangs on the new one":       {door: &door{hangsOn: newSecret}, want: "the new password does not work"},
		"it hangs on the old one":       {door: &door{takes: []string{newSecret}, hangsOn: oldSecret}, want: "an old password was not refused"},
		"it hangs on the shipped one":   {door: &door{takes: []string{newSecret}, hangsOn: "ClueCon"}, want: "an old password was not refused"},
		"it has ended, taking both yet": {door: &door{takes: []string{newSecret, oldSecret}, ended: true}, want: "has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openDoor(t, tt.door)
			err := s.Prove(context.Background(), secret.Of(newSecret))
			checkSays(t, "proving", err, tt.want)
			if errors.Is(err, ErrWrong) != tt.wrong {
				t.Errorf("told by FreeSWITCH itself: %v, want %v", !tt.wrong, tt.wrong)
			}
			if errors.Is(err, ErrEnded) != tt.door.ended {
				t.Errorf("ended: %v", err)
			}
		})
	}
}

// A password that is wanted is not among the old ones, though it is in their list.
func TestTheWantedOneIsNoOldOne(t *testing.T) {
	t.Parallel()
	s := openDoor(t, &door{takes: []string{oldSecret}})
	if err := s.Prove(context.Background(), secret.Of(oldSecret)); err != nil {
		t.Error(err)
	}
}

// A change that comes while it is waited for is seen.
func TestProvingWaits(t *testing.T) {
	t.Parallel()
	d := &door{takes: []string{newSecret, oldSecret}}
	s := openDoor(t, d)
	s.Bound = 20 * time.Second
	time.AfterFunc(100*time.Millisecond, func() { d.mu.Lock(); d.takes = []string{newSecret}; d.mu.Unlock() })
	if err := s.Prove(context.Background(), secret.Of(newSecret)); err != nil {
		t.Error(err)
	}
}

const twoProfiles = "Name\tType\tData\tState\n====\ninternal\tprofile\tsip:x\tRUNNING (0)\nexternal\tprofile\tsip:x\tRUNNING (0)\n====\n2 profiles 0 aliases\n"

// all is what FreeSWITCH is told, in this order: the new files first, and last what
// ends the connection.
var all = []string{
	"reloadxml", "reloadacl", "sofia status", "sofia profile internal rescan", "sofia profile external rescan", "reload mod_logfile", "reload mod_event_socket",
}

func TestWhatFreeSWITCHIsTold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		door     *door
		want     string // of the error; empty: taken over
		commands []string
		untold   bool // it was asked for nothing
	}{
		"all of it":                       {door: &door{takes: []string{oldSecret}, turnsTo: []string{newSecret}}, commands: all},
		"it listens with the shipped one": {door: &door{takes: []string{"ClueCon"}, turnsTo: []string{newSecret}}, commands: all},
		"it hangs up on the last word":    {door: &door{takes: []string{newSecret, oldSecret}, dropsOn: "reload mod_event_socket"}, want: "an old one still works", commands: all},
		"it was never told of the log":    {door: &door{takes: []string{oldSecret}, turnsTo: []string{newSecret}, answers: map[string]string{"reload mod_logfile": "-ERR no such module\n"}}, commands: all},
		"it lies: all is reloaded":        {door: &door{takes: []string{oldSecret}}, want: `"Module in use"`, commands: all},
		"it lies: both are taken":         {door: &door{takes: []string{oldSecret}, turnsTo: []string{newSecret, oldSecret}}, want: "an old one still works", commands: all},
		"broken files":                    {door: &door{takes: []string{oldSecret}, answers: map[string]string{"reloadxml": "-ERR [error near line 3]\n"}}, want: "reloadxml: ", commands: all[:1]},
		"broken access lists":             {door: &door{takes: []string{oldSecret}, answers: map[string]string{"reloadacl": "-ERR [error near line 3]\n"}}, want: "reloadacl: ", commands: all[:2]},
		"no SIP":                          {door: &door{takes: []string{oldSecret}, answers: map[string]string{"sofia status": "-ERR sofia Command not found!\n"}}, want: "sofia status: ", commands: all[:3]},
		"a profile refuses":               {door: &door{takes: []string{oldSecret}, answers: map[string]string{"sofia profile external rescan": "-ERR no\n"}}, want: "rescanning the SIP profile external", commands: all[:5]},
		"the module is in use":            {door: &door{takes: []string{oldSecret}, answers: map[string]string{"reload mod_event_socket": "-ERR unloading module [Module in use.]\n"}}, want: "reload mod_event_socket: ", commands: all},
		"none of ours is taken":           {door: &door{takes: []string{"operator's own"}}, want: "accepts none of the passwords", untold: true},
		"it hangs up in the middle, once": {door: &door{takes: []string{oldSecret}, turnsTo: []string{newSecret}, dropsOn: "sofia status"}, commands: append([]string{"reloadxml", "reloadacl", "sofia status"}, all...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := tt.door
			if d.answers == nil {
				d.answers = map[string]string{}
			}
			if d.answers["sofia status"] == "" {
				d.answers["sofia status"] = twoProfiles
			}
			h := &Handover{Was: openDoor(t, d), Fresh: secret.Of(newSecret)}
			checkSays(t, "doing", h.Do(context.Background()), tt.want)
			d.mu.Lock()
			defer d.mu.Unlock()
			if !slices.Equal(d.commands, tt.commands) {
				t.Errorf("told %q, want %q", d.commands, tt.commands)
			}
			if h.told == tt.untold {
				t.Errorf("told: %v", h.told)
			}
		})
	}
}

// Who was told nothing is left in peace, and who may have either is asked with the
// new one first: three refusals would be three lines in somebody's log.
func TestGoingBack(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		door  *door
		told  bool
		tried []string
		want  string
	}{
		"it was told nothing":   {door: &door{takes: []string{oldSecret}}},
		"it has ended":          {door: &door{takes: []string{oldSecret}, ended: true}, told: true},
		"it has the new one":    {door: &door{takes: []string{newSecret}, turnsTo: []string{oldSecret}}, told: true, tried: []string{newSecret, oldSecret, newSecret, "ClueCon"}},
		"it has the old one":    {door: &door{takes: []string{oldSecret}}, told: true, tried: []string{newSecret, oldSecret, oldSecret, newSecret, "ClueCon"}},
		"it keeps both":         {door: &door{takes: []string{newSecret, oldSecret}}, told: true, want: "restart FreeSWITCH, and it starts with the old secrets"},
		"it keeps the new one":  {door: &door{takes: []string{newSecret}}, told: true, want: "restart FreeSWITCH, and it starts with the old secrets"},
		"it takes nothing more": {door: &door{}, told: true, want: "accepts none of the passwords"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &Handover{Was: openDoor(t, tt.door), Fresh: secret.Of(newSecret), told: tt.told}
			checkSays(t, "going back", h.Undo(context.Background()), tt.want)
			tt.door.mu.Lock()
			defer tt.door.mu.Unlock()
			if tt.want == "" && !slices.Equal(tt.door.tried, tt.tried) {
				t.Errorf("tried %q, want %q", tt.door.tried, tt.tried)
			}
		})
	}
}

// lateTimer is a context whose deadline has passed and whose timer has not run
// yet, as on a machine that is busy.
type lateTimer struct{ context.Context }

func (lateTimer) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

func TestOver(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	far, stop := context.WithTimeout(context.Background(), time.Hour)
	defer stop()
	for name, c := range map[string]struct {
		ctx  context.Context
		want bool
	}{
		"without a deadline":  {context.Background(), false},
		"before its deadline": {far, false},
		"ended":               {ended, true},
		"its timer is late":   {lateTimer{context.Background()}, true},
	} {
		if got := over(c.ctx); got != c.want {
			t.Errorf("%s: over is %v", name, got)
		}
	}
}

// lateContext ends later than its deadline says.
type lateContext struct {
	context.Context
	deadline time.Time
}

func (c lateContext) Deadline() (time.Time, bool) { return c.deadline, true }

// What FreeSWITCH has said is the reason, also where the last try was given up on
// before the context's own timer ran.
func TestWhatWasCutShortTellsNothing(t *testing.T) {
	s := openDoor(t, &door{takes: []string{oldSecret}})
	ends, cancel := context.WithTimeout(context.Background(), 900*time.Millisecond)
	defer cancel()
	err := s.Prove(lateContext{ends, time.Now().Add(400 * time.Millisecond)}, secret.Of(newSecret))
	if !errors.Is(err, ErrWrong) {
		t.Errorf("the reason is %v", err)
	}
}
