package harden

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// standIn is an instance in service: its files are a tree's, its programs answer
// what those of Debian 12 did when they were asked, and its event socket is a real
// one. Below --root it is the same tree with nothing running.
type standIn struct {
	tree
	running  bool              // FreeSWITCH does
	servesAs int               // the user whose program has the event socket
	answers  map[string]string // by command line; one that is not there fails
	events   *socketStandIn
}

// standInPlan has all of the defence, for the sources that ufw/testdata was
// recorded with. Its trunks call a profile that listens on loopback, and has no port
// for a firewall.
func standInPlan() *plan.Plan {
	p := plan.Default()
	p.AdminUsers = []string{"admin"}
	p.SIPAllowFrom = []string{"203.0.113.0/24", "198.51.100.7", "2001:db8::/32", "2001:db8:1::7"}
	p.Trunks["carrier"] = plan.Trunk{From: []string{"203.0.113.0/25", "2001:db8:1::7"}, Profile: "trunks"}
	p.SSHPorts = []int{22}
	p.SIPBanner = "pbx"
	p.Fail2ban.ChallengeMaxRetry = 20
	return p
}

// newStandIn gives a copy of base that has booted and passes every check.
func newStandIn(t *testing.T, base tree) *standIn {
	t.Helper()
	s := &standIn{tree: base.copy(t), running: true, answers: recordedAnswers(t)}
	_, password := s.secrets()
	s.events = listenAsFreeSWITCH(t, password)
	s.edit(socketFile, `"listen-port" value="8021"`, fmt.Sprintf(`"listen-port" value="%d"`, s.events.port))
	s.listens("0100007F")
	return s
}

// bootedTree is the tree that the instances are copies of.
func bootedTree(t *testing.T) tree {
	t.Helper()
	tr := newTree(t)
	// What no check looks at would be read and copied four hundred times.
	for _, p := range []string{"lang", "dialplan", "ivr_menus", "chatplan", "jingle_profiles", "mrcp_profiles", "skinny_profiles", "voicemail.conf.xml"} {
		tr.remove("/etc/freeswitch/" + p)
	}
	users, err := filepath.Glob(tr.path("/etc/freeswitch/directory/default/*.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		if filepath.Base(u) != "1000.xml" {
			tr.remove(strings.TrimPrefix(u, tr.dir))
		}
	}
	tr.write(trunkProfile, `<profile name="trunks"><settings><param name="sip-ip" value="127.0.0.1"/></settings></profile>`+"\n")
	var status strings.Builder
	for _, name := range neededPackages(standInPlan()) {
		fmt.Fprintf(&status, "Package: %s\nStatus: install ok installed\nVersion: 1.1.0-1\n\n", name)
	}
	tr.write("/var/lib/dpkg/status", status.String())
	if _, err := tr.runner().Apply(context.Background(), standInPlan(), nil); err != nil {
		t.Fatal(err)
	}
	tr.firstboot()
	log, err := os.ReadFile("fail2ban/testdata/auth.log")
	if err != nil {
		t.Fatal(err)
	}
	tr.write("/var/log/freeswitch/fs-harden-auth.log", string(log))
	tr.write("/run/systemd/system/.keep", "")
	tr.write("/proc/self/status", "Name:\tfs-harden\nCapEff:\t0000000000001000\n") // CAP_NET_ADMIN
	tr.write("/usr/bin/fs_cli", "")
	return tr
}

const (
	trunkProfile = "/etc/freeswitch/sip_profiles/trunks.xml"
	aclFile      = "/etc/freeswitch/autoload_configs/acl.conf.xml"
)

const socketFile = "/etc/freeswitch/autoload_configs/event_socket.conf.xml"

// recordedAnswers are those of programs on a machine that is in order.
func recordedAnswers(t *testing.T) map[string]string {
	t.Helper()
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	live := func(name string) string { return read(filepath.Join("testdata/live", name)) }
	return map[string]string{
		showGate:      live("systemctl-show-gate.txt"),
		showUMask:     live("systemctl-show-umask.txt"),
		showFail2ban:  live("systemctl-show-fail2ban.txt"),
		listTable:     read("nft/testdata/1.0.6.json"),
		"iptables -S": read("ufw/testdata/some.iptables"), "ip6tables -S": read("ufw/testdata/some.ip6tables"),
		"fail2ban-client status":                             live("fail2ban-status.txt"),
		"fail2ban-client get freeswitch logpath":             live("fail2ban-logpath.txt"),
		"fail2ban-client get freeswitch failregex":           live("fail2ban-failregex.txt"),
		"fail2ban-client get freeswitch-challenge logpath":   live("fail2ban-logpath-challenge.txt"),
		"fail2ban-client get freeswitch-challenge failregex": live("fail2ban-failregex-challenge.txt"),
		"fail2ban-client get freeswitch-refused logpath":     live("fail2ban-logpath-refused.txt"),
		"fail2ban-client get freeswitch-refused failregex":   live("fail2ban-failregex-refused.txt"),
		"fail2ban-client get freeswitch-scanner logpath":     live("fail2ban-logpath-scanner.txt"),
		"fail2ban-client get freeswitch-scanner failregex":   live("fail2ban-failregex-scanner.txt"),
		"fail2ban-client get recidive logpath":               live("fail2ban-logpath-recidive.txt"),
		"fail2ban-client get recidive failregex":             live("fail2ban-failregex-recidive.txt"),
		askFreeSWITCH:                                        "",
		askWatch:                                             "active\n",
		listWatched:                                          live("nft-list-watched.txt"),
		lagOf + "freeswitch" + lagOfIt:                       live("fail2ban-lag.txt"),
		lagOf + "freeswitch-challenge" + lagOfIt:             live("fail2ban-lag.txt"),
		lagOf + "recidive" + lagOfIt:                         live("fail2ban-lag.txt"),
		lagOf + "freeswitch-refused" + lagOfIt:               live("fail2ban-lag.txt"),
		lagOf + "freeswitch-scanner" + lagOfIt:               live("fail2ban-lag.txt"),
		runFilter:                                            live("fail2ban-regex.txt"),
		runConsole:                                           "UP 0 years, 0 days, 0 hours, 3 minutes, 12 seconds, 480 milliseconds, 112 microseconds\nFreeSWITCH (Version 1.10.12 -release-10-a88d069d6f 64bit) is ready\n",
	}
}

const (
	showGate      = "systemctl show freeswitch.service -p LoadState,Requires,After,DropInPaths,ExecStartPre"
	showUMask     = "systemctl show freeswitch.service -p LoadState,UMask"
	showFail2ban  = "systemctl show fail2ban.service -p ActiveState,ActiveEnterTimestampMonotonic"
	listTable     = "nft -j -t list table inet fs_harden"
	askFreeSWITCH = "systemctl is-active --quiet freeswitch.service"
	askWatch      = "systemctl is-active fs-harden-watch.service"
	listWatched   = "nft list set inet fs_harden watched"
	runFilter     = "fail2ban-regex /run/fs-harden-proof/log /etc/fail2ban/filter.d/fs-harden.conf"
	runConsole    = "/usr/bin/fs_cli -t 5000 -x status"
	lagOf         = "fail2ban-client get "
	lagOfIt       = " action fs-harden-jail lag"
)

// Run implements host.Running.
func (s *standIn) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	line := strings.Join(append([]string{name}, args...), " ")
	if out, ok := s.answers[line]; ok {
		return []byte(out), nil
	}
	return nil, errors.New(line + ": exit status 1")
}

// Runs implements host.Running.
func (s *standIn) Runs(comm string, _ ...int) bool { return s.running && comm == freeswitchComm }

// Serves implements host.Running.
func (s *standIn) Serves(_, _ netip.AddrPort) (int, bool) { return s.servesAs, true }

// verify gives the report of the machine as it runs, or below --root.
func (s *standIn) verify(ctx context.Context, live bool) *report.Report {
	s.t.Helper()
	r := s.runner()
	if live {
		r.Host = s.runningHost()
	}
	rep, _ := r.Verify(ctx) // what it says is in the report
	return rep
}

func (s *standIn) runningHost() *host.Host {
	s.t.Helper()
	h, err := host.OpenRunning(s.dir, s)
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

// edit replaces a piece of a file, which must be in it, and keeps the file's mode.
func (tr tree) edit(p, old, text string) {
	tr.t.Helper()
	before := tr.read(p)
	if !strings.Contains(before, old) {
		tr.t.Fatalf("%s does not hold %q", p, old)
	}
	tr.write(p, strings.ReplaceAll(before, old, text))
}

func (tr tree) chmod(p string, mode os.FileMode) {
	tr.t.Helper()
	if err := os.Chmod(tr.path(p), mode); err != nil {
		tr.t.Fatal(err)
	}
}

// relink makes a symlink of whatever stands at p.
func (tr tree) relink(p, target string) {
	tr.t.Helper()
	tr.remove(p)
	if err := os.MkdirAll(filepath.Dir(tr.path(p)), 0o755); err != nil {
		tr.t.Fatal(err)
	}
	if err := os.Symlink(target, tr.path(p)); err != nil {
		tr.t.Fatal(err)
	}
}

// answer replaces a piece of what a program says.
func (s *standIn) answer(command, old, text string) {
	s.t.Helper()
	if !strings.Contains(s.answers[command], old) {
		s.t.Fatalf("%s does not say %q", command, old)
	}
	s.answers[command] = strings.Replace(s.answers[command], old, text, 1)
}

// listens has the kernel say where the event socket listens, in its own form
// (proc(5), /proc/net/tcp).
func (s *standIn) listens(addresses ...string) {
	table := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	for i, a := range addresses {
		table += fmt.Sprintf("%4d: %s:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 %d 1 0 0\n", i, a, s.events.port, 9000+i)
	}
	s.write("/proc/net/tcp", table)
}

// socketStandIn speaks FreeSWITCH's event socket as far as the checks do
// (mod_event_socket.c, listener_run), and misbehaves as it is told.
type socketStandIn struct {
	port int
	mu   sync.Mutex
	// takes are the passwords that are accepted.
	takes []string
	hangs bool
	// logDir is what it says of its log folder.
	logDir string
}

func listenAsFreeSWITCH(t *testing.T, password string) *socketStandIn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := l.Addr().(*net.TCPAddr)
	e := &socketStandIn{port: addr.Port, takes: []string{password}, logDir: "/var/log/freeswitch"}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { e.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return e
}

func (e *socketStandIn) serve(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(c)
	e.mu.Lock()
	takes, hangs, logDir := e.takes, e.hangs, e.logDir
	e.mu.Unlock()
	if hangs {
		_, _ = in.ReadByte() // until the other side gives up
		return
	}
	fmt.Fprint(c, "Content-Type: auth/request\n\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch command := strings.TrimSpace(line); {
		case command == "":
		case strings.HasPrefix(command, "auth "):
			reply := "-ERR invalid"
			for _, p := range takes {
				if command == "auth "+p {
					reply = "+OK accepted"
				}
			}
			fmt.Fprintf(c, "Content-Type: command/reply\nReply-Text: %s\n\n", reply)
		case command == "api global_getvar log_dir":
			fmt.Fprintf(c, "Content-Type: api/response\nContent-Length: %d\n\n%s", len(logDir), logDir)
		default:
			fmt.Fprint(c, "Content-Type: command/reply\nReply-Text: -ERR command not found\n\n")
		}
	}
}
