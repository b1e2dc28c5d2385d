package inspect

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/watch"
)

const authLog = "fs-harden-auth.log"

// isExpanded tells the configuration that FreeSWITCH writes, includes and
// variables expanded, into its log folder at every load (switch_xml.c:1745).
func isExpanded(name string) bool {
	return strings.HasSuffix(name, ".fsxml") || strings.HasSuffix(name, ".fsxml.tmp")
}

func expandedConfiguration(s *scene) {
	for _, dir := range s.logFolders() {
		for _, name := range s.list(dir) {
			if at, g, ok := s.file(path.Join(dir, name)); ok && isExpanded(name) && g.Size > 0 {
				s.addOwn(s.gone(Image, at, "the whole configuration as FreeSWITCH read it, passwords among it"))
			}
		}
	}
}

// logs looks for any log that holds something. Call records lie in folders of
// their own, a file a call: such a folder is one finding.
func logs(s *scene) {
	s.logsElsewhere()
	s.watchLogs()
	for _, dir := range s.logFolders() {
		for _, name := range s.list(dir) {
			p := path.Join(dir, name)
			if isExpanded(name) {
				continue
			}
			if s.glance(p).Kind == host.Folder {
				if s.holdsAny(p) {
					s.addOwn(s.goneFolder(Image, p, "records of calls and callers of the machine that the image is made of"))
				}
				continue
			}
			at, g, ok := s.file(p)
			switch {
			case !ok || g.Size == 0:
			case s.isCoreNamed(name, at): // told as what it is
			case name == authLog: // fail2ban does not start without the file
				s.addOwn(s.emptied(Image, at, "addresses that a scan of the build machine came from: every instance would ban them"))
			default:
				s.addOwn(s.gone(Image, at, "a log of the machine that the image is made of: callers, addresses, perhaps passwords"))
			}
		}
	}
}

// watchLogs are what the watch has written on the machine, the one of now and the
// older one.
func (s *scene) watchLogs() {
	const why = "addresses that a scan of the build machine came from: every instance would ban them"
	if at, g, ok := s.file(watch.LogFile); ok && g.Size > 0 {
		s.addOwn(s.emptied(Image, at, why)) // fail2ban does not start without the file
	}
	if at, _, ok := s.file(watch.LogFile + ".1"); ok {
		s.addOwn(s.gone(Image, at, why))
	}
}

// logsElsewhere tells of logs that the configuration names in other folders. What
// lies there only a person may remove: FreeSWITCH's user writes the configuration.
func (s *scene) logsElsewhere() {
	c := s.configuration()
	if c == nil {
		return
	}
	own := s.logFolders()
	for _, p := range c.Spots(configurations + "[logfile.conf]/profiles/profile/settings") {
		file, ok := p.Param("logfile")
		if !ok || !path.IsAbs(file) {
			continue
		}
		if dir, err := s.Canonical(path.Dir(file)); err == nil && slices.Contains(own, dir) {
			continue
		}
		rolled, err := s.Glob(globQuoted(path.Clean(file)) + ".*")
		if err != nil {
			s.unreadable(file, err)
		}
		for _, name := range append([]string{path.Clean(file)}, rolled...) {
			if at, g, ok := s.file(name); ok && g.Size > 0 {
				s.add(advice(Image, at, "a log of the machine that the image is made of, in a folder that only the configuration names: nobody removes it by itself", s.rm(at)))
			}
		}
	}
}

// globQuoted is a path as a pattern that matches it alone.
func globQuoted(p string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(p)
}

// databases looks for FreeSWITCH's, and for what SQLite keeps beside them, by what
// they are called and by how they begin. Below the configuration one is somebody's.
func databases(s *scene) {
	for _, dir := range s.folders(func(l layout) string { return l.databases }) {
		s.below(dir, func(p string, g host.Glimpse) onward {
			if at, g, ok := s.behind(p, g); ok && g.Size > 0 && (isDatabase(path.Base(p)) || s.isSQLiteFile(at)) {
				s.addOwn(s.gone(Image, at, "registrations, voicemail and limits of the machine that the image is made of"))
			}
			return into
		})
	}
	for _, f := range s.strays() {
		if f.sqlite {
			s.add(advice(Known, f.path, "a database below the configuration: what is in it every instance would have", s.rm(f.path)+", if nobody needs it"))
		}
	}
}

func isDatabase(name string) bool {
	for _, suffix := range []string{"-wal", "-shm", "-journal"} { // sqlite.org/tempfiles.html
		name = strings.TrimSuffix(name, suffix)
	}
	return slices.Contains([]string{".db", ".sqlite", ".sqlite3"}, path.Ext(name))
}

func (s *scene) isSQLiteFile(at string) bool {
	head, err := s.Peek(at, 0, 16)
	if err != nil {
		s.unreadable(at, err)
	}
	return isSQLite(head)
}

// runFiles looks for the number of a process that no instance has.
func runFiles(s *scene) {
	for _, dir := range s.folders(func(l layout) string { return l.run }) {
		p := path.Join(dir, "freeswitch.pid")
		if at, g, ok := s.file(p); ok && g.Size > 0 {
			s.addOwn(s.gone(Image, at, "names a process of the build: FreeSWITCH may take itself for running"))
		}
	}
}

// recordings are somebody's data: no program should remove them by itself.
func recordings(s *scene) {
	for _, dir := range append(s.folders(func(l layout) string { return l.recordings }), s.folders(func(l layout) string { return l.storage })...) {
		if s.holdsAny(dir) {
			s.add(advice(Known, dir, "somebody's voicemail, recordings or faxes: every instance would have them",
				fmt.Sprintf("rm -r %s/*, if nobody needs them", s.on(dir))))
		}
	}
}

// maxDepth bounds how many folders deep files are looked for: voicemail of a
// user lies at storage/voicemail/default/DOMAIN/USER.
const maxDepth = 8
