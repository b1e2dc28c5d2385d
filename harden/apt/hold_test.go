package apt

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// status is a piece of dpkg's record with a package in each state (dpkg(1)).
const status = `Package: fail2ban
Status: install ok installed
Architecture: all
Version: 1.0.2-2
Description: ban hosts
 Status: not a field, but its text

Package: ufw
Status: deinstall ok config-files
Version: 0.36.2-1

Package: nftables
Status: install ok half-configured
Version: 1.0.6-2

Package: held
Version: 1:2.3
Status: hold ok installed
`

type record string

func (r record) ReadFile(path string) ([]byte, error) {
	if path != "/var/lib/dpkg/status" || r == "" {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(r), nil
}

func TestWhatIsInstalled(t *testing.T) {
	t.Parallel()
	got, err := Installed(record(status))
	if want := map[string]string{"fail2ban": "1.0.2-2", "held": "1:2.3"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	if _, err := Installed(record("")); err == nil {
		t.Error("there is no dpkg, and no error")
	}
}

func TestWhatAptWouldInstall(t *testing.T) {
	t.Parallel()
	got := candidates(policy + "none:\n  Installed: 1\n  Candidate: (none)\n")
	if want := map[string]string{"fail2ban": "1.0.2-2", "ufw": "0.36.2-1", "none": "(none)"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Where no system runs, packages are told to start nothing, and after it they are
// told nothing any more; a policy of somebody else's stays as it is.
func TestNothingStartsWhereNothingRuns(t *testing.T) {
	t.Parallel()
	for name, theirs := range map[string]string{"no policy": "", "a policy of theirs": "#!/bin/sh\nexit 0\n"} {
		dir := t.TempDir()
		p := filepath.Join(dir, policyRC)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if theirs != "" {
			if err := os.WriteFile(p, []byte(theirs), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		h, err := host.Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := &Install{Host: h, Mask: []string{"fail2ban.service"}}
		holds := func() string {
			b, err := os.ReadFile(p)
			if err != nil {
				return ""
			}
			return string(b)
		}
		if err := a.hold(t.Context()); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(p)
		if err != nil || info.Mode().Perm() != 0o755 {
			t.Fatalf("%s: %v, %v", name, info, err)
		}
		if theirs == "" && !strings.Contains(holds(), "exit 101") || theirs != "" && holds() != theirs {
			t.Errorf("%s: while it installs: %q", name, holds())
		}
		if err := a.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		if holds() != theirs {
			t.Errorf("%s: after it: %q", name, holds())
		}
	}
}

func TestWhoseLockItIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 12 (unattended-upgr)":           true,
		"E: Unable to lock directory /var/lib/apt/lists/":                                                         true,
		"E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?": true,
		"E: Unable to locate package fail2ban":                                                                    false,
		"E: Sub-process /usr/bin/dpkg returned an error code (1)":                                                 false,
	} {
		if lockHeld(os.NewSyscallError(text, fs.ErrInvalid)) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
