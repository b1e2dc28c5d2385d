package host

import (
	"strings"
	"testing"
	"time"
)

// initStat is /proc/1/stat with the given command and start, in clock ticks.
// The fields are those of a Debian 12 machine.
func initStat(comm, start string) string {
	return "1 (" + comm + ") S 0 1 1 0 -1 4194560 39206 1474867 114 3270 218 378 2531 1061 20 0 1 0 " + start +
		" 172036096 3389 18446744073709551615 1 1 0 0 0 0 671173123 4096 1260 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
}

const kernelStat = "cpu  11 22 33 44\nintr 5 0 btime 7\nctxt 99\nbtime 1763856000\nprocesses 1234\n"

func TestBootTime(t *testing.T) {
	const btime = 1763856000
	tests := map[string]struct {
		stat, init string
		want       int64 // zero: unknown
	}{
		"a machine":             {kernelStat, initStat("systemd", "250"), btime + 2},
		"a container, later":    {kernelStat, initStat("systemd", "8640000"), btime + 86400},
		"btime is the last":     {"cpu 1\nbtime 1763856000", initStat("init", "0"), btime},
		"btime is the first":    {"btime 1763856000\ncpu 1", initStat("init", "0"), btime},
		"spaces in the command": {kernelStat, initStat("my init", "100"), btime + 1},
		"parentheses in it":     {kernelStat, initStat("a) S 1 (b))", "100"), btime + 1},
		"a newline in it":       {kernelStat, initStat("a\nb", "100"), btime + 1},
		"an empty command":      {kernelStat, initStat("", "100"), btime + 1},
		"no btime":              {"cpu 1\nmybtime 5\n", initStat("systemd", "1"), 0},
		"btime of words":        {"btime soon\n", initStat("systemd", "1"), 0},
		"btime cut":             {"btime ", initStat("systemd", "1"), 0},
		"stat empty":            {"", initStat("systemd", "1"), 0},
		"init cut":              {kernelStat, strings.Join(strings.Fields(initStat("systemd", "1"))[:21], " "), 0},
		"init without command":  {kernelStat, "1", 0},
		"init empty":            {kernelStat, "", 0},
		"start of words":        {kernelStat, initStat("systemd", "early"), 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, root := tree(t)
			write(t, root, "/proc/stat", tt.stat)
			write(t, root, "/proc/1/stat", tt.init)
			got := h.BootTime()
			if tt.want == 0 && !got.IsZero() || tt.want != 0 && !got.Equal(time.Unix(tt.want, 0)) {
				t.Errorf("got %v, want %v", got, time.Unix(tt.want, 0))
			}
		})
	}
	h, root := tree(t)
	write(t, root, "/proc/stat", kernelStat)
	if got := h.BootTime(); !got.IsZero() {
		t.Errorf("without /proc/1: %v", got)
	}
}

// The machine that runs this test booted before now, and its own files say when
// they changed.
func TestTimesOfARealMachine(t *testing.T) {
	h := open(t, "/")
	boot := h.BootTime()
	if boot.IsZero() || boot.After(time.Now()) {
		t.Fatalf("this machine booted at %v", boot)
	}
	dir := t.TempDir()
	p := write(t, dir, "f", "")
	changed, err := h.Inode(p)
	if err != nil || changed.Before(boot) || changed.After(time.Now().Add(time.Second)) {
		t.Errorf("a file made now changed at %v (boot %v), %v", changed, boot, err)
	}
	if _, err := h.Inode(p + "none"); err == nil {
		t.Error("what is not there has changed")
	}
}

// A tree is never live, whatever it holds: what runs is the build machine.
func TestATreeIsNotLive(t *testing.T) {
	h, root := tree(t)
	folder(t, root, "/run/systemd/system")
	if live, why := h.Live(); live || !strings.Contains(why, "--root") {
		t.Errorf("live: %v, because %q", live, why)
	}
}

func TestLiveGivesAReasonIfNot(t *testing.T) {
	h := open(t, "/")
	if live, why := h.Live(); live != (why == "") || live != (h.Exists("/run/systemd/system") && !inChroot()) {
		t.Errorf("live: %v, because %q", live, why)
	}
}
