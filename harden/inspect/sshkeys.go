package inspect

import (
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// sshHostKeys looks for the keys by which a machine is known. A build that comes
// in over SSH needs them to its end.
func sshHostKeys(s *scene) {
	for _, name := range s.list("/etc/ssh") {
		p := path.Join("/etc/ssh", name)
		if !strings.HasPrefix(name, "ssh_host_") || !strings.Contains(name, "_key") || s.glance(p).Kind == host.Folder {
			continue
		}
		f := advice(System, p, "every instance would have this SSH host key, and could pass for every other", s.rm(p))
		f.Needed = true
		if s.Building {
			f.Remedy = "rm /etc/ssh/ssh_host_*_key* in the last provisioner (cloud-init makes new ones; without it, ssh-keygen -A at boot)"
		}
		s.add(f)
	}
}

// authorizedKeys looks for the keys that let somebody in, the build's among them.
func authorizedKeys(s *scene) {
	for _, home := range s.users() {
		for _, name := range []string{"authorized_keys", "authorized_keys2"} {
			p := path.Join(home, ".ssh", name)
			at, _, ok := s.file(p)
			if !ok || len(s.lines(at)) == 0 {
				continue
			}
			f := advice(System, at, "whoever has a key of the build gets into every instance", s.rm(at))
			f.Needed = true
			if s.Building {
				f.Remedy = "ssh_clear_authorized_keys = true in the source block"
			}
			s.add(f)
		}
	}
}
