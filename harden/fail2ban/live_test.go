package fail2ban

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

const (
	authLog  = "/var/log/freeswitch/fs-harden-auth.log"
	watchLog = "/var/log/fs-harden/watch.log"
)

// server stands in for fail2ban-client and systemctl of a machine: it has an answer
// for each command, as fail2ban 1.0.2 and systemd 252 give it.
type server struct {
	mu      sync.Mutex
	answers map[string]string
	later   map[string]string // the answers from the third status on
	asked   int
}

func (s *server) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	command := strings.Join(append([]string{name}, args...), " ")
	if command == "fail2ban-client status" {
		s.asked++
	}
	if text, ok := s.later[command]; ok && s.asked > 2 {
		return []byte(text), nil
	}
	text, ok := s.answers[command]
	if !ok {
		return nil, fmt.Errorf("%s: %w", command, errors.New("exit status 255"))
	}
	return []byte(text), nil
}

const (
	list   = "fail2ban-client status"
	shown  = "systemctl show fail2ban.service -p ActiveState,ActiveEnterTimestampMonotonic"
	reads1 = "fail2ban-client get freeswitch logpath"
	regex1 = "fail2ban-client get freeswitch failregex"
	reads2 = "fail2ban-client get freeswitch-challenge logpath"
	regex2 = "fail2ban-client get freeswitch-challenge failregex"
	reads3 = "fail2ban-client get recidive logpath"
	reads4 = "fail2ban-client get freeswitch-refused logpath"
	regex4 = "fail2ban-client get freeswitch-refused failregex"
	reads5 = "fail2ban-client get freeswitch-scanner logpath"
	regex5 = "fail2ban-client get freeswitch-scanner failregex"
)

// since is a fail2ban that came up so long ago.
func since(ago time.Duration) string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err)
	}
	return fmt.Sprintf("ActiveState=active\nActiveEnterTimestampMonotonic=%d\n", (time.Duration(now.Nano())-ago)/time.Microsecond)
}

func jails(names string) string {
	return fmt.Sprintf("Status\n|- Number of jail:\t%d\n`- Jail list:\t%s\n", len(strings.Split(names, ",")), names)
}

// told is a filter of the watch's lines.
func told(word string) string {
	return "The following regular expression are defined:\n`- [0]: ^\\.\\d{6} \\[WARNING\\] fs-harden " + word + " [\\w.-]+ from\n"
}

// well is a machine on which all jails do what they are to do.
func well() map[string]string {
	const failregex = "The following regular expression are defined:\n|- [0]: ^[-\\d :.]+(?:\\d+\\.\\d+% )?\\[WARNING\\] sofia_reg\\.c:\\d+ SIP auth failure\n"
	return map[string]string{
		list: jails("freeswitch, freeswitch-challenge, freeswitch-refused, freeswitch-scanner, recidive, sshd"), shown: since(time.Hour),
		reads1: "Current monitored log file(s):\n|- " + authLog + "\n`- " + watchLog + "\n", regex1: failregex,
		reads2: "Current monitored log file(s):\n`- " + authLog + "\n", regex2: failregex,
		reads4: "Current monitored log file(s):\n`- " + watchLog + "\n", regex4: told("refused"),
		reads5: "Current monitored log file(s):\n`- " + watchLog + "\n", regex5: told("scanner"),
		reads3: "Current monitored log file(s):\n`- /var/log/fail2ban.log\n",
	}
}

func TestTheJailsRun(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edit  map[string]string // "-": the command fails
		want  string            // of the error; empty: they run
		apart bool              // challenges are counted apart
	}{
		"all of them":                    {apart: true},
		"more than ours":                 {edit: map[string]string{list: jails("freeswitch, nginx-http-auth, freeswitch-refused, freeswitch-scanner, recidive, sshd")}},
		"no fail2ban":                    {edit: map[string]string{list: "-"}, want: "fail2ban does not answer"},
		"no jails":                       {edit: map[string]string{list: jails("")}, want: "the jail freeswitch does not run"},
		"no answer that is one":          {edit: map[string]string{list: "Server ready\n"}, want: "the jail freeswitch does not run"},
		"ours is gone":                   {edit: map[string]string{list: jails("freeswitch-challenge, freeswitch-refused, freeswitch-scanner, recidive, sshd")}, apart: true, want: "the jail freeswitch does not run"},
		"that of challenges is gone":     {edit: map[string]string{list: jails("freeswitch, freeswitch-refused, freeswitch-scanner, recidive, sshd")}, apart: true, want: "the jail freeswitch-challenge does not run"},
		"that of challenges is not used": {edit: map[string]string{list: jails("freeswitch, freeswitch-refused, freeswitch-scanner, recidive, sshd"), reads2: "-"}},
		"that of repeaters is gone":      {edit: map[string]string{list: jails("freeswitch, freeswitch-refused, freeswitch-scanner, sshd")}, want: "the jail recidive does not run"},
		"that of sshd is gone":           {edit: map[string]string{list: jails("freeswitch, freeswitch-refused, freeswitch-scanner, recidive")}, want: "the jail sshd does not run"},
		"another log":                    {edit: map[string]string{reads1: "Current monitored log file(s):\n`- /var/log/freeswitch/freeswitch.log\n"}, want: "does not read " + authLog},
		"a log of nearly that name":      {edit: map[string]string{reads1: "Current monitored log file(s):\n`- " + authLog + ".1\n"}, want: "does not read " + authLog},
		"ours among others":              {edit: map[string]string{reads1: "Current monitored log file(s):\n|- " + authLog + "\n|- /var/log/x\n`- " + watchLog + "\n"}},
		"the watch's log is not read":    {edit: map[string]string{reads1: "Current monitored log file(s):\n`- " + authLog + "\n"}, want: "does not read " + watchLog},
		"nor by refusals' jail":          {edit: map[string]string{reads4: "No file is currently monitored\n"}, want: "the jail freeswitch-refused does not read"},
		"nor by scanners' jail":          {edit: map[string]string{reads5: "No file is currently monitored\n"}, want: "the jail freeswitch-scanner does not read"},
		"refusals are not counted":       {edit: map[string]string{regex4: told("scanner")}, want: "freeswitch-refused does not use the filter"},
		"scanners are not counted":       {edit: map[string]string{regex5: told("refused")}, want: "freeswitch-scanner does not use the filter"},
		"that of refusals is gone":       {edit: map[string]string{list: jails("freeswitch, freeswitch-scanner, recidive, sshd")}, want: "the jail freeswitch-refused does not run"},
		"no log":                         {edit: map[string]string{reads1: "No file is currently monitored\n"}, want: "does not read " + authLog},
		"no word about the log":          {edit: map[string]string{reads1: "-"}, want: "exit status 255"},
		"another log for challenges":     {edit: map[string]string{reads2: "No file is currently monitored\n"}, apart: true, want: "the jail freeswitch-challenge does not read"},
		"another filter":                 {edit: map[string]string{regex1: "The following regular expression are defined:\n`- [0]: ^sshd\n"}, want: "does not use the filter fs-harden"},
		"another log of repeaters":       {edit: map[string]string{reads3: "No file is currently monitored\n"}, want: "the jail recidive does not read"},
		"no word about the filter":       {edit: map[string]string{regex1: "-"}, want: "exit status 255"},
		"another filter for challenges":  {edit: map[string]string{regex2: "No regular expression is defined\n"}, apart: true, want: "freeswitch-challenge does not use the filter"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &server{answers: well()}
			for command, text := range tt.edit {
				if s.answers[command] = text; text == "-" {
					delete(s.answers, command)
				}
			}
			err := running(t, s, tt.apart)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "run systemctl restart fail2ban")) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func running(t *testing.T, s *server, apart bool) error {
	t.Helper()
	h, err := host.Open("/", s) // nothing here reads or writes a file
	if err != nil {
		t.Fatal(err)
	}
	p := plan.Default()
	if apart {
		p.Fail2ban.ChallengeMaxRetry = 600
	}
	return Config{Plan: p, AuthLog: authLog, WatchLog: watchLog, SSHD: true}.JailsRun(t.Context(), h)
}

// One that was started a moment ago is waited for, and one that was not is not.
func TestAJailThatIsStillToCome(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		shown string
		waits bool
	}{
		"starting":          {"ActiveState=activating\nActiveEnterTimestampMonotonic=0\n", true},
		"started just now":  {since(time.Second), true},
		"started long ago":  {since(time.Minute), false},
		"stopped just now":  {strings.Replace(since(time.Second), "=active", "=inactive", 1), false},
		"failed":            {"ActiveState=failed\nActiveEnterTimestampMonotonic=0\n", false},
		"systemd is silent": {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &server{answers: well(), later: map[string]string{list: well()[list]}}
			s.answers[list], s.answers[shown] = jails("sshd"), tt.shown
			err := running(t, s, false)
			if tt.waits != (err == nil) || tt.waits != (s.asked == 3) || !tt.waits && s.asked != 1 {
				t.Errorf("asked %d times, %v; waits for it: %v", s.asked, err, tt.waits)
			}
		})
	}
}

func TestWhoBansInTheTable(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		set  func(*plan.Plan)
		want bool
		file string
	}{
		"by default": {func(*plan.Plan) {}, true, tableAction},
		"iptables":   {func(p *plan.Plan) { p.Fail2ban.BanAction = "iptables-allports" }, false, iptablesAction},
		"nobody":     {func(p *plan.Plan) { p.SkipFail2ban = true }, false, iptablesAction},
	} {
		p := plan.Default()
		tt.set(p)
		if UsesTable(p) != tt.want || (Config{Plan: p}).ActionFile() != tt.file {
			t.Errorf("%s: %v, %s", name, UsesTable(p), Config{Plan: p}.ActionFile())
		}
	}
	if f, err := Action(); err != nil || f.Path != tableAction || !strings.Contains(f.Text, "fs_harden") {
		t.Errorf("%s, %v", f.Path, err)
	}
}
