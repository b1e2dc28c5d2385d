package fakeswitch_test

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/standin/fakeswitch"
)

// phone sends SIP requests to one profile.
type phone struct {
	t    *testing.T
	conn net.Conn
	host string
	seq  int
	body string // of what is sent

	agent  string // its User-Agent, or none
	number string // who is called, where that is not the user
}

// call looks up where a profile listens and returns a phone for it.
func call(t *testing.T, in *installation, profile string) *phone {
	t.Helper()
	status, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), "sofia status")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^ *` + profile + `\tprofile\t +sip:[^@]+@(\S+)`).FindStringSubmatch(status)
	if found == nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("profile %s does not run here", profile)
		}
		t.Skipf("profile %s does not run here", profile)
	}
	conn, err := net.Dial("udp", found[1])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	host, _, _ := net.SplitHostPort(found[1])
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return &phone{t: t, conn: conn, host: host}
}

// send sends a request to and from user and returns the final response.
func (p *phone) send(method, user string, headers ...string) string {
	p.t.Helper()
	p.write(method, user, headers...)
	return p.receive(method, func(status string) bool { return !strings.HasPrefix(status, "1") })
}

// ring calls a user who does not answer.
func (p *phone) ring(user string, headers ...string) {
	p.t.Helper()
	p.write("INVITE", user, headers...)
	p.receive("INVITE", func(status string) bool { return strings.HasPrefix(status, "180 ") })
}

func (p *phone) write(method, user string, headers ...string) {
	p.t.Helper()
	p.seq++
	address := fmt.Sprintf("<sip:%s@%s>", user, p.host)
	uri := "sip:" + p.host
	if method == "INVITE" {
		uri = "sip:" + cmp.Or(p.number, user) + "@" + p.host
	}
	lines := append(slices.Clone(headers), // the first of a name counts
		fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bK%d;rport", p.conn.LocalAddr(), p.seq),
		"From: "+address+";tag=1", "To: "+address, "Call-ID: "+fmt.Sprint(p.seq)+"@x",
		fmt.Sprintf("CSeq: %d %s", p.seq, method), "Contact: <sip:me@127.0.0.1:9>")
	if method == "SUBSCRIBE" {
		lines = append(lines, "Event: presence")
	}
	if p.agent != "" {
		lines = append(lines, "User-Agent: "+p.agent)
	}
	packet := method + " " + uri + " SIP/2.0\r\n" + strings.Join(lines, "\r\n") + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n", len(p.body)) + p.body
	if _, err := p.conn.Write([]byte(packet)); err != nil {
		p.t.Fatal(err)
	}
}

// receive returns the first answer whose status is wanted.
func (p *phone) receive(method string, wanted func(status string) bool) string {
	p.t.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	buffer := make([]byte, 1<<16)
	for {
		n, err := p.conn.Read(buffer)
		if err != nil {
			p.t.Fatalf("no answer to %s: %v", method, err)
		}
		if response := string(buffer[:n]); wanted(statusOf(response)) {
			return response
		}
	}
}

var challengeOf = regexp.MustCompile(`(?m)^(WWW|Proxy)-Authenticate: Digest realm="([^"]*)", nonce="([^"]*)"`)

// login sends a request, answers its challenge with a password, and returns
// the status line of the end.
func (p *phone) login(method, user, password string, headers ...string) string {
	p.t.Helper()
	response := p.send(method, user, headers...)
	found := challengeOf.FindStringSubmatch(response)
	if found == nil {
		p.t.Fatalf("no challenge in %q", response)
	}
	header := map[string]string{"WWW": "Authorization", "Proxy": "Proxy-Authorization"}[found[1]]
	realm, nonce := found[2], found[3]
	a1 := digest(user + ":" + realm + ":" + password)
	a2 := digest(method + ":sip:" + p.host)
	proof := digest(strings.Join([]string{a1, nonce, "00000001", "abc", "auth", a2}, ":"))
	credentials := fmt.Sprintf(`%s: Digest username="%s", realm="%s", nonce="%s", uri="sip:%s", response="%s", algorithm=MD5, qop=auth, nc=00000001, cnonce="abc"`,
		header, user, realm, nonce, p.host, proof)
	return statusOf(p.send(method, user, append(headers, credentials)...))
}

func statusOf(response string) string {
	line, _, _ := strings.Cut(response, "\r\n")
	return strings.TrimPrefix(line, "SIP/2.0 ")
}

func digest(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// logAuthFailures switches the flag on in every profile, as a hardened tree
// has it.
func (in *installation) logAuthFailures(t *testing.T) {
	t.Helper()
	in.edit(t, "sip_profiles/internal.xml", `<param name="log-auth-failures" value="false"/>`, `<param name="log-auth-failures" value="true"/>`)
	for _, name := range []string{"external", "internal-ipv6", "external-ipv6"} {
		in.edit(t, "sip_profiles/"+name+".xml", "<settings>", `<settings><param name="log-auth-failures" value="true"/>`)
	}
}

func TestDigest(t *testing.T) {
	in := install(t)
	in.start(t)
	tests := []struct{ profile, method, user, password, status string }{
		{"internal", "REGISTER", "1001", "1234", "200 OK"},
		{"internal", "REGISTER", "1001", "12345", "403 Forbidden"},
		{"internal", "REGISTER", "1001", "", "403 Forbidden"},
		{"internal", "REGISTER", "nobody", "1234", "403 Forbidden"},
		{"internal", "INVITE", "1001", "1234", "480 Temporarily Unavailable"},
		{"internal", "INVITE", "1001", "wrong", "403 Forbidden"},
		{"internal", "MESSAGE", "1001", "1234", "202 Accepted"},
		{"internal", "MESSAGE", "1001", "wrong", "401 Unauthorized"},
		{"internal", "SUBSCRIBE", "1001", "wrong", "401 Unauthorized"},
		{"external", "REGISTER", "1001", "1234", "200 OK"},
		{"external", "REGISTER", "1001", "wrong", "403 Forbidden"},
		{"internal-ipv6", "REGISTER", "1001", "1234", "200 OK"},
		{"external-ipv6", "REGISTER", "1001", "1234", "403 Forbidden"}, // its domain is [::1], which has no users
	}
	for _, tt := range tests {
		t.Run(strings.Join([]string{tt.profile, tt.method, tt.user, tt.password}, " "), func(t *testing.T) {
			if got := call(t, in, tt.profile).login(tt.method, tt.user, tt.password); got != tt.status {
				t.Errorf("got %s, want %s", got, tt.status)
			}
		})
	}
	shown, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), "show registrations")
	if err != nil || !strings.Contains(shown, "\n1001,127.0.0.1,,sip:me@127.0.0.1:9,") {
		t.Errorf("show registrations answers %q, %v", shown, err)
	}
	for profile, want := range map[string]string{"internal": "Total items returned: 0\n", "internal-ipv6": "\nIP:         \t::1\n"} {
		listed, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), "sofia status profile "+profile+" reg")
		if err != nil || !strings.Contains(listed, want) {
			t.Errorf("the registrations of %s are %q, %v", profile, listed, err)
		}
	}
}

// A password changed in the tree is the one that counts once the tree is read
// again, and the old one no longer registers.
func TestNewPassword(t *testing.T) {
	in := install(t)
	in.start(t)
	p := call(t, in, "internal")
	in.edit(t, "vars.xml", `data="default_password=1234"`, `data="default_password=NewSecret"`)
	if got := p.login("REGISTER", "1001", "1234"); got != "200 OK" {
		t.Errorf("the old password before reloadxml: %s", got)
	}
	if _, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), "reloadxml"); err != nil {
		t.Fatal(err)
	}
	if got := p.login("REGISTER", "1001", "NewSecret"); got != "200 OK" {
		t.Errorf("the new password: %s", got)
	}
	if got := p.login("REGISTER", "1001", "1234"); got != "403 Forbidden" {
		t.Errorf("the old password: %s", got)
	}
}

// Vanilla's user without any password is let in whatever the digest says.
func TestUserWithoutPassword(t *testing.T) {
	in := install(t)
	copyFiles(t, filepath.Join("..", "..", "..", "..", "shared", "data", "vanilla-conf-1.10.12"), "directory/default/default.xml", in.ConfDir)
	in.start(t)
	if got := call(t, in, "internal").login("REGISTER", "default", "anything"); got != "200 OK" {
		t.Errorf("got %s", got)
	}
	in.edit(t, "directory/default.xml", "</params>", `</params><params><param name="ignored" value="x"/></params>`)
	in.edit(t, "directory/default.xml", `<param name="jsonrpc-allowed-methods"`, `<param name="allow-empty-password" value="false"/><param name="jsonrpc-allowed-methods"`)
	if _, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), "reloadxml"); err != nil {
		t.Fatal(err)
	}
	if got := call(t, in, "internal").login("REGISTER", "default", "anything"); got != "403 Forbidden" {
		t.Errorf("with allow-empty-password false: got %s", got)
	}
}

func TestWithoutCredentials(t *testing.T) {
	in := install(t)
	in.start(t)
	for _, tt := range []struct{ profile, method, status string }{
		{"internal", "REGISTER", "401 Unauthorized"},
		{"internal", "INVITE", "407 Proxy Authentication Required"},
		{"internal", "MESSAGE", "407 Proxy Authentication Required"},
		{"internal", "SUBSCRIBE", "407 Proxy Authentication Required"},
		{"internal", "OPTIONS", "200 OK"},
		{"internal", "BYE", "481 Call Does Not Exist"},
		{"external", "INVITE", "480 Temporarily Unavailable"},
		{"external", "REGISTER", "401 Unauthorized"},
	} {
		if got := statusOf(call(t, in, tt.profile).send(tt.method, "1001")); got != tt.status {
			t.Errorf("%s on %s: got %s, want %s", tt.method, tt.profile, got, tt.status)
		}
	}
}

// A nonce that was never given out, and one whose count was used, are asked
// for again.
func TestStaleNonce(t *testing.T) {
	in := install(t)
	in.start(t)
	p := call(t, in, "internal")
	nonce := challengeOf.FindStringSubmatch(p.send("REGISTER", "1001"))[3]
	proof := digest(strings.Join([]string{digest("1001:127.0.0.1:1234"), nonce, "00000001", "abc", "auth", digest("REGISTER:sip:x")}, ":"))
	once := `Authorization: Digest username="1001", realm="127.0.0.1", nonce="` + nonce + `", uri="sip:x", response="` + proof + `", qop=auth, nc=00000001, cnonce="abc"`
	if got := statusOf(p.send("REGISTER", "1001", once)); got != "200 OK" {
		t.Errorf("the first time: %s", got)
	}
	if got := p.send("REGISTER", "1001", once); !strings.Contains(got, "stale=true") {
		t.Errorf("the same again gives %q", got)
	}
	for _, credentials := range []string{
		`Digest username="1001", realm="127.0.0.1", nonce="forged", uri="sip:x", response="0"`,
		`Digest username="1001"`,
	} {
		if got := p.send("REGISTER", "1001", "Authorization: "+credentials); !strings.Contains(got, "stale=true") {
			t.Errorf("%s gives %q", credentials, got)
		}
	}
}

// The lines that a filter of fail2ban must read. Each pattern is looked for in
// the log of the real thing as well, so that both write the same.
func TestLog(t *testing.T) {
	const (
		stamp = `^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \d+\.\d\d% `
		uuid  = `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \d+\.\d\d% `
	)
	tests := []struct {
		name, profile, method, user string
		lines                       []string // HOST and PEER stand for the addresses
	}{
		{"wrong password", "internal", "REGISTER", "1001", []string{
			stamp + `\[WARNING\] sofia_reg\.c:1842 SIP auth challenge \(REGISTER\) on sofia profile 'internal' for \[1001@HOST\] from ip PEER$`,
			stamp + `\[WARNING\] sofia_reg\.c:1787 SIP auth failure \(REGISTER\) on sofia profile 'internal' for \[1001@HOST\] from ip PEER$`,
		}},
		{"wrong password on external", "external", "REGISTER", "1001", []string{
			stamp + `\[WARNING\] sofia_reg\.c:1787 SIP auth failure \(REGISTER\) on sofia profile 'external' for \[1001@HOST\] from ip PEER$`,
		}},
		{"unknown user", "internal", "REGISTER", "77777", []string{
			stamp + `\[WARNING\] sofia_reg\.c:3210 Can't find user \[77777@HOST\] from PEER$`,
			`^You must define a domain called 'HOST' in your directory and add a user with the id="77777" attribute$`,
			`^and you must configure your device to use the proper domain in its authentication credentials\.$`,
			stamp + `\[WARNING\] sofia_reg\.c:1787 SIP auth failure \(REGISTER\) on sofia profile 'internal' for \[77777@HOST\] from ip PEER$`,
		}},
		{"bracket in the user", "internal", "REGISTER", "a]b", []string{
			stamp + `\[WARNING\] sofia_reg\.c:3210 Can't find user \[a\]b@HOST\] from PEER$`,
			stamp + `\[WARNING\] sofia_reg\.c:1842 SIP auth challenge \(REGISTER\) on sofia profile 'internal' for \[a\]b@HOST\] from ip PEER$`,
		}},
		{"forged address", "internal", "REGISTER", "x] from 10.77.0.99", []string{
			stamp + `\[WARNING\] sofia_reg\.c:1787 SIP auth failure \(REGISTER\) on sofia profile 'internal' for \[x\] from 10\.77\.0\.99@HOST\] from ip PEER$`,
		}},
		{"call on internal", "internal", "INVITE", "9011442071838", []string{
			uuid + `\[NOTICE\] switch_channel\.c:1142 New Channel sofia/internal/9011442071838@HOST \[[0-9a-f-]{36}\]$`,
			uuid + `\[INFO\] sofia\.c:10460 sofia/internal/9011442071838@HOST receiving invite from PEER:\d+ version: 1\.10\.12-release  64bit call-id: \S+$`,
			stamp + `\[WARNING\] sofia_reg\.c:1842 SIP auth challenge \(INVITE\) on sofia profile 'internal' for \[9011442071838@HOST\] from ip PEER$`,
		}},
		{"call on external", "external", "INVITE", "9011442071838", []string{
			uuid + `\[INFO\] sofia\.c:10460 sofia/external/9011442071838@HOST receiving invite from PEER:\d+ version: 1\.10\.12-release  64bit call-id: \S+$`,
			uuid + `\[INFO\] sofia\.c:8033 No SDP in INVITE and 3pcc not enabled, hanging up\.$`,
		}},
		{"message", "internal", "MESSAGE", "1001", []string{
			stamp + `\[WARNING\] sofia_reg\.c:1842 SIP auth challenge \(INVITE\) on sofia profile 'internal' for \[1001@HOST\] from ip PEER$`,
		}},
		{"IPv6", "internal-ipv6", "REGISTER", "1001", []string{
			stamp + `\[WARNING\] sofia_reg\.c:1787 SIP auth failure \(REGISTER\) on sofia profile 'internal-ipv6' for \[1001@HOST\] from ip PEER$`,
		}},
		{"unknown user over IPv6", "external-ipv6", "REGISTER", "1001", []string{
			stamp + `\[WARNING\] sofia_reg\.c:3210 Can't find user \[1001@HOST\] from PEER$`,
		}},
	}
	realLog, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "data", "freeswitch-1.10.12-attack.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := install(t)
			in.logAuthFailures(t)
			in.start(t)
			p := call(t, in, tt.profile)
			if tt.profile == "external" && tt.method == "INVITE" {
				p.send(tt.method, tt.user)
			} else {
				p.login(tt.method, tt.user, "wrong")
			}
			ours := strings.NewReplacer("HOST", regexp.QuoteMeta(p.host), "PEER", regexp.QuoteMeta(strings.Trim(p.host, "[]")))
			real := strings.NewReplacer("HOST", `(?:10\.77\.0\.2|\[fd77::2\])`, "PEER", `[0-9a-f.:]+`)
			for _, line := range tt.lines {
				if got := in.log(t); !regexp.MustCompile("(?m)" + ours.Replace(line)).MatchString(got) {
					t.Errorf("no line like %s in\n%s", line, got)
				}
				if !regexp.MustCompile("(?m)" + real.Replace(line)).Match(realLog) {
					t.Errorf("FreeSWITCH itself writes no line like %s", line)
				}
			}
		})
	}
}

// A folded header puts line breaks into the log, as it does in
// shared/data/freeswitch-1.10.12-injection.log.
func TestLogInjection(t *testing.T) {
	in := install(t)
	in.start(t)
	p := call(t, in, "external")
	nonce := challengeOf.FindStringSubmatch(p.send("REGISTER", "1001"))[3]
	forged := " [WARNING] sofia_reg.c:3210 Can't find user [1@1] from 203.0.113.200"
	p.send("REGISTER", "1001", `Authorization: Digest username="x`+"\r\n"+forged+"\r\n"+` ", realm="`+p.host+`", nonce="`+nonce+`", uri="sip:x", response="0"`)
	for _, want := range []string{
		"Can't find user [x\r\n" + forged + "\r\n @127.0.0.1] from 127.0.0.1\n",
		"with the id=\"x\r\n" + forged + "\r\n \" attribute\n",
	} {
		if got := in.log(t); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// log-auth-failures is applied at the start and on a rescan, and a flag that
// is taken away stays on.
func TestRescan(t *testing.T) {
	in := install(t)
	in.start(t)
	p, conn := call(t, in, "internal"), connect(t, in.eventSocket, "ClueCon")
	lines := func() int { return strings.Count(in.log(t), "SIP auth challenge") }
	rescan := func() {
		t.Helper()
		if _, err := conn.API(bounded(t), "sofia profile internal rescan"); err != nil {
			t.Fatal(err)
		}
	}
	const off, on = `<param name="log-auth-failures" value="false"/>`, `<param name="log-auth-failures" value="true"/>`
	in.edit(t, "sip_profiles/internal.xml", off, on)
	if _, err := conn.API(bounded(t), "reloadxml"); err != nil {
		t.Fatal(err)
	}
	if p.send("REGISTER", "1001"); lines() != 0 {
		t.Error("reloadxml alone switched the log on")
	}
	rescan()
	if p.send("REGISTER", "1001"); lines() != 1 {
		t.Errorf("%d lines after the rescan, want 1", lines())
	}
	in.edit(t, "sip_profiles/internal.xml", on, "")
	rescan()
	if p.send("REGISTER", "1001"); lines() != 2 {
		t.Errorf("%d lines after the flag was taken away, want 2", lines())
	}
	in.edit(t, "sip_profiles/internal.xml", `<param name="sip-port"`, off+`<param name="sip-port"`)
	rescan()
	if p.send("REGISTER", "1001"); lines() != 2 {
		t.Errorf("%d lines after an explicit false, want 2", lines())
	}
}

// Access lists: of apply-inbound-acl one is enough, where auth-calls is off; who passes
// apply-register-acl needs no password. They are read by reloadacl alone.
func TestAccessLists(t *testing.T) {
	const sdp = "v=0\r\n"
	param := func(name, value string) string { return `<param name="` + name + `" value="` + value + `"/>` }
	list := func(name, cidr string) string {
		return `<list name="` + name + `" default="deny"><node type="allow" cidr="` + cidr + `"/></list>`
	}
	lists := list("here", "127.0.0.0/8") + list("elsewhere", "192.0.2.0/24") + list("own", "127.0.0.1/32")
	for name, tt := range map[string]struct{ params, invite, register, logged string }{
		"none":                  {"", "480 Temporarily Unavailable", "401 Unauthorized", ""},
		"one that lets in":      {param("apply-inbound-acl", "here"), "480 Temporarily Unavailable", "401 Unauthorized", ""},
		"one that does not":     {param("apply-inbound-acl", "elsewhere"), "403 Forbidden", "401 Unauthorized", `[WARNING] sofia.c:10667 IP 127.0.0.1 Rejected by acl "elsewhere"`},
		"one of two":            {param("apply-inbound-acl", "elsewhere") + param("apply-inbound-acl", "own"), "480 Temporarily Unavailable", "401 Unauthorized", ""},
		"none behind it":        {param("apply-inbound-acl", "here") + param("apply-inbound-acl", "none") + param("apply-inbound-acl", "elsewhere::"), "403 Forbidden", "401 Unauthorized", `Rejected by acl "elsewhere"`},
		"a way out":             {param("apply-inbound-acl", "elsewhere:a:b"), "480 Temporarily Unavailable", "401 Unauthorized", `Rejected by acl "elsewhere"`},
		"passwords":             {param("apply-inbound-acl", "elsewhere") + param("auth-calls", "true"), "407 Proxy", "401 Unauthorized", ""},
		"a list for passwords":  {param("apply-inbound-acl", "here") + param("auth-calls", "true"), "480 Temporarily Unavailable", "401 Unauthorized", ""},
		"who registers":         {param("apply-register-acl", "here"), "480 Temporarily Unavailable", "200 OK", ""},
		"who does not":          {param("apply-register-acl", "here") + param("apply-register-acl", "elsewhere"), "480 Temporarily Unavailable", "403 Forbidden", `[WARNING] sofia_reg.c:2406 IP 127.0.0.1 Rejected by register acl "elsewhere"`},
		"a list that is not":    {param("apply-inbound-acl", "no such"), "403 Forbidden", "401 Unauthorized", `Rejected by acl "no such"`},
		"a list in an old file": {param("apply-inbound-acl", "late"), "403 Forbidden", "401 Unauthorized", `Rejected by acl "late"`},
	} {
		t.Run(name, func(t *testing.T) {
			in := install(t)
			in.edit(t, "autoload_configs/acl.conf.xml", "</network-lists>", lists+"</network-lists>")
			in.edit(t, "sip_profiles/external.xml", "</settings>", tt.params+"</settings>")
			in.start(t)
			p := call(t, in, "external")
			p.body = sdp
			for method, want := range map[string]string{"INVITE": tt.invite, "REGISTER": tt.register} {
				if got := p.send(method, "1001"); !strings.HasPrefix(got, "SIP/2.0 "+want) {
					t.Errorf("%s: %.60q, want %s", method, got, want)
				}
			}
			if log := in.log(t); !strings.Contains(log, tt.logged) || tt.logged == "" && strings.Contains(log, "Rejected") {
				t.Errorf("the log lacks %q", tt.logged)
			}
			if name != "a list in an old file" {
				return
			}
			in.edit(t, "autoload_configs/acl.conf.xml", "</network-lists>", list("late", "127.0.0.1/32")+"</network-lists>")
			conn := connect(t, in.eventSocket, "ClueCon")
			for _, tt := range []struct{ command, want string }{{"reloadxml", "403 Forbidden"}, {"reloadacl", "480 Temporarily Unavailable"}} {
				if _, err := conn.API(bounded(t), tt.command); err != nil {
					t.Fatal(err)
				}
				if got := p.send("INVITE", "1001"); !strings.HasPrefix(got, "SIP/2.0 "+tt.want) {
					t.Errorf("after %s: %.60q, want %s", tt.command, got, tt.want)
				}
			}
		})
	}
}

func TestTwoOfThePort(t *testing.T) {
	in := install(t)
	in.edit(t, "vars.xml", "internal_sip_port=0", "internal_sip_port="+portOf(udpPort(t)))
	in.start(t)
	other := install(t)
	other.edit(t, "vars.xml", "internal_sip_port=0", "internal_sip_port="+portOf(call(t, in, "internal").conn.RemoteAddr().String()))
	s, err := fakeswitch.Start(other.Options)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if want := "Error Creating SIP UA for profile: internal ("; !strings.Contains(other.log(t), want) {
		t.Errorf("the log lacks %q", want)
	}
}

func udpPort(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().String()
}
