package inspect

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// The names of what host writes before it counts, see there.
const (
	tempMark  = ".fs-harden-tmp-"
	asideMark = ".fs-harden-aside-"
	// workspace is what the provisioner's upload folder begins with.
	workspace = "packer-fs-harden-"

	originals = state.Dir + "/originals.json"
	journal   = state.Dir + "/journal"
	finished  = state.Dir + "/journal.finished" // of a run that is final, until it is removed
)

// credentials looks for the files that hold an instance's two secrets, or
// another password of the event socket.
func credentials(s *scene) {
	if at, g, ok := s.file("/root/freeswitch-credentials.txt"); ok && g.Size > 0 {
		s.add(s.gone(Image, at, "an instance's passwords: its copies would all have them"))
	}
	clients := []string{"/etc/fs_cli.conf"}
	for _, home := range s.users() {
		clients = append(clients, path.Join(home, ".fs_cli_conf"))
	}
	for _, p := range clients {
		if at, _, ok := s.file(p); ok && s.hasPassword(at) {
			s.add(s.gone(Image, at, "holds a password of the event socket, which controls FreeSWITCH"))
		}
	}
}

// hasPassword reads fs_cli's configuration: key => value.
func (s *scene) hasPassword(p string) bool {
	return slices.ContainsFunc(s.lines(p), func(l string) bool {
		key, value, ok := strings.Cut(l, "=")
		return ok && strings.TrimSpace(key) == "password" && strings.Trim(value, "> \t") != ""
	})
}

// leftovers looks for what fs-harden leaves on an instance, or left when it was
// killed, and has no place in an image.
func leftovers(s *scene) {
	for _, x := range []struct{ path, why string }{
		{state.PendingPath, "passwords in clear of a first boot that was broken off: every instance would take them"},
		{state.CommittedPath, "says that this instance has its passwords: its copies would make none of their own"},
		{state.Dir + "/report-firstboot.json", "the report of an instance's first boot"},
		{state.Dir + "/report-rotate.json", "the report of an instance's rotation"},
	} {
		if s.glance(x.path).Kind != host.Absent {
			s.add(s.gone(Image, x.path, x.why))
		}
	}
	if s.glance(journal).Kind == host.Folder {
		s.add(advice(Image, journal, "a run was killed: what it had replaced lies here, old passwords among it", s.harden("apply")+", which puts it back first"))
	}
	if s.glance(finished).Kind == host.Folder {
		s.add(advice(Image, finished, "a run was killed at its very end: what it had replaced lies here, old passwords among it", s.harden("forget")+", which removes it"))
	}
	for _, dir := range s.written() {
		for _, name := range s.all(dir) {
			p := path.Join(dir, name)
			switch {
			case name[0] == '.' && strings.Contains(name, tempMark) && s.glance(p).Kind != host.Folder:
				s.add(s.gone(Image, p, "a file that a killed run was writing, perhaps with passwords"))
			case strings.HasPrefix(name, asideMark) && s.glance(p).Kind != host.Folder: // no run sets a folder aside
				s.add(s.gone(Image, p, "what a killed run was about to remove"))
			}
		}
	}
	for _, name := range s.list("/root") {
		if strings.HasPrefix(name, "fs-harden-rollback-") || strings.HasPrefix(name, "fs-harden-recovered-") {
			p := path.Join("/root", name)
			s.add(advice(Known, p, "what a person had changed before fs-harden put files back, perhaps with passwords", "rm -r "+s.on(p)))
		}
	}
	s.uploads()
}

// uploads are the folders that the provisioner uploads to. One that is there
// while a build runs may be what runs us.
func (s *scene) uploads() {
	for _, dir := range append([]string{"/tmp", "/var/tmp"}, s.users()...) {
		for _, name := range s.list(dir) {
			if !strings.HasPrefix(name, workspace) {
				continue
			}
			f := s.goneFolder(Image, path.Join(dir, name), "what the provisioner has uploaded and did not remove")
			if f.Needed = s.Building; s.Building {
				f.Fix, f.Remedy = None, "leave out skip_clean_up, or remove it last of all: "+f.Remedy
			}
			s.add(f)
		}
	}
}

// written are the folders that fs-harden has ever written into: the usual ones,
// and what the record of the originals names.
func (s *scene) written() []string {
	candidates := []string{
		state.Dir, path.Dir(state.PlanPath), path.Dir(state.HelperPath), "/etc", "/root",
		"/etc/systemd/system", "/etc/systemd/system/freeswitch.service.d", "/etc/systemd/system/multi-user.target.wants",
		"/etc/fail2ban/filter.d", "/etc/fail2ban/jail.d", "/etc/fail2ban/action.d", "/etc/tmpfiles.d", "/etc/ufw", "/var/log",
	}
	if s.ConfDir != "" {
		candidates = append(candidates, s.ConfDir)
	}
	if c := s.configuration(); c != nil {
		own := host.Confine(s.Tree, s.ConfDir)
		for _, f := range c.Files() {
			if own.Holds(f) {
				candidates = append(candidates, path.Dir(f))
			}
		}
	}
	candidates = append(candidates, s.users()...)
	candidates = append(candidates, s.logFolders()...)
	candidates = append(candidates, s.keyFolders()...)
	candidates = append(candidates, s.folders(func(l layout) string { return l.databases })...)
	for _, e := range s.originals() {
		candidates = append(candidates, path.Dir(e.Path))
	}
	slices.Sort(candidates)
	return slices.DeleteFunc(slices.Compact(candidates), func(dir string) bool { return s.glance(dir).Kind == host.Absent })
}

// original is what the record keeps of a path: what stood there before.
type original struct {
	Path   string `json:"path"`
	Before struct {
		Data []byte `json:"data"`
	} `json:"before"`
}

// maxRecord bounds the record of the originals and a backup, in bytes.
const maxRecord = 64 << 20

func (s *scene) originals() []original {
	at, g, ok := s.file(originals)
	if !ok || g.Size > maxRecord {
		return nil // told in the look at the backups
	}
	b, err := s.ReadFile(at)
	if err != nil {
		s.unreadable(at, err)
		return nil
	}
	var out []original
	if err := json.Unmarshal(b, &out); err != nil {
		s.unreadable(at, err)
	}
	return out
}
