package host

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// glob is glob(3) over any tree that can list folders: sorted, a leading dot
// only matched by a dot, links followed. A pattern without a wildcard gives
// itself if it exists.
func glob(pattern string, list func(dir string) []string, exists func(string) bool) ([]string, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, err
	}
	if !strings.ContainsAny(pattern, `*?[\`) {
		if exists(pattern) {
			return []string{pattern}, nil
		}
		return nil, nil
	}
	dir, base := filepath.Split(pattern)
	dirs, err := glob(path.Clean(dir), list, exists)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, d := range dirs {
		for _, name := range list(d) {
			if strings.HasPrefix(name, ".") && !strings.HasPrefix(base, ".") {
				continue
			}
			if ok, _ := path.Match(base, name); ok { // the pattern was checked above
				found = append(found, path.Join(d, name))
			}
		}
	}
	slices.Sort(found)
	return found, nil
}
