package fail2ban

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// How far the jails have read: what fail2ban-client 1.0.2 prints of jail.py's lag.
func TestHowFarTheJailsHaveRead(t *testing.T) {
	const (
		lag1    = "fail2ban-client get freeswitch action fs-harden-jail lag"
		lag2    = "fail2ban-client get freeswitch-challenge action fs-harden-jail lag"
		lag3    = "fail2ban-client get recidive action fs-harden-jail lag"
		lag4    = "fail2ban-client get freeswitch-refused action fs-harden-jail lag"
		lag5    = "fail2ban-client get freeswitch-scanner action fs-harden-jail lag"
		none    = "0.0 s, 0 bytes\n"
		behind  = "43.2 s, 1840 bytes\n"
		restart = "run systemctl restart fail2ban"
	)
	for name, tt := range map[string]struct {
		first, later map[string]string // instead of none; "-": the command fails
		shown        string            // what systemd tells
		want         string            // of the sentence
		err          []string          // of the error
		within       time.Duration     // it takes
	}{
		"all is read":           {want: "up to 0.0 s behind"},
		"a moment behind":       {first: map[string]string{lag1: "1.4 s, 92 bytes\n"}, want: "up to 1.4 s behind"},
		"as far as is allowed":  {first: map[string]string{lag2: "10.0 s, 92 bytes\n"}, want: "up to 10.0 s behind"},
		"it stays behind":       {first: map[string]string{lag1: behind}, err: []string{"the jail freeswitch is 43 s behind", "1840 bytes", restart}, within: 6 * time.Second},
		"the challenges' stays": {first: map[string]string{lag2: behind}, err: []string{"the jail freeswitch-challenge is 43 s"}, within: 6 * time.Second},
		"the repeaters' stays":  {first: map[string]string{lag3: behind}, err: []string{"the jail recidive is 43 s"}, within: 6 * time.Second},
		"the refusals' stays":   {first: map[string]string{lag4: behind}, err: []string{"the jail freeswitch-refused is 43 s"}, within: 6 * time.Second},
		"it catches up":         {first: map[string]string{lag1: behind}, later: map[string]string{lag1: none}, want: "up to 0.0 s behind", within: 2 * time.Second},
		"it starts and stays":   {first: map[string]string{lag1: behind}, shown: "ActiveState=activating\nActiveEnterTimestampMonotonic=0\n", err: []string{"is 43 s behind"}, within: 31 * time.Second},
		"it does not tell":      {first: map[string]string{lag3: "-"}, err: []string{"the jail recidive does not tell", restart}},
		"no number":             {first: map[string]string{lag1: "Sorry but\n"}, err: []string{`the jail freeswitch tells "Sorry but"`, restart}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &server{answers: map[string]string{lag1: none, lag2: none, lag3: none, lag4: none, lag5: none, shown: since(time.Hour)}}
				if tt.shown != "" {
					s.answers[shown] = tt.shown
				}
				for command, text := range tt.first {
					if s.answers[command] = text; text == "-" {
						delete(s.answers, command)
					}
				}
				if tt.later != nil {
					go func() {
						time.Sleep(time.Second)
						s.mu.Lock()
						defer s.mu.Unlock()
						for command, text := range tt.later {
							s.answers[command] = text
						}
					}()
				}
				h, err := host.Open("/", s) // nothing here reads or writes a file
				if err != nil {
					t.Fatal(err)
				}
				p := plan.Default()
				p.Fail2ban.ChallengeMaxRetry = 600
				began := time.Now()
				got, err := Config{Plan: p, AuthLog: authLog, SSHD: true}.Lag(t.Context(), h)
				if took := time.Since(began); took > tt.within || tt.within > 20*time.Second && took < 20*time.Second {
					t.Errorf("it took %s, want %s", took, tt.within)
				}
				if !strings.Contains(got, tt.want) || (err == nil) != (tt.err == nil) {
					t.Errorf("%q, %v; want %q", got, err, tt.want)
				}
				for _, want := range tt.err {
					if err != nil && !strings.Contains(err.Error(), want) {
						t.Errorf("%v, want %q", err, want)
					}
				}
			})
		})
	}
}
