package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// change is what putChild does in its folder.
type change struct {
	Path string
	Node Node
}

// strace counts a thread's calls, so the child keeps to the thread it begins on.
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
	return h.Put(c.Path, c.Node)
}

// A process that is killed at any of its system calls leaves the old or the new
// and nothing between, under the name that counts; what else it leaves is swept.
func TestKilledAtEverySystemCall(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is not installed: this test is what shows that a kill does no harm")
		}
		t.Skip("strace is not installed")
	}
	file := Node{Kind: File, Data: bytes.Repeat([]byte("old\n"), 5000), Mode: 0o640, UID: os.Getuid(), GID: os.Getgid(), ModTime: time.Unix(1e9, 5)}
	changed := file
	changed.Data, changed.Mode, changed.ModTime = bytes.Repeat([]byte("new\n"), 6000), 0o600, time.Unix(1e9, 7)
	symlink := func(to string) Node {
		return Node{Kind: Symlink, Target: to, UID: os.Getuid(), GID: os.Getgid(), ModTime: time.Unix(1e9, 9)}
	}
	// The calls that change a file system, or make the change durable.
	write := []string{"openat", "write", "fchmod", "utimensat", "fsync", "renameat"}
	if os.Geteuid() == 0 {
		write = append(write, "fchown")
	}
	tests := map[string]struct {
		old, new Node
		calls    []string
	}{
		"a file is replaced": {file, changed, write},
		"a file appears":     {Node{Kind: Absent}, file, write},
		"a file goes":        {file, Node{Kind: Absent}, []string{"unlinkat", "fsync"}},
		"a link is replaced": {symlink("/old"), symlink("/new"), []string{"symlinkat", "utimensat", "renameat", "fsync"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := map[bool]int{} // was it the new?
			for _, call := range tt.calls {
				n := 1
				for ; kill(t, tt.old, tt.new, call, n, found); n++ {
				}
				if n == 1 {
					t.Errorf("%s was never called: the test looks past something", call)
				}
			}
			if found[true] == 0 || found[false] == 0 {
				t.Errorf("killed, the old was found %d times, the new %d times: the kills hit somewhere else", found[false], found[true])
			}
		})
	}
}

// kill goes from old to new, killed at the nth time that call is made, and looks
// at what is there then. It tells whether it came to that.
func kill(t *testing.T, old, new Node, call string, n int, found map[bool]int) (killed bool) {
	t.Helper()
	const name = "/d/vars.xml"
	dir := t.TempDir()
	folder(t, dir, "root/d")
	h := open(t, filepath.Join(dir, "root"))
	if err := h.Put(name, old); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(change{name, new})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "change.json", string(b))
	killed = runAndKill(t, dir, call, n)

	got, err := h.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	switch isNew := same(got, new); {
	case !killed && !isNew:
		t.Fatal("the run got through, and nothing came of it")
	case !isNew && !same(got, old):
		t.Fatalf("killed at %s %d: it is neither the old nor the new: %s, %v, %d bytes, %v, -> %q", call, n, got.Kind, got.Mode, len(got.Data), got.ModTime, got.Target)
	case killed:
		found[isNew]++
	}
	if err := h.Sweep("/d"); err != nil {
		t.Fatal(err)
	}
	for _, left := range names(t, filepath.Join(dir, "root/d")) {
		if left != "vars.xml" {
			t.Errorf("killed at %s %d: swept, and still there: %q", call, n, left)
		}
	}
	return killed
}

// runAndKill starts the child, to be killed as it makes call for the nth time.
func runAndKill(t *testing.T, dir, call string, n int) (killed bool) {
	t.Helper()
	binary, err := os.Executable() // not /proc/self/exe, which is strace's for strace
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(dir, "trace")
	cmd := exec.Command("strace", "-f", "-qq", "-o", trace, "-e", "trace="+call,
		"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n), binary)
	cmd.Dir, cmd.Env = dir, child("put", dir).Env
	out, err := cmd.CombinedOutput()
	if err != nil && !strings.Contains(content(t, trace), "killed by SIGKILL") {
		t.Fatalf("strace: %v: %s", err, out)
	}
	return err != nil
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
