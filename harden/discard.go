package harden

import (
	"errors"
	"fmt"
	"path"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// discard plans that a path goes for good, or becomes empty: it is set aside by
// a rename, put back by one if the run fails, and removed once the run is final.
// Nothing of it is read, so its size does not matter. A folder is emptied, and
// stays: who writes into it may not be allowed to make it.
func (p *planned) discard(m *Machine, c Change) error {
	g, err := m.Glance(c.Path)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", c.Path, err)
	}
	before := len(p.entries)
	action := "remove"
	switch {
	case g.Kind == host.Absent, c.Node.Kind == host.File && g.Kind == host.File && g.Size == 0:
	case c.Node.Kind == host.File:
		action = "empty"
		err = p.empty(m, c.Path, g.Size)
	case g.Kind == host.Folder:
		action = "empty"
		err = p.dropInside(m, c.Path, c.Path)
	default:
		err = p.drop(m, c.Path, g, path.Dir(c.Path))
	}
	for i := range p.entries[before:] {
		p.entries[before+i].As = c.As
	}
	if len(p.entries) > before {
		p.shown = append(p.shown, report.Change{Path: c.Path, Action: action, Summary: c.Summary})
	}
	return err
}

// empty sets a file aside and puts one in its place that holds nothing.
func (p *planned) empty(m *Machine, file string, size int64) error {
	before, err := m.Outline(file)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", file, err)
	}
	if before.Kind != host.File {
		return fmt.Errorf("%s is to be emptied and is no file: move it out of the way", file)
	}
	return p.stageDiscard(m, size, journal.Entry{
		Path: file, Before: host.Node{Kind: host.File}, After: before.WithData(nil), Aside: host.AsideName(file),
	})
}

// drop sets a thing aside, into the folder aside.
func (p *planned) drop(m *Machine, at string, g host.Glimpse, aside string) error {
	return p.stageDiscard(m, g.Size, journal.Entry{
		Path: at, Before: host.Node{Kind: g.Kind}, After: host.Node{Kind: host.Absent},
		Aside: host.AsideName(path.Join(aside, "x")),
	})
}

// dropInside sets aside all that is in a folder, into the folder aside, and then
// removes the folders that this has emptied. They are not renamed: an overlay
// file system, as of a container's layers, does not do that (EXDEV).
func (p *planned) dropInside(m *Machine, dir, aside string) error {
	names, err := m.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("listing %s: %w", dir, err)
	}
	for _, name := range names {
		at := path.Join(dir, name)
		g, err := m.Glance(at)
		switch {
		case err != nil:
			return fmt.Errorf("looking at %s: %w", at, err)
		case g.Kind == host.Folder:
			err = errors.Join(p.dropInside(m, at, aside), p.dropFolder(m, at))
		case g.Kind != host.Absent:
			err = p.drop(m, at, g, aside)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *planned) dropFolder(m *Machine, dir string) error {
	before, err := m.Outline(dir)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", dir, err)
	}
	return p.stageDiscard(m, 0, journal.Entry{Path: dir, Before: before, After: host.Node{Kind: host.Absent}})
}

func (p *planned) stageDiscard(m *Machine, size int64, en journal.Entry) error {
	en.Discard = true
	p.entries = append(p.entries, plannedEntry{Entry: en, size: size})
	return m.Stage(en.Path, en.After)
}
