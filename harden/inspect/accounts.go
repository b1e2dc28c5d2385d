package inspect

import "strings"

// passwordHashes looks for passwords of users, which can be guessed from their
// hashes, and which every instance would have. A locked hash is one too.
func passwordHashes(s *scene) {
	for _, l := range s.lines("/etc/shadow") {
		name, rest, ok := strings.Cut(l, ":")
		hash, _, more := strings.Cut(rest, ":")
		switch {
		case !ok || !more:
		case hash == "":
			s.add(advice(System, "/etc/shadow", "the user "+name+" needs no password at all", s.within("usermod -p '*' "+quoted(name))))
		case isHash(hash):
			s.add(advice(System, "/etc/shadow", "holds the password hash of the user "+name+": every instance would have that password", s.within("usermod -p '*' "+quoted(name))))
		}
	}
	for _, l := range s.lines("/etc/shadow-") {
		if f := strings.Split(l, ":"); len(f) > 2 && isHash(f[1]) {
			s.add(advice(System, "/etc/shadow-", "the copy of /etc/shadow that the last change left, with password hashes", s.rm("/etc/shadow-")))
		}
	}
}

// isHash tells a hash from what no password ever becomes: "*", "!", "!!", "x".
func isHash(field string) bool {
	field = strings.TrimLeft(field, "!*")
	return strings.HasPrefix(field, "$") || strings.HasPrefix(field, "_") || len(field) == 13 // crypt(5)
}
