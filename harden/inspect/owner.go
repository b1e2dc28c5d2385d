package inspect

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// Whose a thing is decides what the bake removes by itself. In FreeSWITCH's own
// folders that is what its user wrote, or root, as whom it may run; a file of
// anybody else is a person's to look at.

// isRoot tells root's user id: 0, and in a tree that an ordinary user unpacked his.
func (s *scene) isRoot(uid int) bool {
	return uid == 0 || uid == os.Geteuid() || uid == s.glance("/").UID
}

// isFreeSWITCHs tells whether FreeSWITCH wrote what stands at p, as its user or as
// root, and whether the name is one that root may act on: root's alone, or in a
// folder whose owner could act on it himself. A folder of root's that lies in one
// of that user's may have been put in the place of another.
func (s *scene) isFreeSWITCHs(p string) bool {
	uid, dir := s.glance(p).UID, path.Dir(p)
	if s.glance(p).Kind == host.Absent { // it was there a moment ago
		return false
	}
	if !slices.Contains(s.freeswitchUIDs(), uid) && !s.isRoot(uid) {
		return false
	}
	g := s.glance(dir)
	return slices.Contains(s.freeswitchUIDs(), g.UID) || s.rootsAlone(dir) || othersWrite(g) && s.rootsAlone(path.Dir(dir))
}

// othersWrite tells whether users may change the names in a folder, or what a file
// holds, beside its owner.
func othersWrite(g host.Glimpse) bool {
	return g.Mode&0o002 != 0 || g.Mode&0o020 != 0 && g.GID != 0 && g.GID != os.Getegid()
}

// freeswitchUIDs are the users as whom FreeSWITCH runs: its packages' own, and what
// its unit says.
func (s *scene) freeswitchUIDs() []int {
	if s.uids != nil {
		return s.uids
	}
	u := s.unit()
	_, arguments := u.arguments()
	names := []string{"freeswitch", u.user, after(arguments, "-u")}
	s.uids = []int{}
	for _, l := range s.lines("/etc/passwd") {
		f := strings.Split(l, ":")
		if len(f) != 7 || !slices.Contains(names, f[0]) {
			continue
		}
		if uid, err := strconv.Atoi(f[2]); err == nil {
			s.uids = append(s.uids, uid)
		}
	}
	for _, name := range names {
		if uid, err := strconv.Atoi(name); err == nil {
			s.uids = append(s.uids, uid)
		}
	}
	return s.uids
}

// UIDs are the users as whom FreeSWITCH runs; the unit's files are those of
// Options.Unit.
func UIDs(t Tree, unit []string) []int {
	return newScene(t, Options{Unit: unit}).freeswitchUIDs()
}

// homeOwner is the user in whose home a path lies, nil for root and FreeSWITCH's. his
// tells that the folders on the way are his too: one of somebody else's, which sudo
// may have left there, he may have put in the place of another.
func (s *scene) homeOwner(p string) (u *host.User, his bool) {
	for _, home := range s.users() {
		if !strings.HasPrefix(p, home+"/") {
			continue
		}
		g := s.glance(home)
		if g.Kind != host.Folder || s.isRoot(g.UID) || slices.Contains(s.freeswitchUIDs(), g.UID) {
			continue
		}
		his = true
		for dir := path.Dir(p); dir != home; dir = path.Dir(dir) {
			his = his && s.glance(dir).UID == g.UID
		}
		return &host.User{UID: g.UID, GID: g.GID}, his
	}
	return nil, true
}

// addOwn is add for what lies in one of FreeSWITCH's folders: what is not
// FreeSWITCH's stays.
func (s *scene) addOwn(f *Found) {
	if f.Fix != None {
		if other := s.foreign(f.Path, maxDepth); other != "" {
			f.Fix = None
			f.Why += fmt.Sprintf("; %s belongs to user %d, and is not for a program to remove", other, s.glance(other).UID)
		}
	}
	s.add(f)
}

// foreign gives what is not FreeSWITCH's at p or, if that is a folder, below it.
// What lies too deep to be looked at counts as that.
func (s *scene) foreign(p string, depth int) string {
	if !s.isFreeSWITCHs(p) || depth < 0 {
		return p
	}
	if s.glance(p).Kind != host.Folder {
		return ""
	}
	for _, name := range s.list(p) {
		if f := s.foreign(path.Join(p, name), depth-1); f != "" {
			return f
		}
	}
	return ""
}

// rootsAlone tells whether only root decides what a file says: it and all folders
// that lead to it are root's, and nobody else's to write.
func (s *scene) rootsAlone(p string) bool {
	for at := p; ; at = path.Dir(at) {
		g := s.glance(at)
		if g.Kind == host.Symlink {
			to, err := s.Canonical(at)
			return err == nil && s.rootsAlone(path.Dir(at)) && s.rootsAlone(to)
		}
		if g.Kind != host.Absent && (!s.isRoot(g.UID) || othersWrite(g)) {
			return false
		}
		if at == "/" {
			return true
		}
	}
}
