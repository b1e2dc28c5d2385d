package host

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMoveAllPassesOverWhatIsNotThere(t *testing.T) {
	h, root := tree(t)
	write(t, root, "/a/one", "1")
	write(t, root, "/b/two", "2")
	aside := AsideName("/a/one")
	if filepath.Dir(aside) != "/a" || !IsAside(aside) || IsAside("/a/one") || AsideName("/a/one") == aside {
		t.Errorf("set aside as %s", aside)
	}
	err := h.MoveAll(Move{"/a/one", aside}, Move{"/a/none", "/a/nowhere"}, Move{"/no/folder", "/no/other"}, Move{"/b/two", "/b/three"})
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, filepath.Join(root, "a")); !slices.Equal(got, []string{filepath.Base(aside)}) {
		t.Errorf("/a holds %q", got)
	}
	if got := names(t, filepath.Join(root, "b")); !slices.Equal(got, []string{"three"}) {
		t.Errorf("/b holds %q", got)
	}
	if err := h.Sweep("/a"); err != nil {
		t.Fatal(err)
	}
	if content(t, filepath.Join(root, aside)) != "1" {
		t.Error("swept away: it was all that is left of it")
	}
}

// A hole of a terabyte: whoever reads it never ends.
func TestOutlineReadsNothing(t *testing.T) {
	h, root := tree(t)
	p := write(t, root, "/log", "")
	if err := os.Truncate(p, 1<<40); err != nil {
		t.Fatalf("the temporary folder must be on a file system with holes: %v", err)
	}
	if err := os.Chmod(p, 0o640); err != nil {
		t.Fatal(err)
	}
	v := NewView(h)
	n, err := v.Outline("/log")
	if err != nil || n.Kind != File || n.Mode != 0o640 || n.Data != nil {
		t.Errorf("got %+v, %v", n, err)
	}
	if err := v.Stage("/log", NewFile([]byte("new"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if n, err = v.Outline("/log"); err != nil || n.Mode != 0o600 || n.Data != nil {
		t.Errorf("staged: got %+v, %v", n, err)
	}
	if n, err = v.Lookup("/log"); err != nil || string(n.Data) != "new" {
		t.Errorf("what was staged now holds %q, %v", n.Data, err)
	}
}
