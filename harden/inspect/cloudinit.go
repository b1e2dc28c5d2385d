package inspect

import (
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// cloudInit looks for what cloud-init remembers of the build: an instance with
// that may not be set up at all, or as the build machine was.
func cloudInit(s *scene) {
	const dir = "/var/lib/cloud"
	clean := s.within("cloud-init clean --logs --seed")
	for _, name := range []string{"data", "instances", "sem"} {
		if p := path.Join(dir, name); s.holdsNames(p) {
			f := s.goneFolder(System, p, "what cloud-init remembers of the build, its user data among it")
			f.Remedy = clean
			s.add(f)
		}
	}
	if p := path.Join(dir, "instance"); s.glance(p).Kind != host.Absent && !s.holdsNames(path.Join(dir, "instances")) {
		f := s.gone(System, p, "names the build as the instance that cloud-init set up")
		f.Remedy = clean
		s.add(f)
	}
	for _, source := range s.list(path.Join(dir, "seed")) {
		for _, name := range []string{"user-data", "vendor-data", "meta-data", "network-config"} {
			if at, g, ok := s.file(path.Join(dir, "seed", source, name)); ok && g.Size > 0 {
				s.add(advice(System, at, "cloud-init would set every instance up with this data of the build", clean))
			}
		}
	}
	for _, name := range s.list("/var/log") {
		if !strings.HasPrefix(name, "cloud-init") {
			continue
		}
		if at, g, ok := s.file(path.Join("/var/log", name)); ok && g.Size > 0 {
			f := s.gone(System, at, "cloud-init's log of the build: its user data and commands, perhaps passwords")
			f.Remedy = clean
			s.add(f)
		}
	}
	s.places([]place{{"/etc/cloud/cloud.cfg", isSeed}, {"/etc/cloud/cloud.cfg.d", isSeed}},
		"has cloud-init set every instance up with data of the build: a seed, a password or a key in it", "", false)
}

// seeded are settings of cloud-init that bring an instance's data along, or where
// it comes from (cloudinit/sources/DataSourceNoCloud.py, DataSourceNone.py).
var seeded = []string{"seedfrom", "user-data", "userdata", "userdata_raw", "vendor-data", "vendordata_raw", "meta-data", "chpasswd", "ssh_authorized_keys"}

// isSeed tells whether a file of cloud-init's configuration has such a setting, or a
// password.
func isSeed(s *scene, p string) bool {
	text := s.text(p)
	for l := range strings.Lines(string(text)) {
		if key, _, ok := strings.Cut(strings.TrimLeft(l, " \t-"), ":"); ok && slices.Contains(seeded, strings.TrimSpace(key)) {
			return true
		}
	}
	return len(secretsIn(p, text)) > 0
}
