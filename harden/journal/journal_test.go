package journal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// A run that fails puts back what it changed, and touches nothing else: on a
// file system that has become read-only it could not.
func TestUndoLeavesAloneWhatWasNotReached(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	h, err := host.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.PutAll(
		host.Placed{Path: "/root", Node: host.Node{Kind: host.Folder, Mode: 0o755}},
		host.Placed{Path: "/var", Node: host.Node{Kind: host.Folder, Mode: 0o755}},
		host.Placed{Path: "/var/lib", Node: host.Node{Kind: host.Folder, Mode: 0o755}},
		host.Placed{Path: state.Dir, Node: host.Node{Kind: host.Folder, Mode: 0o700}},
	); err != nil {
		t.Fatal(err)
	}
	text := map[string]string{"/root/changed": "a", "/root/twice": "a", "/root/not-reached": "a"}
	before := map[string]os.FileInfo{}
	var entries []Entry
	for path, content := range text {
		if err := h.Put(path, host.NewFile([]byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		before[path] = info
		n, err := h.Lookup(path)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, Entry{Path: path, Before: n, After: host.NewFile([]byte("b"), 0o600)})
	}
	j := New(h, nil, 0)
	if err := j.record("first", entries); err != nil {
		t.Fatal(err)
	}
	// One was changed, one was changed twice and has its first content again, and
	// one was not reached.
	for path, content := range map[string]string{"/root/changed": "b", "/root/twice": "a"} {
		if err := h.Put(path, host.NewFile([]byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	made := host.NewFile([]byte("b"), 0o600)
	again := []Entry{
		{Path: "/root/twice", Before: made, After: host.NewFile([]byte("a"), 0o600)},
		// It came and went: as it was, and yet the later entry is undone first.
		{Path: "/root/short-lived", Before: host.Node{Kind: host.Absent}, After: made},
		{Path: "/root/short-lived", Before: made, After: host.Node{Kind: host.Absent}},
	}
	if err := j.record("second", again); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Undo(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(root, "/root/short-lived")); err == nil {
		t.Error("what was not there before is there now")
	}
	for path, content := range text {
		if got, err := h.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("%s holds %q, %v", path, got, err)
		}
		info, err := os.Stat(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if written := !os.SameFile(info, before[path]); written != (path != "/root/not-reached") {
			t.Errorf("%s was written: %v", path, written)
		}
	}
}
