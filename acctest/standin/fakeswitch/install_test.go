package fakeswitch_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/standin/fakeswitch"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
)

// installation is a FreeSWITCH of the vanilla configuration in temporary
// folders, moved to free ports of the loopback.
type installation struct {
	fakeswitch.Options
	eventSocket string // host:port
}

func install(t *testing.T) *installation {
	t.Helper()
	dir := t.TempDir()
	in := &installation{Options: fakeswitch.Options{
		ConfDir: filepath.Join(dir, "conf"), LogDir: filepath.Join(dir, "log"), DBDir: filepath.Join(dir, "db"), RunDir: filepath.Join(dir, "run"),
	}}
	vanilla := filepath.Join("..", "..", "..", "..", "shared", "data", "vanilla-conf-1.10.12")
	for _, part := range []string{"*.xml", "autoload_configs/acl.conf.xml", "autoload_configs/event_socket.conf.xml", "autoload_configs/logfile.conf.xml", "autoload_configs/sofia.conf.xml", "sip_profiles/*.xml", "sip_profiles/*/*.xml", "directory/*.xml", "directory/default/*1.xml", "dialplan/*.xml", "dialplan/*/*.xml"} {
		copyFiles(t, vanilla, part, in.ConfDir)
	}
	for _, d := range []string{in.LogDir, in.DBDir} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	in.eventSocket = freePort(t)
	_, port, _ := net.SplitHostPort(in.eventSocket)
	in.edit(t, "autoload_configs/event_socket.conf.xml", `"8021"`, `"`+port+`"`)
	in.edit(t, "vars.xml", `"domain=$${local_ip_v4}"`, `"local_ip_v4=127.0.0.1"/>
  <X-PRE-PROCESS cmd="set" data="local_ip_v6=::1"/>
  <X-PRE-PROCESS cmd="set" data="domain=$${local_ip_v4}"`)
	in.edit(t, "vars.xml", "internal_sip_port=5060", "internal_sip_port=0")
	in.edit(t, "vars.xml", "external_sip_port=5080", "external_sip_port=0")
	in.edit(t, "sip_profiles/internal.xml", `"ws-binding"  value=":5066"`, `"ws-binding" value=""`)
	in.edit(t, "sip_profiles/internal.xml", `"wss-binding" value=":7443"`, `"wss-binding" value=""`)
	return in
}

// copyFiles copies the files that a pattern below one folder names to another.
func copyFiles(t *testing.T, from, pattern, to string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(from, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s names no files below %s: %v", pattern, from, err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// edit replaces the one place of old in a file of the configuration.
func (in *installation) edit(t *testing.T, name, old, new string) {
	t.Helper()
	path := filepath.Join(in.ConfDir, name)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(content), old); n != 1 {
		t.Fatalf("%s holds %q %d times", name, old, n)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(content), old, new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (in *installation) start(t *testing.T) *fakeswitch.Switch {
	t.Helper()
	s, err := fakeswitch.Start(in.Options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (in *installation) log(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(in.LogDir, "freeswitch.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func (in *installation) misbehave(t *testing.T, how string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(in.DBDir, how), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func connect(t *testing.T, address, password string) *esl.Conn {
	t.Helper()
	conn, err := esl.Dial(bounded(t), address, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// eventually tries until the condition holds, for as long as a slow machine
// may need.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 1000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not seen: %s", what)
}
