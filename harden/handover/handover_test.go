package handover

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/standin/fakeswitch"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

const oldSecret, newSecret = "OldOldOldOldOldOldOldOldOld1", "NewNewNewNewNewNewNewNewNew2"

// running is a stand-in with a vanilla event socket, and the files of it.
type running struct {
	t       *testing.T
	s       *fakeswitch.Switch
	options fakeswitch.Options
	address string
	file    string
}

func startFake(t *testing.T) running {
	t.Helper()
	dir := t.TempDir()
	options := fakeswitch.Options{
		ConfDir: filepath.Join(dir, "conf"), LogDir: filepath.Join(dir, "log"),
		DBDir: filepath.Join(dir, "db"), RunDir: filepath.Join(dir, "run"),
	}
	if err := errors.Join(
		os.CopyFS(options.ConfDir, os.DirFS("../../../shared/data/vanilla-conf-1.10.12")),
		os.Mkdir(options.LogDir, 0o755), os.Mkdir(options.DBDir, 0o755),
	); err != nil {
		t.Fatal(err)
	}
	// SIP is not what this is about, and its ports may be taken.
	if err := os.RemoveAll(filepath.Join(options.ConfDir, "sip_profiles")); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	r := running{t: t, options: options, address: address, file: filepath.Join(options.ConfDir, "autoload_configs/event_socket.conf.xml")}
	r.write(oldSecret)
	if r.s, err = fakeswitch.Start(r.options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.s.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r running) handover(bound time.Duration) *Handover {
	return &Handover{Was: Socket{Address: r.address, Passwords: []secret.Value{secret.Of(oldSecret), secret.Of("ClueCon")}, Runs: r.runs, Bound: bound}, Fresh: secret.Of(newSecret)}
}

// write is what the engine has done by the time FreeSWITCH is told.
func (r running) write(password string) {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.address)
	text := `<configuration name="event_socket.conf"><settings>
<param name="listen-ip" value="127.0.0.1"/><param name="listen-port" value="` + port + `"/>
<param name="password" value="` + password + `"/></settings></configuration>`

	if err := os.WriteFile(r.file, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r running) misbehave(how string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.options.DBDir, how), nil, 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r running) behave() {
	r.t.Helper()
	for _, how := range []string{fakeswitch.ModuleInUse, fakeswitch.Hang} {
		if err := os.RemoveAll(filepath.Join(r.options.DBDir, how)); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r running) runs() bool {
	select {
	case <-r.s.Stopped():
		return false
	default:
		return true
	}
}

// accepts tells which of the two secrets the event socket takes.
func (r running) accepts() string {
	r.t.Helper()
	for _, p := range []string{oldSecret, newSecret} {
		conn, err := r.dial(p)
		if err == nil {
			conn.Close()
			return p
		}
		if !errors.Is(err, esl.ErrRefused) {
			r.t.Fatal(err)
		}
	}
	return ""
}

// dial tries again where a reload that was asked for before ends the connection, or
// has closed the port for a moment.
func (r running) dial(password string) (conn *esl.Conn, err error) {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if conn, err = esl.Dial(context.Background(), r.address, password); err == nil || errors.Is(err, esl.ErrRefused) {
			break
		}
	}
	return conn, err
}

// Whatever FreeSWITCH does in a rotation, it ends with the secret of its files.
func TestHandover(t *testing.T) {
	for name, c := range map[string]struct {
		how    string // the stand-in's misbehaviour
		later  string // one that begins once it was told the first word
		gone   bool   // it has ended by then
		do     string // what the failure says; empty: none
		undone string // what going back says
		ends   string // the secret in force
	}{
		"it does as it is told":      {ends: newSecret},
		"the module is in use":       {how: fakeswitch.ModuleInUse, do: `"Module in use"`, ends: oldSecret},
		"it hangs":                   {how: fakeswitch.Hang, do: "did not answer", ends: oldSecret},
		"it hangs in the middle":     {later: fakeswitch.Hang, do: "deadline", undone: "restart FreeSWITCH", ends: oldSecret},
		"it dies":                    {how: fakeswitch.Die, do: "has ended", gone: true},
		"it died before it was told": {gone: true, do: "has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startFake(t)
			if c.how != "" {
				r.misbehave(c.how)
			} else if c.gone {
				if err := r.s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			h := r.handover(2 * time.Second)
			r.write(newSecret)
			did := func() error {
				if c.later == "" {
					return h.Do(context.Background())
				}
				return h.Was.takeOver(context.Background(), secret.Of(newSecret), func() { h.told = true; r.misbehave(c.later) })
			}()
			checkSays(t, "doing", did, c.do)
			if did == nil {
				if got := r.accepts(); got != c.ends {
					t.Errorf("it takes %q, want %q", got, c.ends)
				}
				return
			}
			r.write(oldSecret) // the engine's part of going back
			checkSays(t, "undoing", h.Undo(context.Background()), c.undone)
			if !c.gone {
				r.behave()
				if got := r.accepts(); got != c.ends {
					t.Errorf("it takes %q, want %q", got, c.ends)
				}
			}
		})
	}
}

func checkSays(t *testing.T, what string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: %v, want an error with %q", what, err, want)
	}
	if err != nil && (strings.Contains(err.Error(), oldSecret) || strings.Contains(err.Error(), newSecret)) {
		t.Errorf("%s tells a secret: %v", what, err)
	}
}

// A later step's failure takes a FreeSWITCH that has the new secret already back.
func TestHandoverThereAndBack(t *testing.T) {
	t.Parallel()
	r := startFake(t)
	h := r.handover(20 * time.Second)
	r.write(newSecret)
	if err := h.Do(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.write(oldSecret)
	if err := h.Undo(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := r.accepts(); got != oldSecret {
		t.Errorf("it takes %q", got)
	}
}
