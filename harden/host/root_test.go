package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// outside is a tree beside the root that nothing may touch.
func outside(t *testing.T) (h *Host, root, beyond string) {
	t.Helper()
	base := t.TempDir()
	beyond = write(t, base, "beyond/secret", "theirs")
	root = folder(t, base, "root")
	t.Cleanup(func() {
		if b, err := os.ReadFile(beyond); err != nil || string(b) != "theirs" {
			t.Errorf("a file beside --root was changed: %q, %v", b, err)
		}
		if got := names(t, base); len(got) != 2 {
			t.Errorf("something came up beside --root: %q", got)
		}
		if got := names(t, filepath.Dir(beyond)); len(got) != 1 {
			t.Errorf("something came up in another folder beside --root: %q", got)
		}
	})
	return open(t, root), root, beyond
}

func TestLinksAreFollowedInsideTheRoot(t *testing.T) {
	tests := map[string]struct {
		links map[string]string // name to target
		path  string            // that is written
		lands string            // below the root
	}{
		"absolute folder":       {map[string]string{"/etc/freeswitch": "/opt/conf"}, "/etc/freeswitch/vars.xml", "/opt/conf/vars.xml"},
		"relative folder":       {map[string]string{"/etc/freeswitch": "../opt/conf"}, "/etc/freeswitch/vars.xml", "/opt/conf/vars.xml"},
		"up and out, relative":  {map[string]string{"/etc/freeswitch": "../../../../../opt/conf"}, "/etc/freeswitch/vars.xml", "/opt/conf/vars.xml"},
		"up and out, absolute":  {map[string]string{"/etc/freeswitch": "/../../opt/conf"}, "/etc/freeswitch/vars.xml", "/opt/conf/vars.xml"},
		"a chain":               {map[string]string{"/a": "b", "/b": "/c/", "/c": "opt/conf"}, "/a/vars.xml", "/opt/conf/vars.xml"},
		"beside, by its name":   {map[string]string{"/etc/freeswitch": "../../beyond"}, "/etc/freeswitch/secret", "/beyond/secret"},
		"dots after a link":     {map[string]string{"/etc/freeswitch": "/opt/conf"}, "/etc/freeswitch/../x", "/opt/x"},
		"dots out of the root":  {nil, "/../../../opt/x", "/opt/x"},
		"a slash at the end":    {nil, "/opt/conf/x/", "/opt/conf/x"},
		"slashes and dots":      {nil, "//opt/./conf//x", "/opt/conf/x"},
		"usr-merge, like /sbin": {map[string]string{"/sbin": "usr/sbin"}, "/sbin/fs-harden", "/usr/sbin/fs-harden"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, root, _ := outside(t)
			for _, dir := range []string{"/opt/conf", "/beyond", "/usr/sbin"} {
				folder(t, root, dir)
			}
			for at, target := range tt.links {
				link(t, root, at, target)
			}
			if err := h.Put(tt.path, NewFile([]byte("new"), 0o600)); err != nil {
				t.Fatal(err)
			}
			if got := content(t, filepath.Join(root, tt.lands)); got != "new" {
				t.Errorf("it holds %q", got)
			}
			if n, err := h.Lookup(tt.path); err != nil || string(n.Data) != "new" {
				t.Errorf("Lookup: %+v, %v", n, err)
			}
			if b, err := h.ReadFile(tt.path); err != nil || string(b) != "new" {
				t.Errorf("ReadFile: %q, %v", b, err)
			}
			if got, err := h.Canonical(tt.path); err != nil || got != tt.lands {
				t.Errorf("Canonical: %q, %v; want %q", got, err, tt.lands)
			}
		})
	}
}

// The last element is never followed by a write: a link that somebody planted
// is replaced, and what it leads to stays.
func TestAPlantedLinkIsReplaced(t *testing.T) {
	for _, target := range []string{"/etc/shadow", "../etc/shadow", "../../beyond/secret", "/nowhere", "own"} {
		h, root, _ := outside(t)
		shadow := write(t, root, "/etc/shadow", "root:*")
		link(t, root, "/home/own", target)
		if n, err := h.Lookup("/home/own"); err != nil || n.Kind != Symlink || n.Target != target {
			t.Errorf("a link is to be told as a link: %+v, %v", n, err)
		}
		if err := h.Put("/home/own", NewFile([]byte("mine"), 0o600)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(filepath.Join(root, "/home/own"))
		if err != nil || !info.Mode().IsRegular() || content(t, shadow) != "root:*" {
			t.Errorf("-> %s: %v, %v; its target holds %q", target, info.Mode(), err, content(t, shadow))
		}
	}
}

func TestPathsThatLeadNowhere(t *testing.T) {
	h, root, _ := outside(t)
	link(t, root, "/loop", "/loop")
	link(t, root, "/ping", "pong")
	link(t, root, "/pong", "ping")
	for _, p := range []string{"/loop/x", "/ping/x"} {
		if err := h.Put(p, NewFile(nil, 0o600)); !errors.Is(err, syscall.ELOOP) {
			t.Errorf("Put %s: %v", p, err)
		}
		if _, err := h.Lookup(p); !errors.Is(err, syscall.ELOOP) {
			t.Errorf("Lookup %s: %v", p, err)
		}
		if h.Exists(p) {
			t.Errorf("%s exists", p)
		}
	}
	for _, p := range []string{"", "x", "./x", "../x"} {
		if err := h.Put(p, NewFile(nil, 0o600)); err == nil || !strings.Contains(err.Error(), "not an absolute path") {
			t.Errorf("Put %q: %v", p, err)
		}
		if _, err := h.ReadFile(p); err == nil {
			t.Errorf("ReadFile %q was taken", p)
		}
	}
}

// The folder above the root is not a path of the machine.
func TestNothingAboveTheRoot(t *testing.T) {
	h, root, _ := outside(t)
	folder(t, root, "/x")
	if err := os.Chmod(filepath.Dir(root), 0o751); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/..", "/../", "/x/..", "/x/../..", "/."} {
		n, err := h.Lookup(p)
		if err != nil || n.Kind != Folder {
			t.Errorf("Lookup %s: %+v, %v", p, n, err)
		}
		if err := h.Put(p, Node{Kind: Folder, Mode: 0o755}); err != nil {
			t.Errorf("Put %s: %v", p, err)
		}
		if got, err := h.Canonical(p); err != nil || got != "/" {
			t.Errorf("Canonical %s: %q, %v", p, got, err)
		}
	}
	if info, err := os.Stat(filepath.Dir(root)); err != nil || info.Mode().Perm() != 0o751 {
		t.Errorf("the folder above the root has the mode %v now, %v", info.Mode(), err)
	}
}

func TestOpen(t *testing.T) {
	file := write(t, t.TempDir(), "f", "")
	if _, err := Open(file, nil); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("a file: %v", err)
	}
	if _, err := Open(file+"/none", nil); err == nil {
		t.Error("what is not there was opened")
	}
	if _, err := Open(filepath.Dir(file)+"/none", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	for root, rooted := range map[string]bool{"/": false, "//": false, "/.": false, "/tmp/..": false, t.TempDir(): true} {
		if h := open(t, root); h.Rooted() != rooted {
			t.Errorf("Rooted of %s is %v", root, !rooted)
		}
	}
	t.Chdir(t.TempDir()) // --root . is the folder it was when the run began
	h := open(t, ".")
	t.Chdir("/")
	if err := h.Put("/x", NewFile([]byte("x"), 0o600)); err != nil {
		t.Error(err)
	}
	if b, err := h.ReadFile("/x"); err != nil || string(b) != "x" {
		t.Errorf("got %q, %v", b, err)
	}
}
