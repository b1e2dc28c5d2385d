package fakeswitch_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
)

func TestCommands(t *testing.T) {
	in := install(t)
	in.start(t)
	tests := []struct{ command, answer string }{ // the answer is a regular expression
		{"status", `(?s)^UP .*FreeSWITCH \(Version 1\.10\.12-release  64bit\) is ready\n`},
		{"version", `^FreeSWITCH Version 1\.10\.12-release`},
		{"reloadxml", `^\+OK \[Success\]\n$`},
		{"global_getvar default_password", `^1234$`},
		{"global_getvar conf_dir", "^" + regexp.QuoteMeta(in.ConfDir) + "$"},
		{"global_getvar external_sip_ip", `^127\.0\.0\.1$`},
		{"global_getvar nosuch", `^-ERR no reply\n$`},
		{"sofia profile internal rescan", `^Reload XML \[Success\]\n\+OK scan complete\n$`},
		{"sofia profile default rescan", `^Invalid Profile \[default\]$`},
		{"sofia profile 127.0.0.1 rescan", `complete\n$`},
		{"sofia profile internal restart", `^Profile internal must be up for at least 10 seconds`},
		{"sofia profile nosuch start", `Failure starting nosuch\n$`},
		{"show registrations", `^\n0 total\.\n$`},
		{"bgapi status", `^\+OK Job-UUID: [0-9a-f-]{36}\n$`},
		{"nosuch with words", `^-ERR nosuch Command not found!\n$`},
	}
	conn := connect(t, in.eventSocket, "ClueCon")
	for _, tt := range tests {
		answer, err := conn.API(bounded(t), tt.command)
		if err != nil && answer == "" {
			t.Fatalf("%s: %v", tt.command, err)
		}
		if !regexp.MustCompile(tt.answer).MatchString(answer) {
			t.Errorf("%s answers %q, want %s", tt.command, answer, tt.answer)
		}
	}
}

func TestProfilesThatRun(t *testing.T) {
	in := install(t)
	in.edit(t, "sip_profiles/external/example.xml", "</include>", `<gateway name="carrier"><param name="username" value="joe"/><param name="register" value="false"/></gateway>
</include>`)
	in.start(t)
	status, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), "sofia status")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"external", "external-ipv6", "internal", "internal-ipv6"}
	if probe, err := net.ListenPacket("udp6", "[::1]:0"); err != nil {
		want = []string{"external", "internal"} // no IPv6 here
	} else {
		probe.Close()
	}
	if got := esl.Profiles(status); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q, of\n%s", got, want, status)
	}
	for _, line := range []string{"127.0.0.1\t  alias\t  ", "external::carrier\tgateway\t  ", "sip:joe@carrier\tNOREG\n"} {
		if !strings.Contains(status, line) {
			t.Errorf("no %q in\n%s", line, status)
		}
	}
}

func TestShutdown(t *testing.T) {
	in := install(t)
	s := in.start(t)
	if _, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), "fsctl shutdown"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Stopped():
	case <-bounded(t).Done():
		t.Fatal("fsctl shutdown stopped nothing")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := esl.Dial(bounded(t), in.eventSocket, "ClueCon"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("it still listens: %v", err)
	}
}

// The end does not leave a module behind that a reload was about to load.
func TestCloseDuringAReload(t *testing.T) {
	in := install(t)
	in.ReloadDelay = time.Hour
	s := in.start(t)
	if _, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), "reload mod_event_socket"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // lets the reload begin
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := esl.Dial(bounded(t), in.eventSocket, "ClueCon"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("it still listens: %v", err)
	}
}

func TestFilesOfAStart(t *testing.T) {
	in := install(t)
	in.start(t)
	first := map[string]string{}
	for _, name := range []string{"tls/dtls-srtp.pem", "tls/wss.pem"} {
		content, err := os.ReadFile(filepath.Join(in.ConfDir, name))
		if err != nil || !strings.Contains(string(content), "PRIVATE KEY") {
			t.Fatalf("%s: %v", name, err)
		}
		first[name] = string(content)
	}
	if first["tls/dtls-srtp.pem"] == first["tls/wss.pem"] {
		t.Error("both keys are the same")
	}
	expanded, err := os.ReadFile(filepath.Join(in.LogDir, "freeswitch.xml.fsxml"))
	if err != nil {
		t.Fatal(err)
	}
	for want, expected := range map[string]bool{`<param name="password" value="1234"/>`: true, `<param name="password" value="ClueCon"/>`: true, "bong-ring": false, "$${": false} {
		if found := strings.Contains(string(expanded), want); found != expected {
			t.Errorf("%s in the expanded configuration: %t", want, found)
		}
	}
	other := install(t)
	other.ConfDir = in.ConfDir
	other.start(t)
	for name, content := range first {
		if again, err := os.ReadFile(filepath.Join(in.ConfDir, name)); err != nil || string(again) != content {
			t.Errorf("%s was made again: %v", name, err)
		}
	}
}

// A folder that the service's user may not write costs the keys, not the
// start.
func TestKeysThatCannotBeWritten(t *testing.T) {
	in := install(t)
	if err := os.WriteFile(filepath.Join(in.ConfDir, "tls"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	in.start(t)
	if want := "[ERR] switch_core_cert.c:291 Certificate generation failed"; !strings.Contains(in.log(t), want) {
		t.Errorf("the log lacks %s", want)
	}
}
