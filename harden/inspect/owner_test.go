package inspect

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/internal/testenv"
)

// Where FreeSWITCH keeps things is what root's files say. One that others may write
// is told of, and does not have the bake remove what it names.
func TestWhatOthersMayWriteNamesNoFolder(t *testing.T) {
	const env = "/etc/freeswitch/env"
	s := sceneOf(t, map[string]string{
		"/lib/u.service": "[Service]\nEnvironmentFile=" + env + "\nExecStart=/usr/bin/freeswitch $OPTS\n",
		env:              "OPTS=-log /srv/other\n", "/srv/other/x.log": "rows", "/var/log/freeswitch/own.log": "a call",
	})
	logsOf := func(s *scene) (paths []string) {
		s.run(Named{"unit", unitFolders})
		for _, f := range s.run(Named{"logs", logs}) {
			if strings.HasSuffix(f.Path, ".log") { // there is no configuration, which is told too
				paths = append(paths, f.Path)
			}
		}
		return paths
	}
	if got := logsOf(s); !slices.Contains(got, "/srv/other/x.log") {
		t.Fatalf("root's own file does not count: %q", got)
	}
	s = newScene(s.Tree, s.Options)
	if err := os.Chmod(s.Root()+"/etc/freeswitch", 0o777); err != nil { // stands for a folder of FreeSWITCH's user
		t.Fatal(err)
	}
	told := s.run(Named{"unit", unitFolders})
	if len(told) != 1 || told[0].Path != env || !strings.Contains(told[0].Why, "passed over") {
		t.Errorf("told: %+v", told)
	}
	s = newScene(s.Tree, s.Options)
	if got := logsOf(s); !slices.Equal(got, []string{"/var/log/freeswitch/own.log"}) {
		t.Errorf("looked at %q", got)
	}
}

// In FreeSWITCH's folders goes what FreeSWITCH's user or root wrote, by names that
// are root's or that user's own to change.
func TestWhoseAFileIs(t *testing.T) {
	testenv.Root(t)
	const fs, other = 997, 998
	for name, c := range map[string]struct {
		folder, file int // whose /var/log/freeswitch, and a log in it
		above        int // whose /var/log
		fix          Fix
	}{
		"as packages have it":            {fs, fs, 0, Remove},
		"run by root":                    {0, 0, 0, Remove},
		"root's file":                    {fs, 0, 0, Remove},
		"another's file":                 {fs, other, 0, None},
		"another's folder":               {other, fs, 0, None},
		"root's folder in FreeSWITCH's":  {0, 0, fs, None}, // he may have put it there
		"his own, in FreeSWITCH's":       {fs, fs, fs, Remove},
		"root's file in his, in another": {fs, 0, other, Remove}, // he could remove it himself
	} {
		t.Run(name, func(t *testing.T) {
			const log = "/var/log/freeswitch/freeswitch.log"
			s := sceneOf(t, map[string]string{log: "a call", "/etc/passwd": "freeswitch:x:997:997::/var/lib/freeswitch:/bin/false\n"})
			for p, uid := range map[string]int{"/var/log": c.above, "/var/log/freeswitch": c.folder, log: c.file} {
				if err := os.Chown(s.Root()+p, uid, uid); err != nil {
					t.Fatal(err)
				}
			}
			found := s.run(Named{"logs", logs})
			found = slices.DeleteFunc(found, func(f *Found) bool { return f.Path != log }) // there is no configuration
			if len(found) != 1 || found[0].Fix != c.fix {
				t.Errorf("found %d, the first: %+v", len(found), found)
			} else if c.fix == None && !strings.Contains(found[0].Why, "not for a program to remove") {
				t.Errorf("why: %s", found[0].Why)
			}
		})
	}
}

// In a home goes what lies in the user's own folders. One that root made there may be
// another that he has put in its place, and no bake fails for it.
func TestWhatLiesDeepInAHome(t *testing.T) {
	testenv.Root(t)
	const history = "/home/u/.local/state/python_history"
	for name, c := range map[string]struct {
		folder int // whose ~/.local is
		fix    Fix
	}{
		"his own":   {1000, Remove},
		"root's":    {0, None},
		"another's": {1001, None},
	} {
		s := sceneOf(t, map[string]string{history: "x", "/etc/passwd": "u:x:1000:1000::/home/u:/bin/sh\n"})
		for p, uid := range map[string]int{"/home/u": 1000, "/home/u/.local": c.folder, "/home/u/.local/state": 1000, history: 1000} {
			if err := os.Chown(s.Root()+p, uid, uid); err != nil {
				t.Fatal(err)
			}
		}
		found := s.run(Named{"histories", histories})
		if len(found) != 1 || found[0].Fix != c.fix || found[0].Home == nil || found[0].Home.UID != 1000 {
			t.Errorf("%s: %+v", name, found)
		}
	}
}
