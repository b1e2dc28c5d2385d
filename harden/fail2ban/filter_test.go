package fail2ban

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const logs = "../../../shared/data/"

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
	text, err := templates.ReadFile("templates/filter.conf")
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
			{"strangers", attack, map[string]int{
				"10.77.0.12": 12, "10.77.0.15": 12, "10.77.0.19": 16, "10.77.0.20": 6, "10.77.0.22": 8, "fd77::12": 6, "fd77::13": 12,
			}},
			{"refused", attack, map[string]int{}},
			{"scanner", attack, map[string]int{}},
			{"all", injection, map[string]int{"10.77.0.11": 2, "10.77.0.12": 2}},
		} {
			if got := blamed(t, program, filter+"[mode="+c.mode+"]", c.log); !equalCounts(got, c.want) {
				t.Errorf("%s, %s, mode %s: got %v, want %v", program, filepath.Base(c.log), c.mode, got, c.want)
			}
		}
	}
}

// The watch's lines, each in its mode alone.
func TestFilterOnTheWatchsLog(t *testing.T) {
	filter := ownFilter(t)
	const begin = "2026-11-27 21:56:07.211706 [WARNING] fs-harden "
	log := temp(t, "watch.log", begin+"challenged stranger from 192.0.2.1\n"+begin+"refused NO_ROUTE_DESTINATION from 2001:db8::2\n"+begin+"scanner friendly-scanner from 192.0.2.3\n"+
		begin+"refused X from 198.51.100.1 \n "+begin+"refused X from 198.51.100.1\n"+begin+"refused X from 192.0.2.1] from 198.51.100.1:5060\n")
	for _, program := range fail2banRegex(t) {
		for mode, want := range map[string]map[string]int{
			"all": {}, "failures": {}, "challenges": {},
			"strangers": {"192.0.2.1": 1}, "refused": {"2001:db8::2": 1}, "scanner": {"192.0.2.3": 1},
		} {
			if got := blamed(t, program, filter+"[mode="+mode+"]", log); !equalCounts(got, want) {
				t.Errorf("%s, mode %s: got %v, want %v", program, mode, got, want)
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
