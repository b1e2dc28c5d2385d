package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/internal/testenv"
)

// givenAway makes a folder one in which every user may change the names. It stands
// for a folder of FreeSWITCH's user: no root is needed for it.
func givenAway(t *testing.T, root, name string) {
	t.Helper()
	if err := os.Chmod(folder(t, root, name), 0o777); err != nil { // mkdir's mode has the umask taken off
		t.Fatal(err)
	}
}

// In a folder of somebody else's a link leads no further than what is his.
func TestLinksOfOthers(t *testing.T) {
	type links map[string]string
	tests := map[string]struct {
		away   []string // folders that others may write to, outermost first
		links  links
		path   string
		unsafe bool
		lands  string
	}{
		"absolute, to root's":         {[]string{"/fs"}, links{"/fs/x": "/etc/profile.d"}, "/fs/x/evil.sh", true, ""},
		"relative, to root's":         {[]string{"/fs"}, links{"/fs/x": "../etc/profile.d"}, "/fs/x/evil.sh", true, ""},
		"up and down again":           {[]string{"/fs"}, links{"/fs/x": "../fs/real"}, "/fs/x/a", true, ""},
		"absolute, to its own folder": {[]string{"/fs"}, links{"/fs/x": "/fs/real"}, "/fs/x/a", true, ""},
		"to a folder beside it":       {[]string{"/fs", "/fs/real"}, links{"/fs/x": "real"}, "/fs/x/a", false, "/fs/real/a"},
		"up within what is his":       {[]string{"/fs", "/fs/deep", "/fs/real"}, links{"/fs/deep/x": "../real"}, "/fs/deep/x/a", false, "/fs/real/a"},
		"to a folder of root's in it": {[]string{"/fs"}, links{"/fs/x": "keys"}, "/fs/x/a", true, ""},
		"through one to root's in it": {[]string{"/fs", "/fs/real"}, links{"/fs/x": "real"}, "/fs/x/keys/a", true, ""},
		"by dot dot to root's in it":  {[]string{"/fs", "/fs/keys/his"}, links{"/fs/keys/his/x": "../a"}, "/fs/keys/his/x", true, ""},
		"root's link into it":         {[]string{"/fs", "/fs/real"}, links{"/etc/fs": "/fs/real"}, "/etc/fs/a", false, "/fs/real/a"},
		"root's link, then another":   {[]string{"/fs"}, links{"/etc/fs": "/fs/x", "/fs/x": "/etc/profile.d"}, "/etc/fs/evil.sh", true, ""},
		"a link to such a link":       {[]string{"/fs"}, links{"/fs/y": "x", "/fs/x": "/etc/profile.d"}, "/fs/y/evil.sh", true, ""},
		"the file itself":             {[]string{"/fs"}, links{"/fs/vars.xml": "/etc/shadow"}, "/fs/vars.xml", true, ""},
		"a file in the outermost":     {[]string{"/fs"}, links{"/fs/vars.xml": "/swapfile"}, "/fs/vars.xml", true, ""},
		"a file beside it":            {[]string{"/fs", "/fs/real"}, links{"/fs/vars.xml": "real/a"}, "/fs/vars.xml", false, "/fs/real/a"},
		"a real folder of root's":     {[]string{"/fs"}, nil, "/fs/keys/a", false, "/fs/keys/a"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, root := tree(t)
			for _, p := range []string{"/etc/profile.d/evil.sh", "/etc/shadow", "/swapfile", "/fs/real/a", "/fs/real/keys/a", "/fs/keys/a", "/fs/deep/a"} {
				write(t, root, p, p)
			}
			for _, dir := range tt.away {
				givenAway(t, root, dir)
			}
			for at, target := range tt.links {
				link(t, root, at, target)
			}
			got, err := h.Canonical(tt.path)
			b, readErr := h.ReadFile(tt.path)
			var unsafe *UnsafeError
			if tt.unsafe {
				if !errors.As(err, &unsafe) || !errors.As(readErr, &unsafe) || h.Exists(tt.path) {
					t.Errorf("leads to %q, %v; read %q, %v", got, err, b, readErr)
				} else if !strings.Contains(err.Error(), tt.path) || !strings.Contains(err.Error(), "->") {
					t.Errorf("the error does not name the path and the link: %v", err)
				}
				return
			}
			if err != nil || got != tt.lands || readErr != nil || string(b) != tt.lands {
				t.Errorf("leads to %q, %v; read %q, %v; want %s", got, err, b, readErr, tt.lands)
			}
		})
	}
}

// A folder is looked at, and before it is written to its owner puts a link there.
func TestASwappedFolder(t *testing.T) {
	operations := map[string]func(h *Host) error{
		"put":    func(h *Host) error { return h.Put("/fs/x/evil.sh", NewFile([]byte("mine"), 0o755)) },
		"link":   func(h *Host) error { return h.Put("/fs/x/evil.sh", NewSymlink("/x")) },
		"folder": func(h *Host) error { return h.Put("/fs/x/profile.d", Node{Kind: Folder, Mode: 0o777}) },
		"remove": func(h *Host) error { return h.Put("/fs/x/theirs", Node{Kind: Absent}) },
		"move":   func(h *Host) error { return h.MoveAll(Move{"/fs/x/theirs", "/fs/x/gone"}) },
		"rename": func(h *Host) error { return h.Rename("/fs/x/theirs", "/fs/x/gone") },
		"sweep":  func(h *Host) error { return h.Sweep("/fs/x") },
		"list":   func(h *Host) error { _, err := h.ReadDir("/fs/x"); return err },
		"lookup": func(h *Host) error { _, err := h.Lookup("/fs/x/theirs"); return err },
		"glance": func(h *Host) error { _, err := h.Glance("/fs/x/theirs"); return err },
		"peek":   func(h *Host) error { _, err := h.Peek("/fs/x/theirs", 0, 9); return err },
		"tail":   func(h *Host) error { _, err := h.Tail("/fs/x/theirs", 9); return err },
		"inode":  func(h *Host) error { _, err := h.Inode("/fs/x/theirs"); return err },
		"lock":   func(h *Host) error { _, err := h.Lock(t.Context(), "/fs/x"); return err },
	}
	for name, do := range operations {
		for _, looked := range []bool{false, true} {
			h, root := tree(t)
			write(t, root, "/etc/cron.d/theirs", "theirs")
			write(t, root, "/etc/cron.d/."+"x"+tempMark+"ABCDEFGHIJ", "theirs")
			write(t, root, "/fs/x/evil.sh", "old")
			givenAway(t, root, "/fs")
			if looked {
				if _, err := h.Lookup("/fs/x/evil.sh"); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Rename(filepath.Join(root, "fs/x"), filepath.Join(root, "fs/y")); err != nil {
				t.Fatal(err)
			}
			link(t, root, "/fs/x", "/etc/cron.d")
			err := do(h)
			var unsafe *UnsafeError
			if !looked && !errors.As(err, &unsafe) {
				t.Errorf("%s: %v", name, err)
			}
			if got := names(t, filepath.Join(root, "etc/cron.d")); len(got) != 2 || content(t, filepath.Join(root, "etc/cron.d/theirs")) != "theirs" {
				t.Errorf("%s (looked before: %v) changed /etc/cron.d, which holds %q", name, looked, got)
			}
		}
	}
}

// In a user's folder no folder changes its owner or is opened: he may have put
// another there.
func TestAFolderThatWasPutInPlaceOfAnother(t *testing.T) {
	h, root := tree(t)
	givenAway(t, root, "/fs")
	keys := folder(t, root, "/fs/log")
	write(t, root, "/fs/log/key", "x")
	if err := os.Chmod(keys, 0o700); err != nil {
		t.Fatal(err)
	}
	n, err := h.Lookup("/fs/log")
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return // nothing is anybody's but ours
	}
	for name, change := range map[string]func(*Node){
		"opened":     func(n *Node) { n.Mode = 0o755 },
		"given away": func(n *Node) { n.UID = 997 },
		"regrouped":  func(n *Node) { n.GID = 997 },
	} {
		want := n
		change(&want)
		if err := h.Put("/fs/log", want); err == nil || !strings.Contains(err.Error(), "chmod it yourself") {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := h.Lookup("/fs/log"); err != nil || got.Mode != n.Mode || got.UID != n.UID || got.GID != n.GID {
			t.Errorf("%s: it is %+v, %v", name, got, err)
		}
	}
	n.Mode = 0o500
	if err := h.Put("/fs/log", n); err != nil {
		t.Errorf("closed: %v", err)
	}
	if err := h.MoveAll(Move{"/fs/log/key", "/fs/log/gone"}); err == nil || !strings.Contains(err.Error(), "is root's") {
		t.Errorf("a file in root's folder in his was moved: %v", err)
	}
}

// Whoever may make names in /tmp makes no link for root there.
func TestAStickyFolder(t *testing.T) {
	testenv.Root(t) // a link of another user
	h, root := tree(t)
	write(t, root, "/etc/shadow", "root:*")
	if err := os.Chmod(folder(t, root, "/tmp"), 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	ours := link(t, root, "/tmp/ours", "/etc/shadow")
	theirs := link(t, root, "/tmp/theirs", "/etc/shadow")
	if err := errors.Join(os.Lchown(ours, 0, 0), os.Lchown(theirs, 997, 997)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ReadFile("/tmp/ours"); err != nil {
		t.Error(err)
	}
	var unsafe *UnsafeError
	if _, err := h.ReadFile("/tmp/theirs"); !errors.As(err, &unsafe) {
		t.Errorf("read: %v", err)
	}
}

// However many folders are walked, few are open at a time.
func TestDescriptorsDoNotGrow(t *testing.T) {
	h, root := tree(t)
	open := func() int { return len(names(t, "/proc/self/fd")) }
	before := open()
	for i := range 4 * maxOpen {
		p := filepath.Join("/a", string(rune('a'+i%26)), string(rune('a'+i/26)), "f")
		write(t, root, p, "x")
		if _, err := h.Lookup(p); err != nil {
			t.Fatal(err)
		}
		if err := h.Put(p, NewFile([]byte("y"), 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := h.ReadDir(filepath.Dir(p)); err != nil {
			t.Fatal(err)
		}
		if _, err := h.ReadFile(p); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Peek(filepath.Dir(p), 0, 1); err == nil {
			t.Fatal("a folder was read as a file")
		}
	}
	if grown := open() - before; grown > 2*maxOpen { // other tests are at work as well
		t.Errorf("%d more descriptors are open", grown)
	}
	if got := len(h.fds.below); got > maxOpen+10 {
		t.Errorf("%d folders are kept open", got)
	}
}

// One operation on a thousand files opens their folder once, and syncs it once.
func TestAThousandMoves(t *testing.T) {
	h, root := tree(t)
	var moves []Move
	for i := range 1000 {
		p := fmt.Sprintf("/log/cdr/%d", i)
		write(t, root, p, "x")
		moves = append(moves, Move{p, AsideName("/log/x")})
	}
	before := len(h.fds.below)
	if err := h.MoveAll(moves...); err != nil {
		t.Fatal(err)
	}
	if opened := len(h.fds.below) - before; opened > 10 {
		t.Errorf("%d folders were opened", opened)
	}
	var folders []Placed
	for i := range 300 {
		folder(t, root, fmt.Sprintf("/log/d/%d", i))
		folders = append(folders, Placed{Path: fmt.Sprintf("/log/d/%d", i), Node: Node{Kind: Absent}})
	}
	before = len(h.fds.below)
	if err := h.PutAll(folders...); err != nil {
		t.Fatal(err)
	}
	if opened := len(h.fds.below) - before; opened > 10 {
		t.Errorf("%d folders were opened to remove some", opened)
	}
}
