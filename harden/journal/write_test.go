package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// machine is a tree with these files, and the folder of the records.
func machine(t *testing.T, files map[string]string) (h *host.Host, root string) {
	t.Helper()
	root = t.TempDir()
	for _, dir := range []string{"root", state.Dir} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range files {
		write(t, root, path, text)
	}
	h, err := host.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h, root
}

func write(t *testing.T, root, path, text string) {
	t.Helper()
	at := filepath.Join(root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o640)); err != nil {
		t.Fatal(err)
	}
}

// entry is one that gives a file another content.
func entry(t *testing.T, h *host.Host, path, text string) Entry {
	t.Helper()
	n, err := h.Lookup(path)
	if err != nil {
		t.Fatal(err)
	}
	after := host.NewFile([]byte(text), 0o600)
	if n.Kind == host.File {
		after = n.WithData([]byte(text))
	}
	return Entry{Path: path, Before: n, After: after}
}

func exists(root, path string) bool {
	_, err := os.Lstat(filepath.Join(root, path))
	return err == nil
}

// gone reports an error for each of the paths that is there.
func gone(t *testing.T, root string, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if exists(root, p) {
			t.Errorf("%s is there", p)
		}
	}
}

// A change that fails was written down before: what of it happened can be undone,
// also when nothing of it is known any more but what is on the disk.
func TestWhatIsReplacedIsWrittenDownFirst(t *testing.T) {
	t.Parallel()
	for name, undo := range map[string]func(*host.Host, *Journal) error{
		"by the run itself": func(_ *host.Host, j *Journal) error { _, err := j.Undo(); return err },
		"by the next one":   func(h *host.Host, _ *Journal) error { _, _, err := Recover(h); return err },
	} {
		h, root := machine(t, map[string]string{"/etc/a": "old", "/etc/key": "MII"})
		aside := host.AsideName("/etc/key")
		entries := []Entry{
			{Path: "/etc/key", Before: host.Node{Kind: host.File}, After: host.Node{Kind: host.Absent}, Discard: true, Aside: aside},
			entry(t, h, "/etc/a", "new"),
			{Path: "/none/b", Before: host.Node{Kind: host.Absent}, After: host.NewFile(nil, 0o600)},
		}
		j := New(h, nil, 0)
		if _, err := j.Write("step", entries); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s: into a folder that is not there: %v", name, err)
		}
		if !exists(root, Dir+"/000-step.json") || exists(root, "/etc/key") || read(t, filepath.Join(root, "/etc/a")) != "new" {
			t.Errorf("%s: what happened is not written down", name)
		}
		if err := undo(h, j); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := read(t, filepath.Join(root, "/etc/a")) + read(t, filepath.Join(root, "/etc/key")); got != "oldMII" {
			t.Errorf("%s: put back is %q", name, got)
		}
		gone(t, root, aside, Dir, finishedDir)
	}
}

// The journal is for root alone, and its files are read in the order of writing.
func TestTheJournalsFiles(t *testing.T) {
	t.Parallel()
	h, root := machine(t, map[string]string{"/etc/a": "first"})
	j := New(h, nil, 1000)
	if _, err := j.Write("nothing", nil); err != nil || exists(root, Dir) {
		t.Errorf("for a step that changes nothing: %v", err)
	}
	for i, text := range []string{"second", "third"} {
		step := []string{"z-step", "a-step"}[i]
		if spared, err := j.Write(step, []Entry{entry(t, h, "/etc/a", text)}); err != nil || spared != nil {
			t.Fatal(spared, err)
		}
	}
	for path, mode := range map[string]fs.FileMode{Dir: fs.ModeDir | 0o700, Dir + "/000-z-step.json": 0o600, Dir + "/001-a-step.json": 0o600, Dir + "/reserve": 0o600} {
		if info, err := os.Stat(filepath.Join(root, path)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, want %v", path, err, mode)
		} else if path == Dir+"/reserve" && info.Size() != 1000+64<<10 {
			t.Errorf("the reserve has %d bytes", info.Size())
		}
	}
	if recovered, kept, err := Recover(h); !recovered || kept != "" || err != nil {
		t.Errorf("recovered %v, %q, %v", recovered, kept, err)
	}
	if got := read(t, filepath.Join(root, "/etc/a")); got != "first" {
		t.Errorf("put back is %q", got)
	}
	gone(t, root, Dir, finishedDir)
}

// A full disk is a reason to put things back: the room kept for that is given free
// first.
func TestTheReserveIsGivenFree(t *testing.T) {
	t.Parallel()
	h, root := machine(t, map[string]string{"/etc/b": "old", "/etc/d/a": "old"})
	j := New(h, nil, 0)
	if _, err := j.Write("step", []Entry{entry(t, h, "/etc/b", "new"), entry(t, h, "/etc/d/a", "new")}); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(root, "etc/d")
	if err := errors.Join(os.RemoveAll(at), os.WriteFile(at, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Undo(); err == nil {
		t.Fatal("put back into a folder that is none")
	}
	gone(t, root, reservePath)
	if got := read(t, filepath.Join(root, "/etc/b")); got != "old" {
		t.Errorf("what could be put back holds %q", got)
	}
	if !exists(root, Dir+"/000-step.json") {
		t.Error("the journal is gone, and with it what was replaced")
	}
}

// A run that is final: what stood at every path before the first one, the last sum,
// the folders made for the records, and nothing of what was discarded.
func TestOriginalsOfSeveralRuns(t *testing.T) {
	t.Parallel()
	h, root := machine(t, map[string]string{"/etc/a": "first", "/etc/key": "MIIsecret"})
	run := func(made []string, entries ...Entry) {
		t.Helper()
		j := New(h, made, 0)
		if _, err := j.Write("step", entries); err != nil {
			t.Fatal(err)
		}
		if left, err := j.Close(); err != nil || left != nil {
			t.Fatal(left, err)
		}
		gone(t, root, Dir, finishedDir)
	}
	aside := host.AsideName("/etc/key")
	run([]string{"/var/lib", state.Dir}, entry(t, h, "/etc/a", "second"),
		Entry{Path: "/etc/key", Before: host.Node{Kind: host.File}, After: host.Node{Kind: host.Absent}, Discard: true, Aside: aside})
	run(nil, entry(t, h, "/etc/a", "third"), entry(t, h, "/etc/b", "new"))
	if left, err := New(h, []string{"/never"}, 0).Close(); left != nil || err != nil {
		t.Errorf("a run that wrote nothing: %v, %v", left, err)
	}
	gone(t, root, aside, "/etc/key")

	got, err := Originals(h)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, en := range got {
		lines = append(lines, en.Path+" "+string(en.Before.Kind)+" "+string(en.Before.Data)+" "+en.Sum[:min(8, len(en.Sum))])
	}
	// Sums made with sha256sum.
	want := []string{"/var/lib absent  ", state.Dir + " absent  ", "/etc/a file first b1e99324", "/etc/b absent  11507a0e"}
	if !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
	if info, err := os.Stat(filepath.Join(root, OriginalsPath)); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v", err)
	}
	if text := read(t, filepath.Join(root, OriginalsPath)); strings.Contains(text, "MIIsecret") || strings.Contains(text, "/etc/key") {
		t.Error("the originals hold what was discarded")
	}
	write(t, root, OriginalsPath, "{")
	if _, err := Originals(h); err == nil || !strings.Contains(err.Error(), "is damaged") || !strings.Contains(err.Error(), "the backup in /root") {
		t.Errorf("damaged originals: %v", err)
	}
}

// What is in a user's home may fail, and is told: nothing else fails with it, and
// neither an undo nor the originals speak of it.
func TestWhatAHomeSpares(t *testing.T) {
	t.Parallel()
	for _, final := range []bool{true, false} {
		h, root := machine(t, map[string]string{"/etc/a": "old", "/home/one/f": "old"})
		me := &host.User{UID: os.Getuid(), GID: os.Getgid()}
		good := entry(t, h, "/home/one/f", "new")
		bad := Entry{Path: "/home/none/f", Before: host.Node{Kind: host.Absent}, After: host.NewFile(nil, 0o600), As: me}
		good.As = me
		j := New(h, nil, 0)
		spared, err := j.Write("step", []Entry{bad, good, entry(t, h, "/etc/a", "new")})
		if err != nil || len(spared) != 1 || spared[0].Path != bad.Path || !errors.Is(spared[0].Err, fs.ErrNotExist) {
			t.Fatalf("spared %+v, %v", spared, err)
		}
		if got := read(t, filepath.Join(root, "/etc/a")) + read(t, filepath.Join(root, "/home/one/f")); got != "newnew" {
			t.Errorf("written is %q", got)
		}
		if !final {
			// He makes his file one that cannot be put back.
			at := filepath.Join(root, "/home/one/f")
			if err := errors.Join(os.Remove(at), os.MkdirAll(at+"/x", 0o755)); err != nil {
				t.Fatal(err)
			}
			if _, err := j.Undo(); err != nil {
				t.Errorf("his file keeps others from being put back: %v", err)
			}
			if got := read(t, filepath.Join(root, "/etc/a")); got != "old" {
				t.Errorf("put back is %q", got)
			}
			gone(t, root, Dir)
			continue
		}
		if _, err := j.Close(); err != nil {
			t.Fatal(err)
		}
		originals, err := Originals(h)
		var paths []string
		for _, en := range originals {
			paths = append(paths, en.Path)
		}
		if slices.Sort(paths); err != nil || !slices.Equal(paths, []string{"/etc/a", "/home/one/f"}) {
			t.Errorf("originals of %q, %v", paths, err)
		}
	}
}

// What was set aside and cannot be removed is told by the run that did it, and its
// journal stays gone.
func TestWhatIsLeftOfAFinalRun(t *testing.T) {
	t.Parallel()
	h, root := machine(t, map[string]string{"/etc/d/key": "MII"})
	aside := host.AsideName("/etc/d/key")
	j := New(h, nil, 0)
	if _, err := j.Write("step", []Entry{{Path: "/etc/d/key", Before: host.Node{Kind: host.File}, After: host.Node{Kind: host.Absent}, Discard: true, Aside: aside}}); err != nil {
		t.Fatal(err)
	}
	// Whose folder it is puts a link into the way to it.
	at := filepath.Join(root, "etc/d")
	if err := errors.Join(os.Chmod(filepath.Dir(at), 0o777), os.Rename(at, at+".real"), os.Symlink("/root", at)); err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	j.host = h
	left, err := j.Close()
	if err != nil || len(left) != 1 || !strings.Contains(left[0].Error(), "/etc/d/key, which was to be removed, is still there as "+aside) {
		t.Errorf("left: %v, %v", left, err)
	}
	gone(t, root, Dir, finishedDir)
}

// Half written files of a run that was killed go, beside its files and its records;
// one that holds nothing yet was killed before it wrote a thing.
func TestRecoverySweeps(t *testing.T) {
	t.Parallel()
	h, root := killed(t, map[string]string{"/etc/fs/a.xml": "old"})
	left := []string{state.Dir + "/.baked.json.fs-harden-tmp-ABCDEFGHIJ", "/etc/fs/.a.xml.fs-harden-tmp-ABCDEFGHIJ", Dir + "/.001-x.json.fs-harden-tmp-ABCDEFGHIJ"}
	for _, p := range left {
		write(t, root, p, "half")
	}
	if recovered, _, err := Recover(h); !recovered || err != nil {
		t.Errorf("recovered %v, %v", recovered, err)
	}
	gone(t, root, append(left, Dir, finishedDir)...)
	write(t, root, left[0], "half")
	if recovered, _, err := Recover(h); recovered || err != nil {
		t.Errorf("without a journal: %v, %v", recovered, err)
	}
	gone(t, root, left[0])

	if err := os.Mkdir(filepath.Join(root, Dir), 0o700); err != nil { // killed right then
		t.Fatal(err)
	}
	if recovered, _, err := Recover(h); !recovered || err != nil {
		t.Errorf("an empty journal: %v, %v", recovered, err)
	}
	gone(t, root, Dir, finishedDir)
}

// A journal that cannot be read stops the next run: what it holds is all there is.
func TestADamagedJournalStops(t *testing.T) {
	t.Parallel()
	h, root := killed(t, map[string]string{"/etc/a": "old"})
	write(t, root, Dir+"/000-step.json", "[{")
	recovered, _, err := Recover(h)
	if recovered || err == nil || !strings.Contains(err.Error(), Dir+"/000-step.json is damaged") {
		t.Errorf("recovered %v, %v", recovered, err)
	}
	if !exists(root, Dir+"/000-step.json") {
		t.Error("it is gone")
	}
}

// What stands where something was set aside may be another's: only what it was
// comes back.
func TestWhatWasSetAsideWasSwapped(t *testing.T) {
	t.Parallel()
	h, root := machine(t, map[string]string{"/etc/key": "MII"})
	aside := host.AsideName("/etc/key")
	j := New(h, nil, 0)
	if _, err := j.Write("step", []Entry{{Path: "/etc/key", Before: host.Node{Kind: host.File}, After: host.Node{Kind: host.Absent}, Discard: true, Aside: aside}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(filepath.Join(root, aside)), os.Symlink("/root", filepath.Join(root, aside))); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Undo(); err != nil {
		t.Fatal(err)
	}
	gone(t, root, "/etc/key")
}

// Where nothing can be written down, nothing is replaced.
func TestNothingIsReplacedWithoutAJournal(t *testing.T) {
	t.Parallel()
	h, root := machine(t, map[string]string{"/etc/a": "old", "/etc/key": "MII", Dir: "in the way"})
	_, err := New(h, nil, 0).Write("step", []Entry{
		{Path: "/etc/key", Before: host.Node{Kind: host.File}, After: host.Node{Kind: host.Absent}, Discard: true, Aside: host.AsideName("/etc/key")},
		entry(t, h, "/etc/a", "new"),
	})
	if err == nil || !strings.Contains(err.Error(), Dir) {
		t.Errorf("error %v", err)
	}
	if got := read(t, filepath.Join(root, "/etc/a")) + read(t, filepath.Join(root, "/etc/key")); got != "oldMII" {
		t.Errorf("replaced all the same: %q", got)
	}
}

// A file that has its content again and another time was written by somebody.
func TestATimeComesBack(t *testing.T) {
	t.Parallel()
	h, root := machine(t, map[string]string{"/etc/a": "old"})
	at := filepath.Join(root, "/etc/a")
	before, err := os.Stat(at)
	if err != nil {
		t.Fatal(err)
	}
	j := New(h, nil, 0)
	if _, err := j.Write("step", []Entry{entry(t, h, "/etc/a", "new")}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(at, []byte("old"), 0o600), os.Chtimes(at, time.Unix(1e9, 0), time.Unix(1e9, 0))); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Undo(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(at); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("it is of %v, was of %v, %v", after.ModTime(), before.ModTime(), err)
	}
}
