package fsxml

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// files is a Source in memory: names to what they hold.
type files map[string]string

func (f files) ReadFile(name string) ([]byte, error) {
	data, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(data), nil
}

func (f files) Glob(pattern string) ([]string, error) {
	var names []string
	for name := range f {
		names = append(names, name)
	}
	return glob(names, pattern)
}

// glob is glob(3) over a list of names. A match keeps the `..` of the pattern.
func glob(names []string, pattern string) ([]string, error) {
	clean := path.Clean(pattern)
	var found []string
	for _, name := range names {
		ok, err := path.Match(clean, name)
		if err != nil {
			return nil, err
		}
		if ok && (!strings.HasPrefix(path.Base(name), ".") || strings.HasPrefix(path.Base(clean), ".")) {
			found = append(found, pattern[:strings.LastIndexByte(pattern, '/')+1]+path.Base(name))
		}
	}
	sort.Strings(found)
	return found, nil
}

const conf = "/etc/freeswitch"

// vanilla is FreeSWITCH's own example configuration, as if it lay in conf.
func vanilla(t testing.TB) files {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "data", "vanilla-conf-1.10.12")
	tree := files{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		tree[conf+"/"+filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// load reads a configuration that must be readable.
func load(t testing.TB, src Source) *Config {
	t.Helper()
	c, err := Load(src, conf)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
