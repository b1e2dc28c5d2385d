package harden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// vanilla is FreeSWITCH's own configuration, 1.10.12.
const vanilla = "../../shared/data/vanilla-conf-1.10.12"

// tree is a machine's file system, unpacked, with a vanilla FreeSWITCH.
type tree struct {
	t   testing.TB
	dir string
}

const testInstance = "i-0123456789abcdef0"

// newTree is a tree whose FreeSWITCH speaks English alone: the other languages are
// half of the configuration's bytes, and would be read at every step.
func newTree(t testing.TB) tree {
	t.Helper()
	tr := wholeTree(t)
	for _, language := range []string{"de", "es", "fr", "he", "pt", "ru", "sv"} {
		tr.remove("/etc/freeswitch/lang/" + language)
	}
	return tr
}

// wholeTree is a tree with all of the vanilla configuration.
func wholeTree(t testing.TB) tree {
	t.Helper()
	tr := tree{t, memory(t)}
	if err := os.CopyFS(tr.path("/etc/freeswitch"), os.DirFS(vanilla)); err != nil {
		t.Fatalf("copying the vanilla configuration: %v", err)
	}
	// shared/ is read-only, and so are copies of its files.
	_ = filepath.WalkDir(tr.path("/etc/freeswitch"), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		mode := fs.FileMode(0o640)
		if d.IsDir() {
			mode = 0o750
		}
		return os.Chmod(p, mode)
	})
	tr.write("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n")
	uid, gid := adminID()
	tr.write("/etc/passwd", fmt.Sprintf("root:x:0:0:root:/root:/bin/bash\nadmin:x:%d:%d::/home/admin:/bin/sh\n", uid, gid))
	tr.write("/lib/systemd/system/freeswitch.service", "[Service]\nExecStart=/usr/bin/freeswitch\n")
	tr.write("/home/admin/.profile", "")
	for _, dir := range []string{"/root", "/var/lib", "/usr/local/sbin", "/etc/systemd/system/multi-user.target.wants", "/run/cloud-init"} {
		if err := os.MkdirAll(tr.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"/home/admin", "/home/admin/.profile"} {
		if err := os.Chown(tr.path(p), uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	tr.instance(testInstance)
	return tr
}

// adminID is who admin is: never root, or no test would see whose file is whose.
// An ordinary user can give files to nobody but himself.
func adminID() (uid, gid int) {
	if os.Getuid() == 0 {
		return 1000, 1000
	}
	return os.Getuid(), os.Getgid()
}

func (tr tree) path(p string) string { return filepath.Join(tr.dir, p) }

func (tr tree) write(p, text string) {
	tr.t.Helper()
	if err := os.MkdirAll(filepath.Dir(tr.path(p)), 0o755); err != nil {
		tr.t.Fatal(err)
	}
	if err := os.WriteFile(tr.path(p), []byte(text), 0o644); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr tree) read(p string) string {
	tr.t.Helper()
	b, err := os.ReadFile(tr.path(p))
	if err != nil {
		tr.t.Fatal(err)
	}
	return string(b)
}

func (tr tree) remove(p string) {
	tr.t.Helper()
	if err := os.RemoveAll(tr.path(p)); err != nil {
		tr.t.Fatal(err)
	}
}

// instance makes cloud-init say which instance this tree runs as.
func (tr tree) instance(id string) { tr.write("/run/cloud-init/.instance-id", id+"\n") }

// copy is the same tree once more, to the last mode.
func (tr tree) copy(t testing.TB) tree {
	t.Helper()
	other := tree{t, memory(t)}
	if out, err := exec.Command("cp", "-a", tr.dir+"/.", other.dir).CombinedOutput(); err != nil {
		t.Fatalf("copying a tree: %v %s", err, out)
	}
	return other
}

// memory is a temporary folder on no disk, where the machine has one (tmpfs(5)):
// a hundred trees, every file of them synced, are no work for a disk.
func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "fs-harden-test")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// bootedAt makes /proc tell of a boot at that time.
func (tr tree) bootedAt(at time.Time) {
	tr.write("/proc/stat", fmt.Sprintf("cpu 1 2 3\nbtime %d\nprocesses 9\n", at.Unix()))
	tr.write("/proc/1/stat", "1 (systemd) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 50 1 2\n")
}

func (tr tree) runner() *Runner {
	tr.t.Helper()
	h, err := host.Open(tr.dir, nil)
	if err != nil {
		tr.t.Fatal(err)
	}
	return &Runner{Host: h, Out: silent{}, Steps: Steps(), program: "testdata/program"}
}

func (tr tree) apply() *report.Report {
	tr.t.Helper()
	p := plan.Default()
	p.AdminUsers = []string{"admin"}
	rep, err := tr.runner().Apply(context.Background(), p, nil)
	if err != nil {
		tr.t.Fatalf("apply: %v", err)
	}
	return rep
}

func (tr tree) firstboot() *report.Report {
	tr.t.Helper()
	rep, err := tr.runner().FirstBoot(context.Background())
	if err != nil {
		tr.t.Fatalf("firstboot: %v", err)
	}
	return rep
}

// secrets are the two passwords that FreeSWITCH would read now.
func (tr tree) secrets() (sip, esl string) {
	tr.t.Helper()
	m := &Machine{View: host.NewView(tr.runner().Host), Plan: plan.Default(), ConfDir: "/etc/freeswitch"}
	c, err := m.Config()
	if err != nil {
		tr.t.Fatal(err)
	}
	return currentSIP(c).Reveal(), currentESL(c).Reveal()
}

// snapshot is everything about every path that a person could notice, times of
// folders apart.
func (tr tree) snapshot() map[string]string {
	tr.t.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(tr.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		text, err := described(p)
		seen[strings.TrimPrefix(p, tr.dir)] = text
		return err
	})
	if err != nil {
		tr.t.Fatal(err)
	}
	return seen
}

// described is a path's mode, owner, attributes, time and content.
func described(p string) (string, error) {
	info, err := os.Lstat(p)
	if err != nil {
		return "", err
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("%s %d:%d", info.Mode(), st.Uid, st.Gid)
	names := make([]byte, 4096)
	n, err := unix.Llistxattr(p, names)
	if err != nil && !errors.Is(err, unix.ENOTSUP) {
		return "", err
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:max(n, 0)]), "\x00"), "\x00") {
		if name == "" {
			continue
		}
		value := make([]byte, 4096)
		n, err := unix.Lgetxattr(p, name, value)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(" %s=%q", name, value[:n])
	}
	switch {
	case info.IsDir():
		return text, nil
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(p)
		return text + " -> " + target, err
	}
	b, err := os.ReadFile(p)
	return fmt.Sprintf("%s %s\n%s", text, info.ModTime().Format("15:04:05.000000000"), b), err
}

// differences names the paths in which two snapshots differ.
func differences(a, b map[string]string) []string {
	var out []string
	for p, v := range a {
		switch w, ok := b[p]; {
		case !ok:
			out = append(out, "gone: "+p)
		case v != w:
			out = append(out, "changed: "+p)
		}
	}
	for p := range b {
		if _, ok := a[p]; !ok {
			out = append(out, "new: "+p)
		}
	}
	return out
}

type silent struct{}

func (silent) Begin(string)    {}
func (silent) End(report.Step) {}
