package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is durable when, and who may read what is not yet in its place: a file is
// new, closed and followed by no link; it has its content, owner, mode and time,
// and is synced, before it gets its name; its folder is synced after that.
func TestDurable(t *testing.T) {
	uid, gid := os.Getuid(), os.Getgid()
	at := time.Unix(1e9, 5)
	chown := func(p string) string { return fmt.Sprintf("chown %s %d:%d", p, uid, gid) }
	file := Node{Kind: File, Data: []byte("x"), Mode: 0o644, UID: uid, GID: gid, ModTime: at}
	for name, tt := range map[string]struct {
		change change
		want   []string
	}{
		"a file": {
			change{Put: []Placed{{Path: "/d/f", Node: file}}},
			[]string{
				"create /d/TEMP EXCL|NOFOLLOW 0600", "write /d/TEMP", chown("/d/TEMP"), "chmod /d/TEMP 0644", "time /d/TEMP",
				"sync /d/TEMP", "rename /d/TEMP /d/f", "sync /d",
			},
		},
		"a file whose time is now": {
			change{Put: []Placed{{Path: "/d/f", Node: Node{Kind: File, Data: []byte("x"), Mode: 0o600, UID: uid, GID: gid}}}},
			[]string{
				"create /d/TEMP EXCL|NOFOLLOW 0600", "write /d/TEMP", chown("/d/TEMP"), "chmod /d/TEMP 0600",
				"sync /d/TEMP", "rename /d/TEMP /d/f", "sync /d",
			},
		},
		"a link": {
			change{Put: []Placed{{Path: "/d/l", Node: Node{Kind: Symlink, Target: "/x", UID: uid, GID: gid, ModTime: at}}}},
			[]string{"symlink /d/TEMP", "time /d/TEMP", "rename /d/TEMP /d/l", "sync /d"},
		},
		"a folder": {
			change{Put: []Placed{{Path: "/d/sub", Node: Node{Kind: Folder, Mode: 0o755, UID: uid, GID: gid}}}},
			[]string{"mkdir /d/sub 0700", chown("/d/sub"), "chmod /d/sub 0755", "sync /d/sub", "sync /d"},
		},
		"something goes": {
			change{Put: []Placed{{Path: "/d/old", Node: Node{Kind: Absent}}}},
			[]string{"unlink /d/old", "sync /d"},
		},
		"what goes is not there": {
			change{Put: []Placed{{Path: "/d/none", Node: Node{Kind: Absent}}}},
			[]string{"unlink /d/none"},
		},
		"a folder of several is synced once, at the end": {
			change{Put: []Placed{{Path: "/d/old", Node: Node{Kind: Absent}}, {Path: "/e/old", Node: Node{Kind: Absent}}, {Path: "/d/l", Node: Node{Kind: Symlink, Target: "/x", UID: uid, GID: gid}}}},
			[]string{"unlink /d/old", "unlink /e/old", "symlink /d/TEMP", "rename /d/TEMP /d/l", "sync /d", "sync /e"},
		},
		"a move": {
			change{Move: []Move{{"/d/old", "/d/new"}}},
			[]string{"rename /d/old /d/new", "sync /d"},
		},
		"a move to another folder": {
			change{Move: []Move{{"/d/old", "/e/new"}}},
			[]string{"rename /d/old /e/new", "sync /d", "sync /e"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, "root/d/old", "")
			write(t, dir, "root/e/old", "")
			toDo(t, dir, tt.change)
			got, _ := traceChild(t, "put", dir, 0)
			want := tt.want
			if os.Geteuid() != 0 { // a tree unpacked by a user stays that user's
				want = slices.DeleteFunc(slices.Clone(want), func(s string) bool { return strings.HasPrefix(s, "chown ") })
			}
			if !slices.Equal(got, want) {
				t.Errorf("the kernel was asked for\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
			}
			if left := names(t, filepath.Join(dir, "root/d")); slices.ContainsFunc(left, func(s string) bool { return strings.Contains(s, tempMark) }) {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}
