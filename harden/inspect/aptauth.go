package inspect

import "path"

// packageCredentials looks for what opens a package repository: FreeSWITCH's own
// gives its packages for a token alone. It stands in auth.conf (apt_auth.conf(5)), in
// the address of a source, or in that of a proxy.
func packageCredentials(s *scene) {
	const why = "the token or password of a package repository: whoever has the image can use it"
	for _, p := range append(s.in("/etc/apt/auth.conf.d"), "/etc/apt/auth.conf") {
		if at, _, ok := s.file(p); ok && netrcPassword(s.lines(at)) {
			s.add(advice(System, at, why, s.rm(at)+", once the last package is installed"))
		}
	}
	for _, p := range append(append(s.in("/etc/apt/sources.list.d"), s.in("/etc/apt/apt.conf.d")...), "/etc/apt/sources.list", "/etc/apt/apt.conf") {
		if at, _, ok := s.file(p); ok && holdsSecret(s, at) {
			s.add(advice(System, at, why, "take the password out of "+s.on(at)+", once the last package is installed"))
		}
	}
}

// in are the paths of what is in a folder.
func (s *scene) in(dir string) []string {
	var out []string
	for _, name := range s.list(dir) {
		out = append(out, path.Join(dir, name))
	}
	return out
}
