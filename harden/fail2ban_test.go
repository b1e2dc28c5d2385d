package harden

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

const logs = "../../shared/data/"

// regexEnv names fail2ban-regex programs of other versions than the installed
// one, with colons between.
const regexEnv = "FAIL2BAN_REGEX"

func fail2banRegex(t testing.TB) []string {
	t.Helper()
	if list := os.Getenv(regexEnv); list != "" {
		return filepath.SplitList(list)
	}
	program, err := exec.LookPath("fail2ban-regex")
	if err != nil {
		missing := "fail2ban is not installed here (apt-get install fail2ban), and " + regexEnv + " names none"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return []string{program}
}

// blamed counts the lines of a log by the source that the filter blames.
func blamed(t testing.TB, program, filter, log string) map[string]int {
	t.Helper()
	out, err := exec.Command(program, "--usedns=no", "-o", "ip", log, filter).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	found := map[string]int{}
	for _, source := range strings.Fields(string(out)) {
		found[source]++
	}
	return found
}

// ownFilter is the filter as it lands, in a folder by itself.
func ownFilter(t testing.TB) string {
	t.Helper()
	text, err := templates.ReadFile("templates/fail2ban-filter.conf")
	if err != nil {
		t.Fatal(err)
	}
	return temp(t, "fs-harden.conf", string(text))
}

func temp(t testing.TB, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFilterOnRealLogs(t *testing.T) {
	filter := ownFilter(t)
	attack, injection := logs+"freeswitch-1.10.12-attack.log", logs+"freeswitch-1.10.12-injection.log"
	for _, program := range fail2banRegex(t) {
		for _, c := range []struct {
			mode, log string
			want      map[string]int
		}{
			{"all", attack, map[string]int{
				"10.77.0.11": 12, "10.77.0.12": 24, "10.77.0.14": 6, "10.77.0.15": 18, "10.77.0.16": 6, "10.77.0.19": 24,
				"10.77.0.20": 12, "10.77.0.21": 4, "10.77.0.22": 12, "fd77::11": 6, "fd77::12": 12, "fd77::13": 18,
			}},
			{"failures", attack, map[string]int{
				"10.77.0.12": 12, "10.77.0.15": 12, "10.77.0.19": 16, "10.77.0.20": 6, "10.77.0.22": 8, "fd77::12": 6, "fd77::13": 12,
			}},
			{"challenges", attack, map[string]int{
				"10.77.0.11": 12, "10.77.0.12": 12, "10.77.0.14": 6, "10.77.0.15": 6, "10.77.0.16": 6, "10.77.0.19": 8,
				"10.77.0.20": 6, "10.77.0.21": 4, "10.77.0.22": 4, "fd77::11": 6, "fd77::12": 6, "fd77::13": 6,
			}},
			{"all", injection, map[string]int{"10.77.0.11": 2, "10.77.0.12": 2}},
		} {
			if got := blamed(t, program, filter+"[mode="+c.mode+"]", c.log); !equalCounts(got, c.want) {
				t.Errorf("%s, %s, mode %s: got %v, want %v", program, filepath.Base(c.log), c.mode, got, c.want)
			}
		}
	}
}

func equalCounts(a, b map[string]int) bool {
	if len(a) != len(b) {
		return false
	}
	for k, n := range a {
		if b[k] != n {
			return false
		}
	}
	return true
}

// testdata/auth.log has lines that count, whose sources are of 192.0.2.0/24 or
// 2001:db8::/32, and lines that must not, which name 198.51.100.0/24.
func TestFilterOnSingleLines(t *testing.T) {
	filter := ownFilter(t)
	for _, program := range fail2banRegex(t) {
		got := blamed(t, program, filter, "testdata/auth.log")
		for _, source := range []string{
			"192.0.2.1", "192.0.2.2", "2001:db8::3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "2001:db8::7", "2001:db8::8", "fe80::9", "192.0.2.10", "192.0.2.11",
		} {
			if got[source] != 1 {
				t.Errorf("%s: %s is blamed %d times", program, source, got[source])
			}
			delete(got, source)
		}
		if len(got) > 0 {
			t.Errorf("%s: blamed too: %v", program, got)
		}
	}
}

func TestJailFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plan func(*plan.Plan)
		tree func(tree)
		want []string
		file string
	}{
		"of an empty plan": {want: []string{
			"ignoreip = 127.0.0.0/8 ::1\n",
			"[freeswitch]\nenabled  = true\nfilter   = fs-harden[mode=all]\nlogpath  = /var/log/freeswitch/fs-harden-auth.log\nbackend  = polling\nusedns   = no\nmaxretry = 20\nfindtime = 300\nbantime  = 86400\naction   = fs-harden.py\n",
			"[freeswitch-challenge]\nenabled  = false\n",
			"maxretry = 3\nfindtime = 604800\nbantime  = 604800\naction   = fs-harden.py\n",
			"[sshd]\nenabled  = false\n",
		}},
		"the trusted": {
			plan: func(p *plan.Plan) {
				p.SIPAllowFrom, p.Fail2ban.IgnoreIP = []string{"203.0.113.0/24", "2001:db8::/32"}, []string{"192.0.2.7"}
			},
			want: []string{"ignoreip = 127.0.0.0/8 ::1 192.0.2.7 203.0.113.0/24 2001:db8::/32\n"},
		},
		"challenges apart": {
			plan: func(p *plan.Plan) { p.Fail2ban.ChallengeMaxRetry = 2000 },
			want: []string{"fs-harden[mode=failures]", "[freeswitch-challenge]\nenabled  = true\nfilter   = fs-harden[mode=challenges]\n", "maxretry = 2000\n"},
		},
		"with sshd": {
			tree: func(tr tree) { tr.write("/usr/sbin/sshd", "") },
			want: []string{"[sshd]\nenabled  = true\n"},
		},
		"by iptables": {
			plan: func(p *plan.Plan) { p.Fail2ban.BanAction = "iptables-allports" },
			want: []string{"action   = fs-harden-iptables[name=%(__name__)s]\n"},
		},
		"every protocol by iptables": {
			plan: func(p *plan.Plan) { p.Fail2ban.BanAction = "iptables-allports" },
			file: "action.d/fs-harden-iptables.conf",
			want: []string{"protocol = all\n", "[Init?family=inet6]\nblocktype = DROP\n"},
		},
		"bans are kept as long as they last": {
			file: "fail2ban.d/fs-harden.local",
			want: []string{"dbpurgeage = 691200\n", "logtarget = /var/log/fail2ban.log\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := newTree(t)
			p := plan.Default()
			if c.plan != nil {
				c.plan(p)
			}
			if c.tree != nil {
				c.tree(tr)
			}
			if _, err := tr.runner().Apply(t.Context(), p, nil); err != nil {
				t.Fatal(err)
			}
			if c.file == "" {
				c.file = "jail.d/fs-harden.local"
			}
			got := tr.read("/etc/fail2ban/" + c.file)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("lacks %q", want)
				}
			}
			if strings.ContainsAny(got, "@") || t.Failed() {
				t.Errorf("%s:\n%s", c.file, got)
			}
		})
	}
}

func TestFail2banAdvises(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.write("/etc/fail2ban/jail.local", "[DEFAULT]\nignoreip = 192.0.2.1\n")
	p := plan.Default()
	p.Recidive.FindTime = 86400 // the baseline's
	rep, err := tr.runner().Apply(t.Context(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"so the longer ban never comes: make it more than 172800", "/etc/fail2ban/jail.local sets ignoreip"} {
		if !slices.ContainsFunc(rep.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("no warning says %q: %q", want, rep.Warnings)
		}
	}
}

func TestSkippedFail2banWritesNothing(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	p := plan.Default()
	p.SkipFail2ban = true
	if _, err := tr.runner().Apply(t.Context(), p, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/etc/fail2ban/jail.d", "/etc/tmpfiles.d/fs-harden.conf", "/var/log/fail2ban.log"} {
		if _, err := os.Lstat(tr.path(path)); err == nil {
			t.Errorf("%s was made", path)
		}
	}
	if strings.Contains(tr.read("/etc/freeswitch/autoload_configs/logfile.conf.xml"), "fs-harden") {
		t.Error("the log profile was put in")
	}
}

func TestJailList(t *testing.T) {
	got := jailList("Status\n|- Number of jail:\t3\n`- Jail list:\tfreeswitch, recidive, sshd\n")
	if !slices.Equal(got, []string{"freeswitch", "recidive", "sshd"}) {
		t.Errorf("%q", got)
	}
}
