package inspect

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/watch"
)

const (
	systemLogDir = "/var/log"
	journalDir   = "/var/log/journal"
)

// systemLogs looks for what the system wrote down of the build. It is one finding
// for all of /var/log, and one for the journal: there are dozens of files. While a
// build runs they are written on, so they go last of all.
func systemLogs(s *scene) {
	var names []string
	own := s.logFolders()
	for _, name := range s.list(systemLogDir) {
		p := path.Join(systemLogDir, name)
		switch g := s.glance(p); {
		case p == journalDir, slices.Contains(installerLogs, p), slices.Contains(own, p), p == path.Dir(watch.LogFile), strings.HasPrefix(name, "cloud-init"): // told by themselves
		case g.Kind == host.File && g.Size > 0, g.Kind == host.Folder && s.holdsAny(p):
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		shown := strings.Map(printable, strings.Join(names[:min(len(names), 4)], ", "))
		if more := len(names) - 4; more > 0 {
			shown += fmt.Sprintf(" and %d more", more)
		}
		s.lastOfAll(systemLogDir, "logs of the build: who was on it and from where, what ran, perhaps passwords ("+shown+")",
			"find "+s.on(systemLogDir)+" -xdev -type f -exec truncate -s 0 {} +")
	}
	if s.holdsAny(journalDir) {
		s.lastOfAll(journalDir, "the journal of the build: whatever its programs said, perhaps passwords", "rm -r "+s.on(journalDir)+"/*")
	}
}

// printable leaves no control character in the name of a file.
func printable(c rune) rune {
	if c < ' ' || c == 0x7f {
		return '?'
	}
	return c
}

// lastOfAll is a finding of what a running build still writes.
func (s *scene) lastOfAll(p, why, remedy string) {
	f := advice(System, p, why, remedy+", last of all")
	f.Needed = true
	s.add(f)
}

// installerLogs are folders in which installers keep their log and what they were
// told: of Debian, Ubuntu and the Red Hats.
var installerLogs = []string{"/var/log/installer", "/var/log/anaconda"}

// installer looks for what a system's installer was told, passwords of the first
// user and of the disk among it.
func installer(s *scene) {
	for _, dir := range installerLogs {
		if s.holdsAny(dir) {
			// In /var/log users of the group syslog may have put one folder in the place
			// of another (Ubuntu): no run empties it.
			s.add(advice(System, dir, "the log and the answers of the system's installer, perhaps passwords", "rm -r "+s.on(dir)))
		}
	}
	for _, dir := range []string{"/", "/root"} {
		for _, name := range s.list(dir) {
			if !isAnswers(name) {
				continue
			}
			if at, g, ok := s.file(path.Join(dir, name)); ok && g.Size > 0 {
				s.add(advice(System, at, "what the system's installer was told, perhaps passwords", s.rm(at)))
			}
		}
	}
	const passwords = "/var/cache/debconf/passwords.dat" //nolint:gosec // a path, debconf(7)
	for _, l := range s.lines(passwords) {
		if value, ok := strings.CutPrefix(l, "Value:"); ok && strings.TrimSpace(value) != "" {
			s.add(advice(System, passwords, "passwords that packages were told when they were installed", "remove the lines that begin with Value: from "+s.on(passwords)))
		}
	}
}

// isAnswers tells a file of answers: for Debian's installer, Ubuntu's, Anaconda.
func isAnswers(name string) bool {
	for _, part := range []string{"preseed", "kickstart", "autoinstall", "-ks.cfg"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return name == "ks.cfg"
}
