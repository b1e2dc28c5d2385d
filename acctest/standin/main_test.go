package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the command itself, under either name.
func TestMain(m *testing.M) {
	if os.Getenv("STANDIN_RUN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// run runs the command under a name and returns its exit status and output.
func runAs(t *testing.T, name, home string, args ...string) (int, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c := exec.Command(self, args...)
	c.Args[0] = name
	c.Env = append(os.Environ(), "STANDIN_RUN=1", "HOME="+home)
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String()
}

// layout makes the folders of an installation with a small configuration, and
// returns the flags that name them, its root and the event socket's port.
func layout(t *testing.T) (flags []string, root, port string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	listener.Close()
	root = t.TempDir()
	for _, d := range []string{"conf", "log", "db", "run"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, "-"+d, filepath.Join(root, d))
	}
	write(t, filepath.Join(root, "conf", "freeswitch.xml"), `<document type="freeswitch/xml"><section name="configuration">
<configuration name="event_socket.conf"><settings>
<param name="listen-port" value="`+port+`"/><param name="password" value="Secret"/>
</settings></configuration></section></document>`)
	return flags, root, port
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func pidOf(t *testing.T, root string) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "run", "freeswitch.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(content))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// The way of the Debian unit: into the background, ready when the command
// ends, a pid file, fs_cli, and the end.
func TestLife(t *testing.T) {
	flags, root, port := layout(t)
	if status, out := runAs(t, "freeswitch", root, append(flags, "-ncwait", "-nonat", "-rp")...); status != exitDone || !strings.Contains(out, "System Ready") {
		t.Fatalf("status %d, %s", status, out)
	}
	pid := pidOf(t, root)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })

	if status, out := runAs(t, "fs_cli", root, "-P", port, "-p", "Secret", "-x", "global_getvar run_dir"); status != exitDone || out != filepath.Join(root, "run")+"\n" {
		t.Errorf("fs_cli: status %d, %q", status, out)
	}
	write(t, filepath.Join(root, ".fs_cli_conf"), "[default]\npassword => Secret\nport => "+port+"\n")
	if status, out := runAs(t, "fs_cli", root, "-x", "nosuch"); status != exitDone || out != "-ERR nosuch Command not found!\n\n" {
		t.Errorf("fs_cli with ~/.fs_cli_conf: status %d, %q", status, out)
	}
	if status, out := runAs(t, "fs_cli", root, "-p", "wrong", "-x", "status"); status != exitRefused || !strings.Contains(out, "Error Connecting [Authentication Error]") {
		t.Errorf("fs_cli with a wrong password: status %d, %q", status, out)
	}
	if status, out := runAs(t, "freeswitch", root, append(flags, "-ncwait")...); status != exitFailed || !strings.Contains(out, "is another one running?") {
		t.Errorf("a second one: status %d, %q", status, out)
	}
	if got := pidOf(t, root); got != pid {
		t.Errorf("the pid file was %d and is %d after a second start", pid, got)
	}
	if status, out := runAs(t, "fs_cli", root, "-x", "fsctl shutdown"); status != exitDone || out != "+OK\n\n" {
		t.Errorf("shutdown: status %d, %q", status, out)
	}
	gone(t, pid)
	if _, err := os.Stat(filepath.Join(root, "run", "freeswitch.pid")); !os.IsNotExist(err) {
		t.Errorf("the pid file is left: %v", err)
	}
}

func TestStop(t *testing.T) {
	flags, root, _ := layout(t)
	if status, out := runAs(t, "freeswitch", root, append(flags, "-ncwait")...); status != exitDone {
		t.Fatalf("status %d, %s", status, out)
	}
	pid := pidOf(t, root)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, append(flags, "-stop")...)
	c.Args[0] = "freeswitch"
	c.Env = append(os.Environ(), "STANDIN_RUN=1")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// gone waits for the end of a process, also of one that nobody reaps here.
func gone(t *testing.T, pid int) {
	t.Helper()
	for range 2000 {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

func TestFailedStart(t *testing.T) {
	flags, root, _ := layout(t)
	write(t, filepath.Join(root, "conf", "freeswitch.xml"), "<document>")
	for _, tt := range []struct {
		how    string
		status int
	}{{"-ncwait", exitFailed}, {"-nf", exitRefused}} {
		status, out := runAs(t, "freeswitch", root, append(flags, tt.how)...)
		if status != tt.status || !strings.Contains(out, "does not parse") {
			t.Errorf("%s: status %d, %q", tt.how, status, out)
		}
	}
	if status, out := runAs(t, "freeswitch", root, append(flags, "-nosuch")...); status != exitRefused || !strings.Contains(out, "nosuch") {
		t.Errorf("an unknown flag: status %d, %q", status, out)
	}
}

func TestUserAndGroup(t *testing.T) {
	nobody, err := user.Lookup("nobody")
	if err != nil || os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root and a user nobody")
		}
		t.Skip("needs root and a user nobody")
	}
	flags, root, _ := layout(t)
	uid, _ := strconv.Atoi(nobody.Uid)
	if err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, 0)
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	if status, out := runAs(t, "freeswitch", root, append(flags, "-u", "nobody", "-ncwait")...); status != exitDone {
		t.Fatalf("status %d, %s", status, out)
	}
	pid := pidOf(t, root)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Uid:\t" + strings.Repeat(nobody.Uid+"\t", 3) + nobody.Uid, "Gid:\t" + strings.Repeat(nobody.Gid+"\t", 3) + nobody.Gid, "Groups:\t" + nobody.Gid + " \n"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
}

func TestParseProfiles(t *testing.T) {
	tests := []struct {
		name    string
		content string
		want    []profileEntry
	}{
		{"as the credentials helper writes it", "[default]\npassword => Secret\n", []profileEntry{{"default", target{"127.0.0.1", "8021", "Secret"}}}},
		{"every key, plain equals, blanks, CRLF", "[a]\r\n host = ::1\r\n port=>9\r\npassword => p w \r\n", []profileEntry{{"a", target{"::1", "9", "p w "}}}},
		{"comments and the end", "; x\n# [b]\n[a]\npassword => 1 ;; note\n__END__\npassword => 2\n", []profileEntry{{"a", target{"127.0.0.1", "8021", "1 "}}}},
		{"two", "[a]\npassword => 1\n[b]\nport => 0\n", []profileEntry{{"a", target{"127.0.0.1", "8021", "1"}}, {"b", target{"127.0.0.1", "8021", "ClueCon"}}}},
		{"a section without keys", "[a]\n[b]\npassword => 1\n", []profileEntry{{"b", target{"127.0.0.1", "8021", "1"}}}},
		{"nothing", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseProfiles(tt.content); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestChooseProfile(t *testing.T) {
	first, standard := profileEntry{"first", target{"a", "1", "x"}}, profileEntry{"default", target{"b", "2", "y"}}
	tests := []struct {
		profiles []profileEntry
		wanted   string
		want     target
	}{
		{[]profileEntry{first, standard}, "", standard.target},
		{[]profileEntry{first, standard}, "first", first.target},
		{[]profileEntry{first, standard}, "nosuch", standard.target},
		{[]profileEntry{first}, "", first.target},
		{nil, "", target{"127.0.0.1", "8021", "ClueCon"}},
	}
	for _, tt := range tests {
		if got := chooseProfile(tt.profiles, tt.wanted); got != tt.want {
			t.Errorf("%v, %q: got %v, want %v", tt.profiles, tt.wanted, got, tt.want)
		}
	}
}
