package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A program is run only if nobody but root can put another in its place.
func TestTrustedPrograms(t *testing.T) {
	tests := map[string]struct {
		away    string // a folder that others may write to
		mode    fs.FileMode
		link    string // the program's target, where it is a link
		refused string
		absent  bool
	}{
		"root's":                    {"", 0o755, "", "", false},
		"others may write to it":    {"", 0o757, "", "others may write to it", false},
		"its group may":             {"", 0o775, "", "", false}, // the group is ours, see othersWrite
		"its folder is another's":   {"/usr/local/freeswitch/bin", 0o755, "", "/usr/local/freeswitch/bin can be changed by", false},
		"a folder above is":         {"/usr/local", 0o755, "", "/usr/local can be changed by", false},
		"a link of root's":          {"", 0o755, "../real", "", false},
		"a link to another's":       {"/usr/local/freeswitch/real.d", 0o755, "../real.d/fs_cli", "real.d can be changed by", false},
		"another's link to root's":  {"/usr/local/freeswitch/bin", 0o755, "../real", "leads through the symlink", false},
		"it cannot be run":          {"", 0o644, "", "", true},
		"there is no such program":  {"", 0, "", "", true},
		"a link that leads nowhere": {"", 0o755, "nowhere", "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, root := tree(t)
			const program = "/usr/local/freeswitch/bin/fs_cli"
			make := func(p string, mode fs.FileMode) {
				if err := os.Chmod(write(t, root, p, "#!/bin/sh\n"), mode); err != nil {
					t.Fatal(err)
				}
			}
			make("/usr/local/freeswitch/real", 0o755)
			make("/usr/local/freeswitch/real.d/fs_cli", 0o755)
			folder(t, root, "/usr/local/freeswitch/bin")
			switch {
			case tt.link != "":
				link(t, root, program, tt.link)
			case tt.mode != 0:
				make(program, tt.mode)
			}
			if tt.away != "" {
				givenAway(t, root, tt.away)
			}
			err := h.trustedProgram(program)
			switch {
			case tt.absent:
				if !absent(err) {
					t.Errorf("got %v", err)
				}
			case tt.refused == "":
				if err != nil {
					t.Error(err)
				}
			case !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), tt.refused):
				t.Errorf("got %v, want %q", err, tt.refused)
			}
		})
	}
}

// The same by the way that every program goes.
func TestAnUntrustedProgramIsNotStarted(t *testing.T) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "ran")
	evil := write(t, dir, "bin/fs_cli", "#!/bin/sh\ntouch "+mark+"\n")
	if err := os.Chmod(evil, 0o755); err != nil {
		t.Fatal(err)
	}
	givenAway(t, dir, "bin")
	if _, err := (Exec{}).Run(t.Context(), evil); !errors.Is(err, ErrUntrusted) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("it ran")
	}
}
