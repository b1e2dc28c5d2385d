package inspect

import (
	"path"
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// UnitDirs is systemd's search path for the system's units, the one that counts
// most first (systemd.unit(5)).
func UnitDirs() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
}

// UnitFile is the file of a unit, by the last of its names that has one: a template
// has a name beside that of its instance. It is empty where there is none. A masked
// unit's is a link to /dev/null or has nothing in it, and systemd starts nothing.
func UnitFile(t Tree, names ...string) (file string, masked bool) {
	for _, name := range slices.Backward(names) {
		for _, dir := range UnitDirs() {
			f := path.Join(dir, name)
			g, err := t.Glance(f)
			switch {
			case err != nil || g.Kind == host.Absent:
				continue
			case g.Kind == host.Symlink && g.Target == "/dev/null", g.Kind == host.File && g.Size == 0:
				return f, true
			case g.Kind == host.Symlink:
				at, err := t.Canonical(f)
				if err != nil {
					continue
				}
				if g, err = t.Glance(at); err != nil || g.Kind != host.File {
					continue
				}
			}
			return f, false
		}
	}
	return "", false
}

// UnitFiles are a unit's file and its drop-ins in the order in which they count, the
// last word last; of a masked unit the drop-ins alone.
func UnitFiles(t Tree, names ...string) ([]string, error) {
	var files []string
	if unit, masked := UnitFile(t, names...); unit != "" && !masked {
		files = append(files, unit)
	}
	dropIns := map[string]string{}
	for _, dir := range slices.Backward(UnitDirs()) {
		for _, name := range names {
			found, err := t.Glob(path.Join(dir, name+".d", "*.conf"))
			if err != nil {
				return nil, err
			}
			for _, f := range found {
				dropIns[path.Base(f)] = f
			}
		}
	}
	var order []string
	for name := range dropIns {
		order = append(order, name)
	}
	slices.Sort(order)
	for _, name := range order {
		files = append(files, dropIns[name])
	}
	return files, nil
}
