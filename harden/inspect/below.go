package inspect

import (
	"fmt"
	"path"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// maxBelow bounds how many files and folders below one folder are looked at. What
// is beyond it is told.
const maxBelow = 10000

// onward is what below is told to do next.
type onward int

const (
	past   onward = iota // not into this folder
	into                 // into it, if it is one
	enough               // nothing more
)

// below calls visit for everything below a folder, each folder before what is in
// it, maxDepth folders deep and no more than maxBelow of them. Links are not
// followed. Where a bound is reached, that is a finding: what lies behind it nobody
// looked at.
func (s *scene) below(dir string, visit func(p string, g host.Glimpse) onward) {
	left := maxBelow
	var walk func(dir string, depth int) (more bool)
	walk = func(at string, depth int) bool {
		if depth > maxDepth {
			s.unseen(at, fmt.Sprintf("lies more than %d folders below %s: nobody looked at what is in it", maxDepth, dir))
			return true
		}
		for _, name := range s.list(at) {
			p := path.Join(at, name)
			if s.isRead(p) {
				continue
			}
			if left--; left < 0 {
				s.unseen(dir, fmt.Sprintf("has more than %d files below it: nobody looked at the rest", maxBelow))
				return false
			}
			g := s.glance(p)
			next := visit(p, g)
			if next == enough || next == into && g.Kind == host.Folder && !walk(p, depth+1) {
				return false
			}
		}
		return true
	}
	if s.glance(dir).Kind == host.Folder {
		walk(dir, 1)
	}
}

func (s *scene) unseen(p, why string) {
	s.add(advice(Known, p, why, "look into "+s.on(p)+" yourself; move away what does not belong there"))
}

// holdsAny tells whether there is a file with something in it below a folder. It
// stops at the first.
func (s *scene) holdsAny(dir string) (yes bool) {
	s.below(dir, func(_ string, g host.Glimpse) onward {
		if yes = g.Kind == host.File && g.Size > 0; yes {
			return enough
		}
		return into
	})
	return yes
}

// isRead tells whether a file is part of FreeSWITCH's configuration as it was read:
// what it says is known, and it need not be opened again.
func (s *scene) isRead(p string) bool {
	if s.readFiles == nil && s.config != nil {
		s.readFiles = map[string]bool{}
		for _, f := range s.config.Files() {
			s.readFiles[path.Clean(f)] = true
		}
	}
	return s.readFiles[p]
}
