package host

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
	"time"
)

// change is what putChild does in its folder: it puts, and then it moves.
type change struct {
	Put  []Placed
	Move []Move
}

// A tracer follows one thread, so the child keeps to the one it begins on.
func init() {
	if os.Getenv(childEnv) == "put" {
		runtime.LockOSThread()
	}
}

// putChild does the change that lies in change.json.
func putChild() error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	b, err := os.ReadFile("change.json")
	if err != nil {
		return err
	}
	var c change
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	h, err := Open(filepath.Join(dir, "root"), nil)
	if err != nil {
		return err
	}
	if err := h.PutAll(c.Put...); err != nil {
		return err
	}
	return h.MoveAll(c.Move...)
}

// toDo writes change.json for putChild.
func toDo(t *testing.T, dir string, c change) {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "change.json", string(b))
}

// A process that is killed before any of its calls to the kernel leaves the old or
// the new and nothing between, under the name that counts; what else it leaves is
// swept.
func TestKilledAtEverySystemCall(t *testing.T) {
	file := Node{Kind: File, Data: bytes.Repeat([]byte("old\n"), 5000), Mode: 0o640, UID: os.Getuid(), GID: os.Getgid(), ModTime: time.Unix(1e9, 5)}
	changed := file
	changed.Data, changed.Mode, changed.ModTime = bytes.Repeat([]byte("new\n"), 6000), 0o600, time.Unix(1e9, 7)
	symlink := func(to string) Node {
		return Node{Kind: Symlink, Target: to, UID: os.Getuid(), GID: os.Getgid(), ModTime: time.Unix(1e9, 9)}
	}
	for name, tt := range map[string]struct {
		old, new Node
		calls    int // at least
	}{
		"a file is replaced": {file, changed, 7},
		"a file appears":     {Node{Kind: Absent}, file, 7},
		"a file goes":        {file, Node{Kind: Absent}, 2},
		"a link is replaced": {symlink("/old"), symlink("/new"), 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := map[bool]int{} // was it the new?
			n := 1
			for kill(t, tt.old, tt.new, n, found) {
				n++
			}
			if n <= tt.calls {
				t.Errorf("killed at %d calls, and there are %d: the test looks past something", n-1, tt.calls)
			}
			if found[true] == 0 || found[false] == 0 {
				t.Errorf("killed, the old was found %d times, the new %d times: the kills hit somewhere else", found[false], found[true])
			}
		})
	}
}

// kill goes from old to new, killed before the nth call, and looks at what is
// there then. It tells whether it came to that.
func kill(t *testing.T, old, new Node, n int, found map[bool]int) (killed bool) {
	t.Helper()
	const name = "/d/vars.xml"
	dir := t.TempDir()
	folder(t, dir, "root/d")
	h := open(t, filepath.Join(dir, "root"))
	if err := h.Put(name, old); err != nil {
		t.Fatal(err)
	}
	toDo(t, dir, change{Put: []Placed{{Path: name, Node: new}}})
	calls, killed := traceChild(t, "put", dir, n)
	got, err := h.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	switch isNew := same(got, new); {
	case !killed && !isNew:
		t.Fatal("the run got through, and nothing came of it")
	case !isNew && !same(got, old):
		t.Fatalf("killed before the last of %q: it is neither the old nor the new: %s, %v, %d bytes, %v, -> %q", calls, got.Kind, got.Mode, len(got.Data), got.ModTime, got.Target)
	case killed:
		found[isNew]++
	}
	if err := h.Sweep("/d"); err != nil {
		t.Fatal(err)
	}
	for _, left := range names(t, filepath.Join(dir, "root/d")) {
		if left != "vars.xml" {
			t.Errorf("killed before the last of %q: swept, and still there: %q", calls, left)
		}
	}
	return killed
}

func same(a, b Node) bool {
	if a.Kind == Absent || b.Kind == Absent {
		return a.Kind == b.Kind
	}
	if !a.ModTime.Equal(b.ModTime) {
		return false
	}
	a.ModTime, b.ModTime = time.Time{}, time.Time{}
	a.Xattrs, b.Xattrs = nil, nil // a label that the system adds is not ours
	return reflect.DeepEqual(a, b)
}
