package apt

import (
	"fmt"
	"strings"
)

// reader is a machine whose files can be read.
type reader interface {
	ReadFile(path string) ([]byte, error)
}

// dpkgStatus is dpkg's own record, which tells of a tree's packages without
// running anything in it (dpkg(1), FILES).
const dpkgStatus = "/var/lib/dpkg/status"

// Installed gives the version of every package that is installed on a machine.
// Where there is no dpkg the error is fs.ErrNotExist.
func Installed(m reader) (map[string]string, error) {
	b, err := m.ReadFile(dpkgStatus)
	if err != nil {
		return nil, fmt.Errorf("reading which packages are installed: %w", err)
	}
	versions := map[string]string{}
	for _, stanza := range strings.Split(string(b), "\n\n") {
		var name, version string
		var ok bool
		for line := range strings.Lines(stanza) {
			field, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ":")
			value = strings.TrimSpace(value)
			switch field {
			case "Package":
				name = value
			case "Status":
				ok = strings.HasSuffix(value, " ok installed")
			case "Version":
				version = value
			}
		}
		if ok {
			versions[name] = version
		}
	}
	return versions, nil
}
