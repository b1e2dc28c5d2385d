package fsxml

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"
)

// Source is where configuration files come from.
//
// Names and patterns are absolute and use forward slashes. A file is known by
// its name with `..` taken out; where a symbolic link stands before the `..`
// the two would be different files, and Load refuses.
type Source interface {
	// ReadFile returns what the file holds.
	ReadFile(name string) ([]byte, error)

	// Glob returns the names that match pattern as glob(3) does: sorted, and
	// `*` never matches a leading dot. No match is no error.
	Glob(pattern string) ([]string, error)
}

// Limits that FreeSWITCH lacks: a file that includes itself twice would keep
// it busy for ever.
const (
	maxDocument = 256 << 20 // bytes of the expanded document
	maxIncludes = 1 << 18   // files opened, each time counted
	maxDepth    = 100       // switch_xml.c:1433, rlevel
)

// include reads every file that matches pattern, as preprocess_glob does
// (switch_xml.c:1380). dir is the folder of the file that asks for it.
func (p *preprocessor) include(dir, pattern string, depth int) error {
	switch {
	case pattern == "" || p.alone:
		return nil
	case pattern[0] == '{':
		return fmt.Errorf("include of %q: FreeSWITCH misreads a pattern that begins with a brace; write the path", pattern)
	case strings.Contains(pattern, "$${") || strings.Contains(pattern, "://"):
		p.unread = append(p.unread, gap{len(p.directives) - 1, len(p.out)})
		return nil
	case pattern[0] != '/':
		pattern = dir + "/" + pattern
	}
	names, err := p.src.Glob(pattern)
	if err != nil {
		return fmt.Errorf("look for the included files %s: %w", pattern, err)
	}
	for _, name := range names {
		f, err := p.open(name)
		if err != nil {
			return err
		}
		if f < 0 {
			continue
		}
		folder := ""
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			folder = name[:i]
		}
		if err := p.run(f, folder, depth); err != nil {
			return err
		}
	}
	return nil
}

// open returns the index of a file, read once; -1 for what FreeSWITCH passes
// over: a folder, or a link to nothing.
func (p *preprocessor) open(name string) (int32, error) {
	clean := path.Clean(name)
	if f, ok := p.byName[clean]; ok {
		return f, nil
	}
	data, ok := p.memory[clean]
	if ok {
		return p.add(clean, data), nil
	}
	data, err := p.src.ReadFile(clean)
	if errors.Is(err, fs.ErrNotExist) && clean != name {
		if _, err := p.src.ReadFile(name); err == nil {
			return 0, fmt.Errorf("read %s: a symbolic link stands before the `..`; include the file by its own path", name)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EISDIR):
		return -1, nil
	case err != nil:
		return 0, fmt.Errorf("read the configuration file %s: %w", clean, err)
	}
	return p.add(clean, data), nil
}

func (p *preprocessor) add(name string, data []byte) int32 {
	f := int32(len(p.files))
	p.files = append(p.files, file{name: name, data: data})
	p.byName[name] = f
	return f
}
