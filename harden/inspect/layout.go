package inspect

import (
	"path"
	"slices"
	"strings"
)

// layout is where a FreeSWITCH keeps what it writes (configure.ac:66-135).
type layout struct {
	logs, databases, run, keys, recordings, storage string

	work string // the folder that it runs in, or is put into by hand
}

// layouts are those of Debian's packages, of a build from source, and of one
// with --enable-fhs. All are looked at, whichever is configured: what an earlier
// installation left is in the image as well. FreeSWITCH's unit may name another.
var layouts = []layout{
	{"/var/log/freeswitch", "/var/lib/freeswitch/db", "/run/freeswitch", "/etc/freeswitch/tls", "/var/lib/freeswitch/recordings", "/var/lib/freeswitch/storage", "/var/lib/freeswitch"},
	{"/usr/local/freeswitch/log", "/usr/local/freeswitch/db", "/usr/local/freeswitch/run", "/usr/local/freeswitch/certs", "/usr/local/freeswitch/recordings", "/usr/local/freeswitch/storage", "/usr/local/freeswitch"},
	{"/usr/local/freeswitch/var/log/freeswitch", "/usr/local/freeswitch/var/lib/freeswitch/db", "/usr/local/freeswitch/var/run/freeswitch", "/usr/local/freeswitch/etc/freeswitch/tls", "/usr/local/freeswitch/var/lib/freeswitch/recordings", "/usr/local/freeswitch/var/lib/freeswitch/storage", "/usr/local/freeswitch/var/lib/freeswitch"},
}

// folders gives one kind of folder of every layout, and more where given, each
// once by the name that it has behind all links. What a running machine keeps in
// memory gets into no image.
func (s *scene) folders(which func(layout) string, more ...string) []string {
	var out []string
	for _, l := range s.layouts {
		more = append(more, which(l))
	}
	for _, dir := range more {
		if dir == "" {
			continue // a unit need not name all
		}
		at, err := s.Canonical(dir)
		if err != nil {
			s.unreadable(dir, err)
			continue
		}
		memory := s.Building && (strings.HasPrefix(at+"/", "/run/") || strings.HasPrefix(at+"/", "/dev/shm/"))
		if !memory && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// logFolders are the layouts'.
func (s *scene) logFolders() []string {
	return s.folders(func(l layout) string { return l.logs })
}

// keyFolders are the layouts' and the configuration's own.
func (s *scene) keyFolders() []string {
	var more []string
	if s.ConfDir != "" {
		more = append(more, path.Join(s.ConfDir, "tls"), path.Join(s.ConfDir, "ssl"))
	}
	return s.folders(func(l layout) string { return l.keys }, more...)
}

// keyFoldersElsewhere are those that the SIP profiles name (sofia.c, tls-cert-dir),
// outside of FreeSWITCH's own.
func (s *scene) keyFoldersElsewhere() []string {
	c := s.configuration()
	if c == nil {
		return nil
	}
	own := s.keyFolders()
	var out []string
	for _, p := range c.Spots(configurations + "[sofia.conf]/profiles/profile/settings") {
		dir, ok := p.Param("tls-cert-dir")
		if !ok || !path.IsAbs(dir) {
			continue
		}
		at, err := s.Canonical(dir)
		if err != nil {
			s.unreadable(dir, err)
			continue
		}
		if !slices.Contains(own, at) && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// users are root's home, those in passwd(5), and what lies in /home: that of a
// user who was removed is in the image as well.
func (s *scene) users() []string {
	if s.homes != nil {
		return s.homes
	}
	candidates := []string{"/root"}
	for _, l := range s.lines("/etc/passwd") {
		if f := strings.Split(l, ":"); len(f) == 7 && path.IsAbs(f[5]) {
			candidates = append(candidates, path.Clean(f[5]))
		}
	}
	for _, name := range s.list("/home") {
		candidates = append(candidates, path.Join("/home", name))
	}
	for _, dir := range candidates {
		at, err := s.Canonical(dir)
		if err != nil {
			s.unreadable(dir, err)
			continue
		}
		if !slices.Contains(s.homes, at) {
			s.homes = append(s.homes, at)
		}
	}
	return s.homes
}
