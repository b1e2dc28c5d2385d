package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// killed is a tree in which a run was killed after it had written its files.
func killed(t *testing.T, files map[string]string) (h *host.Host, root string) {
	t.Helper()
	root = t.TempDir()
	for _, dir := range []string{"root", state.Dir} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	h, err := host.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	var entries []Entry
	for path, before := range files {
		at := filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(before), 0o640)); err != nil {
			t.Fatal(err)
		}
		n, err := h.Lookup(path)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, Entry{Path: path, Before: n, After: n.WithData([]byte("of the run"))})
	}
	if spared, err := New(h, nil, 0).Write("step", entries); err != nil || len(spared) > 0 {
		t.Fatal(err, spared)
	}
	return h, root
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What a person has mended after a run was killed is kept, and what nobody has
// touched is not.
func TestRecoveryKeepsAnEdit(t *testing.T) {
	t.Parallel()
	h, root := killed(t, map[string]string{"/etc/fs/edited.xml": "old", "/etc/fs/left.xml": "old", "/etc/fs/back.xml": "old"})
	for name, text := range map[string]string{"edited.xml": "by a person", "back.xml": "old"} {
		if err := os.WriteFile(filepath.Join(root, "etc/fs", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	recovered, kept, err := Recover(h)
	if err != nil || !recovered || !strings.HasPrefix(kept, KeptPrefix) {
		t.Fatalf("recovered %v, kept in %q, %v", recovered, kept, err)
	}
	for _, name := range []string{"edited.xml", "left.xml", "back.xml"} {
		if got := read(t, filepath.Join(root, "etc/fs", name)); got != "old" {
			t.Errorf("%s holds %q", name, got)
		}
	}
	copied := filepath.Join(root, kept, "etc/fs/edited.xml")
	if got := read(t, copied); got != "by a person" {
		t.Errorf("kept is %q", got)
	}
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("it may hold a password and has %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(root, kept)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its folder has %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Join(root, kept, "etc/fs"))
	if err != nil || len(entries) != 1 {
		t.Errorf("kept are %v, %v", entries, err)
	}
	if recovered, kept, err := Recover(h); recovered || kept != "" || err != nil {
		t.Errorf("once more: %v, %q, %v", recovered, kept, err)
	}
}

// Nothing is kept where nobody has changed anything.
func TestRecoveryWithoutEdits(t *testing.T) {
	t.Parallel()
	h, root := killed(t, map[string]string{"/etc/fs/a.xml": "old"})
	if _, kept, err := Recover(h); kept != "" || err != nil {
		t.Errorf("kept in %q, %v", kept, err)
	}
	if got := read(t, filepath.Join(root, "etc/fs/a.xml")); got != "old" {
		t.Errorf("it holds %q", got)
	}
}

// Between the kill and the recovery the folder became a link: nothing is written
// where that leads.
func TestRecoveryFollowsNoLinkOfAnother(t *testing.T) {
	t.Parallel()
	_, root := killed(t, map[string]string{"/etc/fs/x/evil.sh": "old"})
	at := filepath.Join(root, "etc/fs/x")
	if err := errors.Join(
		os.Chmod(filepath.Dir(at), 0o777), // stands for a folder of FreeSWITCH's user
		os.Mkdir(filepath.Join(root, "etc/profile.d"), 0o755),
		os.Rename(at, at+".real"), os.Symlink("/etc/profile.d", at),
	); err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	var unsafe *host.UnsafeError
	if _, _, err := Recover(h); !errors.As(err, &unsafe) {
		t.Errorf("recovered: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Join(root, "etc/profile.d")); err != nil || len(entries) > 0 {
		t.Errorf("/etc/profile.d holds %v, %v", entries, err)
	}
	// Once the folder is back, so is the file.
	if err := errors.Join(os.Remove(at), os.Rename(at+".real", at)); err != nil {
		t.Fatal(err)
	}
	if recovered, _, err := Recover(h); !recovered || err != nil {
		t.Errorf("recovered %v, %v", recovered, err)
	}
	if got := read(t, filepath.Join(at, "evil.sh")); got != "old" {
		t.Errorf("it holds %q", got)
	}
}

// What one user has spoiled keeps nothing else from being put back.
func TestRecoveryPutsBackWhatItCan(t *testing.T) {
	t.Parallel()
	_, root := killed(t, map[string]string{"/etc/a.conf": "old", "/etc/fs/x/vars.xml": "old", "/etc/fs/giant.xml": "old", "/etc/z.conf": "old"})
	at := filepath.Join(root, "etc/fs/x")
	if err := errors.Join(
		os.Chmod(filepath.Dir(at), 0o777), os.Rename(at, at+".real"), os.Symlink("/root", at),
		os.Truncate(filepath.Join(root, "etc/fs/giant.xml"), host.MaxFile+1),
	); err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	var unsafe *host.UnsafeError
	if _, _, err := Recover(h); !errors.As(err, &unsafe) {
		t.Errorf("recovered: %v", err)
	}
	for _, name := range []string{"etc/a.conf", "etc/fs/giant.xml", "etc/z.conf"} {
		if got := read(t, filepath.Join(root, name)); got != "old" {
			t.Errorf("%s holds %d bytes", name, len(got))
		}
	}
}

// A journal that nobody can read any more is one of a run that is final.
func TestAFinishedJournalThatIsDamaged(t *testing.T) {
	t.Parallel()
	h, root := killed(t, map[string]string{"/etc/a.conf": "old"})
	finished := filepath.Join(root, finishedDir)
	if err := errors.Join(os.Rename(filepath.Join(root, Dir), finished), os.WriteFile(filepath.Join(finished, "000-step.json"), []byte("{"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if recovered, _, err := Recover(h); recovered || err != nil {
		t.Errorf("recovered %v, %v", recovered, err)
	}
	if _, err := os.Lstat(finished); err == nil {
		t.Error("it is still there")
	}
}
