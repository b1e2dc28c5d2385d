package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// children are what this test binary does when it is started again by a test,
// as a process that may be killed, starved of disk or stripped of privileges.
var children = map[string]func() error{
	"put":    putChild,
	"starve": starveChild,
	"refuse": refuseChild,
}

// childEnv says which of the children to be.
const childEnv = "FS_HARDEN_HOST_TEST_CHILD"

func TestMain(m *testing.M) {
	be, ok := children[os.Getenv(childEnv)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := be(); err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

// child is the command that runs one of the children in dir. The binary is
// named through /proc: its folder is closed to other users.
func child(name, dir string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Dir = dir
	cmd.Env = []string{childEnv + "=" + name, "GORACE=atexit_sleep_ms=0"}
	return cmd
}

// tree is an empty machine below a folder of its own.
func tree(t *testing.T) (h *Host, root string) {
	t.Helper()
	root = t.TempDir()
	return open(t, root), root
}

func open(t *testing.T, root string) *Host {
	t.Helper()
	h, err := Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// write makes a file of the tree, and its folders, not through Host.
func write(t *testing.T, root, name, content string) string {
	t.Helper()
	p := folder(t, root, filepath.Dir(name))
	p = filepath.Join(p, filepath.Base(name))
	if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func folder(t *testing.T, root, name string) string {
	t.Helper()
	p := filepath.Join(root, name)
	if err := os.MkdirAll(p, 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func link(t *testing.T, root, name, target string) string {
	t.Helper()
	p := filepath.Join(folder(t, root, filepath.Dir(name)), filepath.Base(name))
	if err := os.Symlink(target, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func content(t *testing.T, p string) string {
	t.Helper()
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// names lists a folder, temporary files included.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.Name()
	}
	return out
}
