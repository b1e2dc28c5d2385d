//go:build linux && acceptance

package acctest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// writing are the system calls that change a file system, or make a change
// durable. Of openat only those count that open for writing.
var writing = []string{"openat", "write", "fsync", "renameat", "unlinkat", "mkdirat", "symlinkat", "fchmod", "fchown", "utimensat"}

var forWriting = regexp.MustCompile(`O_WRONLY|O_RDWR|O_CREAT`)

// count gives the numbers of the calls that write, in a run on a copy. The helper
// writes on its first thread alone, and that is the one that strace looks at.
func (tr tree) count(command, call string) []int {
	tr.t.Helper()
	c := tr.copy()
	defer c.remove()
	trace := filepath.Join(filepath.Dir(tr.base), "trace-"+command+call)
	if out, err := exec.Command("strace", "-o", trace, "-e", "trace="+call, "-e", "signal=none", tr.helper, command, "--root", c.dir).CombinedOutput(); err != nil {
		tr.t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(trace)
	if err != nil {
		tr.t.Fatal(err)
	}
	var out []int
	n := 0
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, call+"(") {
			continue
		}
		n++
		if call != "openat" || forWriting.MatchString(line) {
			out = append(out, n)
		}
	}
	return out
}

// signalAt builds the program of that name, once.
var signalAt = sync.OnceValues(func() (string, error) {
	program, err := filepath.Abs("../.build/signalat")
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "build", "-o", program, "./signalat").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building signalat: %w\n%s", err, out)
	}
	return program, nil
})

// at is a run of a command to which a signal is sent as it makes call for the
// nth time.
func (tr tree) at(command, call string, n int, signal string) *exec.Cmd {
	tr.t.Helper()
	program, err := signalAt()
	if err != nil {
		tr.t.Fatal(err)
	}
	return exec.Command(program, signal, call, strconv.Itoa(n), tr.helper, command, "--root", tr.dir)
}

// kill tells whether it came to that: Go's runtime makes a write or two of its
// own, not in every run.
func (tr tree) kill(command, call string, n int) bool {
	tr.t.Helper()
	cmd := tr.at(command, call, n, "KILL")
	const killed = 128 + 9
	switch err := cmd.Run(); {
	case err == nil:
		return false
	case cmd.ProcessState.ExitCode() != killed:
		tr.t.Errorf("it was not killed at %s %d: %v", call, n, err)
	}
	return true
}
