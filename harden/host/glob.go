package host

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxListings bounds how many folders one pattern may have listed: with links
// that lead to their own folder, a few stars are as many as somebody likes.
const maxListings = 1 << 14

// glob is glob(3) over any tree that can list folders: sorted, a leading dot
// only matched by a dot, links followed. A pattern without a wildcard gives
// itself if it exists.
func glob(pattern string, list func(dir string) []string, exists func(string) bool) ([]string, error) {
	listings, found := 0, 0
	return globCounted(pattern, func(dir string) ([]string, error) {
		if listings++; listings > maxListings {
			return nil, fmt.Errorf("the pattern %s leads through more than %d folders: name fewer", pattern, maxListings)
		}
		names := list(dir)
		if found += len(names); found > maxNames {
			return nil, fmt.Errorf("the pattern %s leads through more than %d names: name fewer folders", pattern, maxNames)
		}
		return names, nil
	}, exists)
}

func globCounted(pattern string, list func(dir string) ([]string, error), exists func(string) bool) ([]string, error) {
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
	dirs, err := globCounted(path.Clean(dir), list, exists)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, d := range dirs {
		names, err := list(d)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
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
