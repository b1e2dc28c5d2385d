package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// scene is what the looks share: the tree, where things are in it, and what was
// found. Its methods never fail: what cannot be read is a finding.
type scene struct {
	Tree
	Options
	found []*Found
	told  map[string]*Found // what was said of which path
	by    map[string]string // the link that led to a file
	kept  map[string]bool   // copies of a configuration of which the look at kept passwords has told

	layouts []layout // the known ones, and what FreeSWITCH's unit names
	program string   // that the unit starts; empty, if it does not say

	anybodys bool // units count whoever may change them

	uids  []int // as whom FreeSWITCH runs
	homes []string
	// homeNames are the names in each
	homeNames map[string][]string
	read      bool          // the configuration was, or could not be
	config    *fsxml.Config // nil where it could not, which was told
	loaded    map[string]bool

	readFiles map[string]bool // those of the configuration
	strayed   bool            // what else lies below it was gone through
	astray    []stray
}

func newScene(t Tree, o Options) *scene {
	return &scene{Tree: t, Options: o, told: map[string]*Found{}, by: map[string]string{}, kept: map[string]bool{}, layouts: layouts}
}

// add takes a finding down, the same thing of one path once.
func (s *scene) add(f *Found) {
	key := f.Path + "\x00" + f.Why
	switch before := s.told[key]; {
	case before == nil:
		s.told[key] = f
		s.found = append(s.found, f)
	case before.Fix == None: // it was come upon by a link first
		*before = *f
	}
}

// glance tells what stands at a path itself.
func (s *scene) glance(p string) host.Glimpse {
	g, err := s.Glance(p)
	if err != nil {
		s.unreadable(p, err)
		return host.Glimpse{Kind: host.Absent}
	}
	return g
}

// file tells of the file at p, and where it really is if p is a link. What a link
// leads to is found, and no run removes it: see gone.
func (s *scene) file(p string) (at string, g host.Glimpse, ok bool) {
	return s.behind(p, s.glance(p))
}

// behind is file where it is known what stands at p.
func (s *scene) behind(p string, g host.Glimpse) (at string, _ host.Glimpse, ok bool) {
	if g.Kind != host.Symlink {
		delete(s.by, p)
	} else {
		to, err := s.Canonical(p)
		var unsafe *host.UnsafeError
		if errors.As(err, &unsafe) {
			s.add(advice(Known, p, "is a symlink to "+g.Target+", out of what its owner may change, so nobody looked where it leads", s.rm(p)+", or look there yourself"))
			return p, g, false
		}
		if err != nil {
			s.unreadable(p, err)
			return p, g, false
		}
		s.by[to] = p
		p, g = to, s.glance(to)
	}
	return p, g, g.Kind == host.File
}

// list gives the names in a folder; none where there is no such folder. What a
// run has set aside there is gone as far as any look is concerned.
func (s *scene) list(dir string) []string {
	return slices.DeleteFunc(s.all(dir), func(name string) bool { return strings.HasPrefix(name, asideMark) })
}

// all is list with what was set aside.
func (s *scene) all(dir string) []string {
	names, err := s.ReadDir(dir)
	if err != nil && !absent(err) {
		s.unreadable(dir, err)
	}
	return names
}

// maxText bounds a file that is read whole, in bytes. None that these looks read
// comes near it on a sane machine.
const maxText = 4 << 20

// text gives all of a file; nothing where there is none.
func (s *scene) text(p string) []byte {
	by := s.by[p]
	at, g, ok := s.file(p)
	if by != "" {
		s.by[p] = by // it was come upon by that, and is only read now
	}
	if !ok {
		return nil
	}
	if g.Size > maxText {
		s.add(advice(Image, at, fmt.Sprintf("has %d bytes, and was not read: what is in it nobody looked at", g.Size),
			"look at it yourself; "+s.rm(at)+" if nobody needs it"))
		return nil
	}
	b, err := s.Peek(at, 0, maxText)
	if err != nil {
		s.unreadable(at, err)
	}
	return b
}

// lines gives the lines of a file that say something: no comment, nothing blank.
func (s *scene) lines(p string) []string {
	var out []string
	for l := range strings.Lines(string(s.text(p))) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			out = append(out, l)
		}
	}
	return out
}

// unreadable takes down what could not be looked at: of all that a closed folder
// hides, that folder alone.
func (s *scene) unreadable(p string, err error) {
	if errors.Is(err, fs.ErrPermission) {
		for dir := p; dir != "/"; dir = path.Dir(dir) {
			if _, err := s.ReadDir(path.Dir(dir)); errors.Is(err, fs.ErrPermission) {
				p = path.Dir(dir)
			}
		}
		s.add(advice(Image, p, "may not be read, so nobody looked at what is in it", "run fs-harden inspect as root"))
		return
	}
	s.add(advice(Image, p, "cannot be read, so nobody looked at what is in it: "+reason(err), "mend it, and run fs-harden inspect again"))
}

// reason is an error without the path, which on a mounted tree is another
// machine's.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}

func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
