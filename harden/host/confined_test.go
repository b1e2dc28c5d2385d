package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever writes a configuration gets nothing read that he could not read himself,
// and nothing that lies elsewhere is his to have changed.
func TestConfined(t *testing.T) {
	h, root := tree(t)
	mode := func(p string, m fs.FileMode) {
		t.Helper()
		if err := os.Chmod(filepath.Join(root, p), m); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"/opt/conf/vars.xml", "/opt/conf/d/a.xml", "/etc/shadow", "/etc/public.xml", "/root/public.xml", "/opt/config/x"} {
		write(t, root, p, p)
	}
	mode("/opt/conf/vars.xml", 0o600)
	mode("/etc/shadow", 0o640)
	mode("/root", 0o700)
	if err := os.Truncate(write(t, root, "/opt/conf/giant.xml", ""), maxConfigFile+1); err != nil {
		t.Fatal(err)
	}
	link(t, root, "/etc/freeswitch", "/opt/conf")
	link(t, root, "/opt/conf/out.xml", "/etc/public.xml")
	c := Confine(NewView(h), "/etc/freeswitch")
	for path, want := range map[string]struct {
		holds bool
		why   string // of a refusal
	}{
		"/etc/freeswitch/vars.xml":  {true, ""},
		"/opt/conf/d/a.xml":         {true, ""},
		"/etc/freeswitch/out.xml":   {false, ""}, // root's link, and open to everybody
		"/etc/public.xml":           {false, ""},
		"/etc/shadow":               {false, "not every user may read it"},
		"/root/public.xml":          {false, "not every user may read it"},
		"/opt/config/x":             {false, ""}, // no folder of the name's beginning
		"/etc/freeswitch/giant.xml": {true, "no configuration file is that large"},
	} {
		b, err := c.ReadFile(path)
		if (want.why == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want.why) {
			t.Errorf("%s: %.20q, %v", path, b, err)
		}
		if got := c.Holds(path); got != want.holds {
			t.Errorf("Holds(%s) is %v", path, got)
		}
	}
	if _, err := c.ReadFile("/etc/freeswitch/none.xml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	for pattern, ok := range map[string]bool{
		"/etc/freeswitch/*/*.xml": true, "/etc/*.xml": true, "/opt/conf/../conf/d/*": true,
		"/*/*/*": false, "/etc/*/x": false, "/etc/freeswitch/../*/*": false,
	} {
		if _, err := c.Glob(pattern); (err == nil) != ok {
			t.Errorf("Glob(%s): %v", pattern, err)
		}
	}
}

// Links that lead to their own folder make a few stars a great many names.
func TestAPatternThatNeverEnds(t *testing.T) {
	h, root := tree(t)
	for i := range 8 {
		link(t, root, fmt.Sprintf("/few/%d", i), ".")
	}
	for i := range 600 {
		link(t, root, fmt.Sprintf("/many/%d", i), ".")
	}
	for pattern, why := range map[string]string{
		"/few/*/*/*/*/*/*/*/*/*/*": fmt.Sprintf("more than %d folders", maxListings),
		"/many/*/*":                fmt.Sprintf("more than %d names", maxNames),
	} {
		if _, err := h.Glob(pattern); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}
