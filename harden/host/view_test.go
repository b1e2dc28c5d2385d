package host

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
)

func stage(t *testing.T, v *View, path string, n Node) {
	t.Helper()
	if err := v.Stage(path, n); err != nil {
		t.Fatal(err)
	}
}

// seen is what a step can ask of one path.
func seen(t *testing.T, v *View, path string) (data string, exists bool) {
	t.Helper()
	b, err := v.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if (err == nil) != v.exists(path) {
		t.Errorf("%s: reading says %v, and exists %v", path, err, v.exists(path))
	}
	found, err2 := v.Glob(path)
	if err2 != nil || (len(found) == 1) != (err == nil) {
		t.Errorf("%s: reading says %v, and Glob %q, %v", path, err, found, err2)
	}
	return string(b), err == nil
}

func TestViewShowsWhatIsStaged(t *testing.T) {
	h, root := tree(t)
	write(t, root, "/opt/conf/old.xml", "old")
	write(t, root, "/opt/conf/gone.xml", "gone")
	write(t, root, "/opt/conf/kept.xml", "kept")
	link(t, root, "/etc/freeswitch", "/opt/conf")
	link(t, root, "/opt/conf/alias.xml", "old.xml")

	tests := map[string]struct {
		path  string
		stage Node
		want  map[string]string // what the view shows afterwards; "" is absent
	}{
		"changed": {"/opt/conf/old.xml", NewFile([]byte("new"), 0o600), map[string]string{
			"/opt/conf/old.xml": "new", "/etc/freeswitch/old.xml": "new", "/opt/conf/alias.xml": "new", "/opt/conf/kept.xml": "kept",
		}},
		"changed through a folder's link": {"/etc/freeswitch/old.xml", NewFile([]byte("new"), 0o600), map[string]string{
			"/opt/conf/old.xml": "new", "/etc/freeswitch/old.xml": "new", "/etc/freeswitch/alias.xml": "new",
		}},
		"added":   {"/etc/freeswitch/add.xml", NewFile([]byte("add"), 0o600), map[string]string{"/opt/conf/add.xml": "add", "/etc/freeswitch/add.xml": "add"}},
		"removed": {"/etc/freeswitch/gone.xml", Node{Kind: Absent}, map[string]string{"/opt/conf/gone.xml": "", "/etc/freeswitch/gone.xml": "", "/opt/conf/old.xml": "old"}},
		"a link replaced by a file": {"/opt/conf/alias.xml", NewFile([]byte("own"), 0o600), map[string]string{
			"/opt/conf/alias.xml": "own", "/etc/freeswitch/alias.xml": "own", "/opt/conf/old.xml": "old",
		}},
		"a link removed":       {"/opt/conf/alias.xml", Node{Kind: Absent}, map[string]string{"/opt/conf/alias.xml": "", "/opt/conf/old.xml": "old"}},
		"a link's end removed": {"/opt/conf/old.xml", Node{Kind: Absent}, map[string]string{"/opt/conf/alias.xml": "", "/opt/conf/old.xml": ""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v := NewView(h)
			stage(t, v, tt.path, tt.stage)
			if n, err := v.Lookup(tt.path); err != nil || n.Kind != tt.stage.Kind || string(n.Data) != string(tt.stage.Data) {
				t.Errorf("Lookup gives %+v, %v", n, err)
			}
			for p, want := range tt.want {
				if got, ok := seen(t, v, p); got != want || ok != (want != "") {
					t.Errorf("%s shows %q, want %q", p, got, want)
				}
			}
			if got := content(t, root+"/opt/conf/old.xml"); got != "old" {
				t.Errorf("staging wrote to the disk: %q", got)
			}
		})
	}
}

func TestGlob(t *testing.T) {
	h, root := tree(t)
	for _, name := range []string{"b.xml", "a.xml", "c.conf", ".hidden.xml", "sub/d.xml", "sub2/e.xml", "[x].xml"} {
		write(t, root, "/opt/conf/"+name, name)
	}
	link(t, root, "/etc/freeswitch", "/opt/conf")
	link(t, root, "/opt/conf/dangling.xml", "nowhere")
	v := NewView(h)
	stage(t, v, "/etc/freeswitch/z.xml", NewFile(nil, 0o600))
	stage(t, v, "/etc/freeswitch/.dot.xml", NewFile(nil, 0o600))
	stage(t, v, "/opt/conf/b.xml", Node{Kind: Absent})
	stage(t, v, "/opt/conf/a.xml", NewFile([]byte("new"), 0o600))
	stage(t, v, "/opt/conf/sub/n.xml", NewFile(nil, 0o600))

	for pattern, want := range map[string][]string{
		"/opt/conf/*.xml":            {"/opt/conf/[x].xml", "/opt/conf/a.xml", "/opt/conf/dangling.xml", "/opt/conf/z.xml"},
		"/etc/freeswitch/?.xml":      {"/etc/freeswitch/a.xml", "/etc/freeswitch/z.xml"},
		"/etc/freeswitch/[a-b].xml":  {"/etc/freeswitch/a.xml"},
		`/opt/conf/\[x\].xml`:        {"/opt/conf/[x].xml"},
		"/opt/conf/.*.xml":           {"/opt/conf/.dot.xml", "/opt/conf/.hidden.xml"},
		"/etc/freeswitch/sub*/*.xml": {"/etc/freeswitch/sub/d.xml", "/etc/freeswitch/sub/n.xml", "/etc/freeswitch/sub2/e.xml"},
		"/*/freeswitch/c.conf":       {"/etc/freeswitch/c.conf"},
		"/opt/conf/c.conf":           {"/opt/conf/c.conf"},
		"/opt/conf/z.xml":            {"/opt/conf/z.xml"},
		"/opt/conf/b.xml":            nil,
		"/opt/conf/*.nothing":        nil,
		"/none/*.xml":                nil,
		"/opt/conf/c.conf/*":         nil,
		"/opt/conf/sub/../*.conf":    {"/opt/conf/c.conf"},
	} {
		got, err := v.Glob(pattern)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", pattern, got, err, want)
		}
	}
	if _, err := v.Glob("/opt/[a/*.xml"); err == nil {
		t.Error("a broken pattern was taken")
	}
}

func TestGenerationMovesWithEveryStage(t *testing.T) {
	h, _ := tree(t)
	v := NewView(h)
	before := v.Generation()
	stage(t, v, "/a", NewFile(nil, 0o600))
	stage(t, v, "/a", NewFile(nil, 0o600))
	if v.Generation() != before+2 {
		t.Errorf("from %d to %d in two stages", before, v.Generation())
	}
	if err := v.Stage("a", Node{}); err == nil || v.Generation() != before+2 {
		t.Errorf("a relative path was staged (%v)", err)
	}
}
