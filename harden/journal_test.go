package harden

import (
	"os"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// A run that fails puts back what it changed, and touches nothing else: on a
// file system that has become read-only it could not.
func TestUndoLeavesAloneWhatWasNotReached(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	h := tr.runner().Host
	text := map[string]string{"/root/changed": "a", "/root/twice": "a", "/root/not-reached": "a"}
	before := map[string]os.FileInfo{}
	var entries []entry
	for path, content := range text {
		tr.write(path, content)
		info, err := os.Stat(tr.path(path))
		if err != nil {
			t.Fatal(err)
		}
		before[path] = info
		n, err := h.Lookup(path)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{Path: path, Before: n, After: host.NewFile([]byte("b"), 0o600)})
	}
	if err := h.Put("/var/lib/fs-harden", host.Node{Kind: host.Folder, Mode: 0o700}); err != nil {
		t.Fatal(err)
	}
	j := newJournal(h, nil, 0)
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
	again := []entry{
		{Path: "/root/twice", Before: made, After: host.NewFile([]byte("a"), 0o600)},
		// It came and went: as it was, and yet the later entry is undone first.
		{Path: "/root/short-lived", Before: host.Node{Kind: host.Absent}, After: made},
		{Path: "/root/short-lived", Before: made, After: host.Node{Kind: host.Absent}},
	}
	if err := j.record("second", again); err != nil {
		t.Fatal(err)
	}
	if err := j.undo(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(tr.path("/root/short-lived")); err == nil {
		t.Error("what was not there before is there now")
	}
	for path, content := range text {
		if got := tr.read(path); got != content {
			t.Errorf("%s holds %q", path, got)
		}
		info, err := os.Stat(tr.path(path))
		if err != nil {
			t.Fatal(err)
		}
		if written := !os.SameFile(info, before[path]); written != (path != "/root/not-reached") {
			t.Errorf("%s was written: %v", path, written)
		}
	}
}
