package host

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// What is the same is not written; what is not, is.
func TestSame(t *testing.T) {
	t.Parallel()
	file := Node{Kind: File, Data: []byte("x"), Mode: 0o640, UID: 1, GID: 2}
	with := func(change func(*Node)) Node {
		n := file
		change(&n)
		return n
	}
	isRoot := os.Geteuid() == 0 // nobody else gives a file away
	for name, tt := range map[string]struct {
		before, after Node
		want          bool
	}{
		"a file":               {file, file, true},
		"another time":         {with(func(n *Node) { n.ModTime = long }), file, true},
		"other content":        {with(func(n *Node) { n.Data = []byte("y") }), file, false},
		"another mode":         {with(func(n *Node) { n.Mode = 0o644 }), file, false},
		"another owner":        {with(func(n *Node) { n.UID = 3 }), file, !isRoot},
		"another group":        {with(func(n *Node) { n.GID = 3 }), file, !isRoot},
		"nothing":              {Node{Kind: Absent}, Node{Kind: Absent}, true},
		"nothing yet":          {Node{Kind: Absent}, file, false},
		"a link":               {NewSymlink("/x"), NewSymlink("/x"), true},
		"a link elsewhere":     {NewSymlink("/x"), NewSymlink("/y"), false},
		"a link of the target": {NewSymlink(""), NewFile(nil, 0), false},
		"a folder":             {Node{Kind: Folder, Mode: 0o700}, Node{Kind: Folder, Mode: 0o700}, true},
		"a folder, open":       {Node{Kind: Folder, Mode: 0o755}, Node{Kind: Folder, Mode: 0o700}, false},
		"a folder of another":  {Node{Kind: Folder, Mode: 0o700, UID: 3}, Node{Kind: Folder, Mode: 0o700}, !isRoot},
	} {
		if got := Same(tt.before, tt.after); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Who owns a folder may put another file in the place of ours, between the rename
// and the look at what stands there then.
func TestWhatStandsThereIsTheFileThatWasWritten(t *testing.T) {
	t.Parallel()
	for _, swapped := range []bool{false, true} {
		h, root := tree(t)
		givenAway(t, root, "/d")
		write(t, root, "/d/f", "ours")
		at, err := h.beside("/d/f")
		if err != nil {
			t.Fatal(err)
		}
		fd, err := openat(at.dir.fd, "f", unix.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if swapped {
			write(t, root, "/d/theirs", "theirs")
			if err := os.Rename(root+"/d/theirs", root+"/d/f"); err != nil {
				t.Fatal(err)
			}
		}
		if err := at.holds(fd); errors.Is(err, errSwapped) != swapped || (err != nil) != swapped {
			t.Errorf("swapped: %t, %v", swapped, err)
		}
	}
}
