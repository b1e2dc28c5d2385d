package host

import (
	"io/fs"
	"path"
	"slices"
)

// View is the machine as it will be: what was staged lies over what is on the
// disk. Every step reads through it, so a later step sees what an earlier one
// proposed before anything is written, and a dry run is a run that stops there.
type View struct {
	*Host
	staged map[string]Node // by the path of the thing itself, its folder's links followed
	gen    int
}

// NewView is the machine as it is, with nothing staged.
func NewView(h *Host) *View { return &View{Host: h, staged: map[string]Node{}} }

// As is the same view, of which what is not staged is read with that user's rights.
func (v *View) As(u User) *View { return &View{Host: v.Host.As(u), staged: v.staged, gen: v.gen} }

// Generation changes whenever something is staged, so that what was computed
// from the view can be kept until then.
func (v *View) Generation() int { return v.gen }

// Stage lays n over path.
func (v *View) Stage(path string, n Node) error {
	key, err := v.key(path)
	if err != nil {
		return err
	}
	v.staged[key] = n
	v.gen++
	return nil
}

// key follows the links of path's folder.
func (v *View) key(p string) (string, error) {
	defer v.use()()
	at, err := v.beside(p)
	return at.path, err
}

// Lookup is Host.Lookup with what is staged.
func (v *View) Lookup(path string) (Node, error) {
	key, err := v.key(path)
	if err != nil {
		return Node{}, err
	}
	if n, ok := v.staged[key]; ok {
		return n, nil
	}
	return v.Host.Lookup(path)
}

// over gives what is staged at p itself, or at what a link at p leads to.
func (v *View) over(p string) (n Node, staged bool, err error) {
	if len(v.staged) == 0 {
		return Node{}, false, nil
	}
	for _, follow := range []func(string) (string, error){v.key, v.Canonical} {
		key, err := follow(p)
		if err != nil {
			return Node{}, false, err
		}
		if n, ok := v.staged[key]; ok {
			return n, true, nil
		}
	}
	return Node{}, false, nil
}

// ReadFile is Host.ReadFile with what is staged.
func (v *View) ReadFile(p string) ([]byte, error) {
	switch n, staged, err := v.over(p); {
	case err != nil:
		return nil, err
	case !staged:
		return v.Host.ReadFile(p)
	case n.Kind == File:
		return n.Data, nil
	default:
		return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
	}
}

// Glob is glob(3): sorted, names with a leading dot only where the pattern has
// one. Staged files are found, removed ones are not.
func (v *View) Glob(pattern string) ([]string, error) {
	return glob(pattern, v.list, v.exists)
}

func (v *View) exists(p string) bool {
	if n, staged, err := v.over(p); err == nil && staged {
		return n.Kind != Absent
	}
	return v.Exists(p)
}

func (v *View) list(dir string) []string {
	names, _ := v.ReadDir(dir) // a folder that cannot be listed has no matches, as with glob(3)
	key, err := v.Canonical(dir)
	if err != nil || len(v.staged) == 0 {
		return names
	}
	for p, n := range v.staged {
		if path.Dir(p) != key {
			continue
		}
		name := path.Base(p)
		at := slices.Index(names, name)
		switch {
		case n.Kind == Absent && at >= 0:
			names = slices.Delete(names, at, at+1)
		case n.Kind != Absent && at < 0:
			names = append(names, name)
		}
	}
	return names
}
