package inspect

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// stray is what was seen of a file below the configuration that FreeSWITCH does not
// read as such: a key, a copy that an editor left, a database, a file that is
// switched off. All of them are gone through once, for several looks.
type stray struct {
	path   string
	key    keyKind
	sqlite bool
	packed bool      // an archive: nobody looked into it
	size   int64     // in bytes, if it is so large that only its beginning was read
	vcs    bool      // a folder of a version control system
	holds  []mention // secrets, except the two that are told elsewhere
}

// maxStray bounds a file below the configuration that is read whole, in bytes, and
// maxStrays all of them.
const (
	maxStray  = 1 << 20
	maxStrays = 64 << 20
)

// versionControl are folders that keep every version of what lies beside them.
var versionControl = []string{".git", ".svn", ".hg", ".bzr", "_darcs", "CVS", "RCS"}

// strays gives what is below the configuration, except what FreeSWITCH reads.
func (s *scene) strays() []stray {
	if s.ConfDir == "" || s.strayed {
		return s.astray
	}
	s.strayed = true
	s.configuration() // without it, all are strays
	left, keys := int64(maxStrays), append(s.keyFolders(), s.keyFoldersElsewhere()...)
	s.below(s.ConfDir, func(p string, g host.Glimpse) onward {
		switch {
		case g.Kind == host.Folder && slices.Contains(versionControl, path.Base(p)):
			s.astray = append(s.astray, stray{path: p, vcs: true})
			return past
		case g.Kind == host.Folder:
			if at, err := s.Canonical(p); err == nil && slices.Contains(keys, at) {
				return past // looked at as what they are
			}
			return into
		}
		at, g, ok := s.behind(p, g)
		if !ok || g.Size == 0 || strings.Contains(path.Base(p), tempMark) || s.isRead(at) { // of a killed run, and told as that
			return past
		}
		if s.astray = append(s.astray, s.stray(at, g.Size, left > 0)); s.by[at] == "" {
			left -= min(g.Size, maxStray)
		}
		return past
	})
	return s.astray
}

// stray looks at one file; whole tells that it may be read to its end.
func (s *scene) stray(at string, size int64, whole bool) stray {
	n := maxStray
	if size > maxStray || !whole {
		n = 64 << 10
	}
	data, err := s.Peek(at, 0, n)
	if err != nil {
		if !absent(err) { // an editor may be at work
			s.unreadable(at, err)
		}
		return stray{path: at}
	}
	one := stray{path: at, key: holdsKey(data), sqlite: isSQLite(data), packed: isPacked(data)}
	if isKeyStore(at, data) {
		one.key = ownKey
	}
	if int64(len(data)) < size && !one.sqlite && !isMedia(data) {
		one.size = size
	}
	if holds := s.ofSite(secretsIn(path.Base(at), data)); len(holds) > 0 {
		one.holds = []mention{{name: strings.Clone(holds[0].name), within: holds[0].within}} // not the whole text
	}
	return one
}

// isSQLite tells what SQLite writes, by how it begins: a database, a write-ahead
// log, a rollback journal (sqlite.org/fileformat2.html).
func isSQLite(data []byte) bool {
	return begins(data, "SQLite format 3\x00", "\x37\x7f\x06\x82", "\x37\x7f\x06\x83", "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")
}

// isPacked tells archives and packed files: gzip, bzip2, xz, zstd, zip, 7z, tar.
func isPacked(data []byte) bool {
	const ustar = 257 // pax(1)
	return begins(data, "\x1f\x8b", "BZh", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd", "PK\x03\x04", "7z\xbc\xaf\x27\x1c") ||
		len(data) > ustar && begins(data[ustar:], "ustar")
}

// isMedia tells what is large by its nature and holds no text: sounds, pictures,
// programs.
func isMedia(data []byte) bool {
	return begins(data, "RIFF", "ID3", "OggS", "fLaC", "\xff\xfb", "\xff\xf3", "\x89PNG", "\xff\xd8\xff", "GIF8", "\x7fELF", "%PDF") || bytes.HasPrefix(data[min(4, len(data)):], []byte("ftyp"))
}

func begins(data []byte, with ...string) bool {
	return slices.ContainsFunc(with, func(w string) bool { return len(data) >= len(w) && string(data[:len(w)]) == w })
}

// editorFiles looks for copies that editors, package tools and people leave beside
// a configuration, and that nobody thinks of when a password is changed.
func editorFiles(s *scene) {
	for _, f := range s.strays() {
		switch {
		case f.vcs:
			s.add(advice(Known, f.path, "every version of the configuration, also those with passwords that are no longer in it",
				"rm -r "+s.on(f.path)+", and put the files there without it"))
		case len(f.holds) > 0 && isLeftover(path.Base(f.path)) && !s.isOwnCopy(f.path) && !s.kept[f.path]:
			s.add(advice(Image, f.path, "a copy that an editor, a package or a person has left, with a password or key in it ("+f.holds[0].name+")", s.rm(f.path)))
		}
	}
	for _, name := range versionControl {
		if p := path.Join("/etc", name); s.glance(p).Kind == host.Folder { // etckeeper(8)
			s.add(advice(System, p, "every version of what lies in /etc, password hashes and keys among it", "rm -r "+s.on(p)))
		}
	}
}

// isLeftover tells the names of such copies.
func isLeftover(name string) bool {
	for _, end := range []string{
		"~", ".orig", ".bak", ".backup", ".save", ".old", ".swp", ".swo", ".swn", ".rej", ".tmp", ".copy",
		".dpkg-old", ".dpkg-dist", ".dpkg-new", ".dpkg-tmp", ".ucf-old", ".ucf-dist", ".ucf-new", ".rpmsave", ".rpmnew", ".rpmorig",
	} {
		if strings.HasSuffix(name, end) || strings.Contains(name, end+".") || strings.Contains(name, end+"-") {
			return true
		}
	}
	return strings.HasPrefix(name, "#") || strings.HasPrefix(name, ".#")
}

// isOwnCopy tells a .bak that fs-harden has made of an original: the look at the
// backups tells what is in it. While a run is under way, its record comes last.
func (s *scene) isOwnCopy(p string) bool {
	of, ok := strings.CutSuffix(p, ".bak")
	if !ok || !s.isRead(of) {
		return false
	}
	return s.glance(journal).Kind == host.Folder || slices.ContainsFunc(s.originals(), func(o original) bool { return o.Path == p || o.Path == of })
}
