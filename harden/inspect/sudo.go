package inspect

import (
	"path"
	"strings"
)

// cloudInitSudoers is what cloud-init writes for the users that it makes, and again
// on each instance (cloudinit/distros/__init__.py, ci_sudoers_fn).
const cloudInitSudoers = "90-cloud-init-users"

// sudoRules looks for rules that make root of a user without a password: that of the
// build's user is in every instance. A build that comes in as him needs it to its end.
func sudoRules(s *scene) {
	files := []string{"/etc/sudoers"}
	for _, name := range s.list("/etc/sudoers.d") {
		if name != cloudInitSudoers && !strings.Contains(name, ".") && !strings.HasSuffix(name, "~") { // sudoers(5) passes over these
			files = append(files, path.Join("/etc/sudoers.d", name))
		}
	}
	for _, p := range files {
		at, _, ok := s.file(p)
		if !ok {
			continue
		}
		for _, l := range s.joined(at) {
			if who := strings.Fields(l)[0]; strings.Contains(l, "NOPASSWD") || strings.Contains(l, "!authenticate") {
				s.lastOfAll(at, "lets "+who+" run commands as root without a password, on every instance", "remove the rule from "+s.on(at))
			}
		}
	}
}
