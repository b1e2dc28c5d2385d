// Package inspect tells whether a machine, or a tree, is fit to be an image:
// what in it is a secret, an identity or a well-known default that every
// instance of the image would share. It only reads.
package inspect

import (
	"cmp"
	"context"
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// Owner says whose a finding is, and so how heavy it weighs.
type Owner string

// The owners.
const (
	Image  Owner = "image"  // what the bake was to change or remove: an error
	Known  Owner = "known"  // vanilla's other defaults, and somebody's own data: a warning
	System Owner = "system" // the operating system's: a warning while a build runs, else an error
)

// Fix is what the bake can do about a finding by itself.
type Fix string

// The fixes.
const (
	None   Fix = ""
	Remove Fix = "remove" // the path goes, a folder with all that is in it
	Empty  Fix = "empty"  // the file stays, with nothing in it
)

// Found is a finding and what can be done about it.
type Found struct {
	report.Finding
	Look  string // the look that found it: the report's step
	Owner Owner
	Fix   Fix
	// Home is the user in whose home the path lies, nil for root's and FreeSWITCH's.
	Home *host.User
	// Needed marks what a running build cannot be without, the key that Packer
	// comes in with among it: a warning until then, also with Options.Strict.
	Needed bool
}

// Tree is what is inspected. *host.Host and *host.View are ones; folders are
// listed as they are on the disk, and what a view has staged lies over that.
type Tree interface {
	ReadFile(path string) ([]byte, error)
	ReadDir(path string) ([]string, error)
	Glob(pattern string) ([]string, error)
	Glance(path string) (host.Glimpse, error)
	Peek(path string, offset int64, n int) ([]byte, error)
	Canonical(path string) (string, error)
	Root() string
}

// Options say how to look.
type Options struct {
	// ConfDir is FreeSWITCH's configuration folder; empty, where there is none.
	ConfDir string
	// Unit is FreeSWITCH's unit and its drop-ins, in the order in which they count,
	// the last word last. One that says -conf has it before ConfDir.
	Unit []string
	// Service is the name of FreeSWITCH's unit, without .service.
	Service string
	// Building tells that a build is under way on this very machine, which still
	// needs some of what must not be in its image.
	Building bool
	// Strict makes every warning an error.
	Strict bool
}

// Look gives everything that Looks find, in their order and sorted by path in
// each. What cannot be read is a finding that names it. The error is of a run
// that was broken off.
func Look(ctx context.Context, t Tree, o Options) ([]Found, error) {
	var out []Found
	s := newScene(t, o)
	for _, l := range Looks() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, f := range s.run(l) {
			out = append(out, *f)
		}
	}
	return out, nil
}

// run gives what one look finds, weighed.
func (s *scene) run(l Named) []*Found {
	s.found = nil
	l.Look(s)
	for _, f := range s.found {
		f.Look, f.Severity = l.Name, s.weigh(f)
		home, his := s.homeOwner(f.Path)
		if f.Home = home; !his {
			f.Fix = None
		}
		if s.Building && f.Owner == System && f.Fix != None {
			f.Remedy = "cleanup_system = true in the provisioner's block, or " + f.Remedy
		}
	}
	slices.SortStableFunc(s.found, func(a, b *Found) int { return cmp.Compare(a.Path, b.Path) })
	return s.found
}

// weigh is the severity of a finding.
func (s *scene) weigh(f *Found) report.Severity {
	switch {
	case f.Needed && s.Building:
		return report.Warning
	case s.Strict, f.Owner == Image, f.Owner == System && !s.Building:
		return report.Error
	default:
		return report.Warning
	}
}
