package inspect

import (
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

const machineIDFile = "/etc/machine-id"

// machineID looks for the number by which a machine knows itself. Empty, it is
// made at boot; "uninitialized" too (machine-id(5)).
func machineID(s *scene) {
	const why = "every instance would be the same machine to DHCP, to the journal and to D-Bus"
	if at, _, ok := s.file(machineIDFile); ok {
		if id := strings.TrimSpace(string(s.text(at))); id != "" && id != "uninitialized" {
			s.add(s.emptied(System, at, why))
		}
	}
	const dbus = "/var/lib/dbus/machine-id"
	at, g, ok := s.file(dbus)
	if real, err := s.Canonical(machineIDFile); ok && g.Size > 0 && (err != nil || at != real) {
		s.add(s.gone(System, at, why))
	}
}

// randomSeeds looks for what must be used once: two machines with one seed may
// draw the same keys.
func randomSeeds(s *scene) {
	const why = "every instance would start its random numbers from the same seed"
	for _, p := range []string{
		"/var/lib/systemd/random-seed", "/boot/loader/random-seed", "/boot/efi/loader/random-seed", "/efi/loader/random-seed",
	} {
		if at, g, ok := s.file(p); ok && g.Size > 0 {
			s.add(s.gone(System, at, why))
		}
	}
	if at, g, ok := s.file("/var/lib/systemd/credential.secret"); ok && g.Size > 0 {
		s.add(s.gone(System, at, "every instance could open the credentials of every other (systemd-creds(1))"))
	}
}

// holdsNames tells whether there is anything in a folder.
func (s *scene) holdsNames(dir string) bool {
	for _, name := range s.list(dir) {
		if s.glance(path.Join(dir, name)).Kind != host.Absent {
			return true
		}
	}
	return false
}
