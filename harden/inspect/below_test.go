package inspect

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// crowded is a tree in which one folder has so many names that nothing stands at.
type crowded struct {
	Tree
	dir    string
	n      int
	looked *int
}

func (c crowded) ReadDir(dir string) ([]string, error) {
	if dir != c.dir {
		return c.Tree.ReadDir(dir)
	}
	names := make([]string, c.n)
	for i := range names {
		names[i] = fmt.Sprintf("%06d", i)
	}
	return names, nil
}

func (c crowded) Glance(p string) (host.Glimpse, error) {
	if strings.HasPrefix(p, c.dir+"/") {
		*c.looked++
		return host.Glimpse{Kind: host.Absent}, nil
	}
	return c.Tree.Glance(p)
}

// A folder of very many files is not gone through to its end, and that is told; one
// that has just as many as are looked at is silent.
func TestTooManyFilesAreTold(t *testing.T) {
	for _, dir := range []string{"/etc/freeswitch/scripts", "/etc/freeswitch/tls", "/var/lib/freeswitch/db", "/etc/letsencrypt/archive", "/etc/wireguard", "/root/.ssh", "/var/log/app", "/etc/ssl/private"} {
		for _, n := range []int{maxBelow / 2, maxBelow + 1} {
			s := sceneOf(t, map[string]string{dir + "/x": "x", "/etc/freeswitch/freeswitch.xml": "<document/>"})
			looked := 0
			s.Tree = crowded{s.Tree, dir, n, &looked}
			var told []string
			for _, l := range Looks() {
				for _, f := range s.run(l) {
					if strings.Contains(f.Why, "nobody looked at the rest") {
						told = append(told, f.Path)
					}
				}
			}
			if n <= maxBelow && len(told) > 0 || n > maxBelow && (len(told) != 1 || !strings.HasPrefix(dir, told[0])) {
				t.Errorf("%s with %d files: told %q", dir, n, told)
			}
			if looked > 4*maxBelow {
				t.Errorf("%s: looked at %d", dir, looked)
			}
		}
	}
}

// The .bak that fs-harden has made of an original is for the look at the backups; one
// of another file, or where no record names it, is a copy that somebody has left.
func TestWhoseCopyItIs(t *testing.T) {
	const conf, text = "/etc/freeswitch/", "<X-PRE-PROCESS cmd=\"set\" data=\"default_password=Hunter2Hunter2\"/>\n"
	for name, c := range map[string]struct {
		copy, record, journal string
		told                  bool
	}{
		"on record":             {copy: "vars.xml.bak", record: conf + "vars.xml.bak"},
		"its original is":       {copy: "vars.xml.bak", record: conf + "vars.xml"},
		"a run is under way":    {copy: "vars.xml.bak", journal: "/var/lib/fs-harden/journal/000-x.json"},
		"on no record":          {copy: "vars.xml.bak", told: true},
		"another is":            {copy: "vars.xml.bak", record: conf + "x.xml", told: true},
		"of no file of it":      {copy: "x.xml.bak", record: conf + "x.xml", told: true},
		"another kind of copy":  {copy: "vars.xml.orig", record: conf + "vars.xml", told: true},
		"of the same, by a run": {copy: "vars.xml~", journal: "/var/lib/fs-harden/journal/000-x.json", told: true},
	} {
		files := map[string]string{
			conf + "freeswitch.xml": "<document>\n<X-PRE-PROCESS cmd=\"include\" data=\"vars.xml\"/>\n</document>\n", conf + "vars.xml": "<include>\n</include>\n", conf + c.copy: text,
		}
		if c.record != "" {
			files["/var/lib/fs-harden/originals.json"] = `[{"path":"` + c.record + `"}]`
		}
		if c.journal != "" {
			files[c.journal] = "[]"
		}
		s := sceneOf(t, files)
		told := slices.ContainsFunc(s.run(Named{"editor-files", editorFiles}), func(f *Found) bool { return f.Path == conf+c.copy && strings.Contains(f.Why, "a copy") })
		if told != c.told {
			t.Errorf("%s: told is %t", name, told)
		}
	}
}
