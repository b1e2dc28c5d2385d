package apt

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// scripted answers commands, and keeps them. Nothing is run.
type scripted struct {
	ran    []string
	answer func(command string) (string, error)
}

func (s *scripted) Run(_ context.Context, name string, args ...string) ([]byte, error) {
	command := name + " " + strings.Join(args, " ")
	s.ran = append(s.ran, command)
	out, err := s.answer(command)
	return []byte(out), err
}

// on is an installation whose commands are answered by script. Which packages
// are installed is read from this very machine, and not changed.
func on(t *testing.T, script *scripted, packages ...string) *Install {
	t.Helper()
	h, err := host.Open("/", script)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Installed(h); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("this machine has no dpkg: %v", err)
		}
		t.Skipf("this machine has no dpkg: %v", err)
	}
	// Live, or the real machine's policy-rc.d would be written.
	return &Install{Host: h, Packages: packages, Live: true, wait: time.Millisecond}
}

const policy = "fail2ban:\n  Installed: (none)\n  Candidate: 1.0.2-2\n  Version table:\n     1.0.2-2 500\nufw:\n  Installed: (none)\n  Candidate: 0.36.2-1\n"

func TestItInstalls(t *testing.T) {
	locked := 2
	script := &scripted{answer: func(command string) (string, error) {
		switch {
		case strings.HasPrefix(command, "apt-cache policy"):
			return policy, nil
		case strings.Contains(command, " update") && locked > 0:
			locked--
			return "", errors.New("exit status 100: E: Unable to lock directory /var/lib/apt/lists/")
		}
		return "", nil
	}}
	a := on(t, script, "fail2ban", "ufw")
	a.Mask = []string{"fail2ban.service"}
	if err := a.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	var short []string
	for _, c := range script.ran {
		if strings.HasPrefix(c, "apt-get") && !strings.Contains(c, "-q -y -o DPkg::Lock::Timeout=60 ") {
			t.Errorf("without its options: %s", c)
		}
		short = append(short, strings.Replace(c, " "+strings.Join(options, " "), "", 1))
	}
	want := []string{
		"apt-get update", "apt-get update", "apt-get update", "apt-cache policy fail2ban ufw",
		"apt-get install --no-install-recommends fail2ban ufw --download-only",
		"systemctl mask --runtime fail2ban.service",
		"apt-get install --no-install-recommends fail2ban ufw",
	}
	if !slices.Equal(short, want) {
		t.Errorf("ran:\n%s", strings.Join(short, "\n"))
	}
}

func TestItRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		packages []string
		answer   func(string) (string, error)
		want     string
	}{
		"a package that is nowhere": {[]string{"fail2ban", "nftables"}, func(string) (string, error) { return policy, nil }, "do not have nftables: add Debian's main"},
		"no candidate": {[]string{"ufw"}, func(string) (string, error) {
			return "ufw:\n  Installed: (none)\n  Candidate: (none)\n", nil
		}, "do not have ufw"},
		"no network": {[]string{"nftables"}, func(c string) (string, error) {
			if strings.Contains(c, "update") {
				return "", errors.New("exit status 100: E: Some index files failed to download")
			}
			return policy, nil
		}, "could not be fetched: exit status 100: E: Some index files"},
		"a version that will not do": {[]string{"fail2ban"}, func(string) (string, error) {
			return strings.Replace(policy, "1.0.2-2", "1.0.2-3", 1), nil
		}, "it is broken"},
	} {
		script := &scripted{answer: c.answer}
		a := on(t, script, c.packages...)
		a.Refuse = func(versions map[string]string) error {
			if versions["fail2ban"] == "1.0.2-3" {
				return errors.New("it is broken")
			}
			return nil
		}
		err := a.Do(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		for _, ran := range script.ran {
			if strings.Contains(ran, " install ") {
				t.Errorf("%s: installed all the same: %s", name, ran)
			}
		}
	}
}

func TestItPurgesWhatCame(t *testing.T) {
	script := &scripted{answer: func(string) (string, error) { return "", nil }}
	a := on(t, script, "fail2ban")
	if err := a.Undo(t.Context()); err != nil || len(script.ran) > 0 {
		t.Errorf("nothing came, and it ran %s, %v", script.ran, err)
	}
	a.came = []string{"fail2ban", "python3-systemd"}
	if err := a.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(script.ran); n != 1 || !strings.HasSuffix(script.ran[0], " purge fail2ban python3-systemd") {
		t.Errorf("ran %s", script.ran)
	}
}
