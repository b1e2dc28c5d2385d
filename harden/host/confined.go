package host

import (
	"fmt"
	"path"
	"strings"
)

// Files is what Confined reads through: a Host or a View.
type Files interface {
	ReadFile(path string) ([]byte, error)
	Glob(pattern string) ([]string, error)
	Glance(path string) (Glimpse, error)
	Canonical(path string) (string, error)
}

// Confined reads a configuration of which a user writes the names. What lies in
// its folder is his anyway; of all else he gets read what every user of the
// machine may read, and no more.
type Confined struct {
	files  Files
	folder string // canonical
	left   int64  // bytes that may still be read
}

const (
	// maxConfigFile bounds one file of a configuration, in bytes; vanilla's largest
	// has 40,000.
	maxConfigFile = 16 << 20
	// maxConfig bounds all that is read of one, in bytes: a site of ten thousand
	// users has some twenty million.
	maxConfig = 256 << 20
)

// Confine gives a reader for the configuration in folder.
func Confine(files Files, folder string) *Confined {
	c := &Confined{files: files, folder: path.Clean(folder), left: maxConfig}
	if at, err := files.Canonical(folder); err == nil {
		c.folder = at
	}
	return c
}

// Holds tells whether a path, its links followed, lies in the folder.
func (c *Confined) Holds(name string) bool {
	at, err := c.files.Canonical(name)
	return err == nil && c.below(at)
}

func (c *Confined) below(at string) bool {
	return strings.HasPrefix(at, strings.TrimSuffix(c.folder, "/")+"/")
}

// ReadFile reads a file of the configuration.
func (c *Confined) ReadFile(name string) ([]byte, error) {
	at, err := c.files.Canonical(name)
	if err != nil {
		return nil, err
	}
	g, err := c.files.Glance(at)
	if err != nil {
		return nil, err
	}
	if g.Kind == Symlink {
		return nil, fmt.Errorf("%s: %w", at, errSwapped)
	}
	if g.Kind == File {
		if g.Size > maxConfigFile {
			return nil, fmt.Errorf("%s has %d bytes: no configuration file is that large; move it out of the way", at, g.Size)
		}
		if c.left < g.Size {
			return nil, fmt.Errorf("the configuration in %s has more than %d MiB: move out what does not belong there", c.folder, maxConfig>>20)
		}
		if !c.below(at) && !c.open(at, g) {
			return nil, fmt.Errorf("%s lies outside of %s, and not every user may read it: it is not read for FreeSWITCH's configuration; put it below %[2]s", at, c.folder)
		}
	}
	b, err := c.files.ReadFile(at)
	c.left -= int64(len(b))
	return b, err
}

// open tells whether every user may read a file.
func (c *Confined) open(at string, g Glimpse) bool {
	if g.Mode&0o004 == 0 || strings.HasPrefix(at, "/proc/") || strings.HasPrefix(at, "/sys/") {
		return false // what the kernel shows there depends on who asks
	}
	for dir := path.Dir(at); dir != "/"; dir = path.Dir(dir) {
		if d, err := c.files.Glance(dir); err != nil || d.Mode&0o001 == 0 {
			return false
		}
	}
	return true
}

// Glob is that of the machine, but that outside of the folder only the last
// element of a pattern may have a star: nobody has root go through all the disk.
func (c *Confined) Glob(pattern string) ([]string, error) {
	clean := path.Clean(pattern)
	if dir := path.Dir(clean); strings.ContainsAny(dir, `*?[\`) && !c.Holds(dir[:strings.IndexAny(dir, `*?[\`)]+"x") {
		return nil, fmt.Errorf("the pattern %s leads through folders outside of %s: name the folder", pattern, c.folder)
	}
	return c.files.Glob(pattern)
}
