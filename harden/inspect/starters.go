package inspect

import (
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// Starter is what starts FreeSWITCH at a boot beside its own unit, and does not ask
// the gate first: that FreeSWITCH listens whether or not its secrets were made.
type Starter struct {
	Path   string // the file that says so
	What   string // in words, for people
	Remedy string
}

// Starters are those of a machine. unit are the files of FreeSWITCH's own unit, as
// in Options, and service its name without .service.
func Starters(t Tree, service string, unit []string) []Starter {
	s := newScene(t, Options{Unit: unit, Service: service})
	return s.starters()
}

// otherStarters tells of them. The bake names none: which of them is wanted, only a
// person knows.
func otherStarters(s *scene) {
	for _, o := range s.starters() {
		s.add(advice(Image, o.Path, o.What+", and it does not wait until this instance has secrets of its own", o.Remedy))
	}
}

// starters looks for them through a scene of its own: what is wrong with the units
// of others is no finding.
func (s *scene) starters() []Starter {
	q := newScene(s.Tree, Options{Unit: s.Unit, Service: s.Service})
	q.anybodys = true
	own := ""
	if len(s.Unit) > 0 {
		own, _ = s.Canonical(s.Unit[0])
	}
	out := q.unitStarters(own)
	out = append(out, q.initStarters()...)
	return append(out, q.bootStarters()...)
}

// unitStarters are enabled services, but for FreeSWITCH's own unit and what is an
// alias of it.
func (s *scene) unitStarters(own string) []Starter {
	var out []Starter
	for _, name := range s.enabled() {
		names := unitNames(name)
		file, masked := UnitFile(s, names...)
		if at, err := s.Canonical(file); file == "" || masked || !strings.HasSuffix(name, ".service") || err != nil || at == own || names[0] == s.Service+".service" {
			continue
		}
		files, err := UnitFiles(s, names...)
		if err != nil {
			continue
		}
		q := *s
		q.Unit = files
		if u := q.unit(); s.startsFreeSWITCH(u.command) && !u.gated {
			out = append(out, Starter{file, "the unit " + name + " is enabled and starts FreeSWITCH", s.within("systemctl disable " + quoted(name))})
		}
	}
	return out
}

// unitNames are the names of a unit's file and folders: a template's, and its own.
func unitNames(name string) []string {
	if at := strings.IndexByte(name, '@'); at >= 0 {
		if dot := strings.LastIndexByte(name, '.'); dot > at+1 {
			return []string{name[:at+1] + name[dot:], name}
		}
	}
	return []string{name}
}

// maxEnabled bounds how many units are followed; a system has some two hundred.
const maxEnabled = 2000

// enabled are the units that a boot starts: by the links that systemctl enable
// makes, and what those units want in their turn.
func (s *scene) enabled() []string {
	names := []string{"default.target", "multi-user.target", "graphical.target", "basic.target", "sysinit.target"}
	for _, dir := range UnitDirs() {
		for _, pattern := range []string{"*.wants/*", "*.requires/*", "*.upholds/*"} {
			found, _ := s.Glob(path.Join(dir, pattern)) // the pattern is well formed
			for _, f := range found {
				names = append(names, path.Base(f))
			}
		}
	}
	for _, dir := range UnitDirs()[:2] { // an alias is a link there
		found, _ := s.Glob(path.Join(dir, "*.service"))
		for _, f := range found {
			if g := s.glance(f); g.Kind == host.Symlink && g.Target != "/dev/null" && path.Base(g.Target) != path.Base(f) {
				names = append(names, path.Base(f))
			}
		}
	}
	seen := map[string]bool{}
	var out []string
	for len(names) > 0 && len(out) < maxEnabled {
		name := names[0]
		names = names[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		out = append(out, name)
		names = append(names, s.wantedBy(name)...)
	}
	return out
}

// wantedBy are the units that another has started.
func (s *scene) wantedBy(name string) []string {
	if _, masked := UnitFile(s, unitNames(name)...); masked {
		return nil
	}
	files, err := UnitFiles(s, unitNames(name)...)
	if err != nil {
		return nil
	}
	var out []string
	stem, kind, _ := cutLast(name, '.')
	activates := slices.Contains([]string{"timer", "socket", "path"}, kind)
	s.settings(files, func(_, section, key, value string) {
		switch {
		case section == "[Unit]" && slices.Contains([]string{"Wants", "Requires", "BindsTo", "Upholds"}, key):
			out = append(out, strings.Fields(value)...)
		case activates && (key == "Unit" || key == "Service") && value != "":
			out, activates = append(out, value), false
		}
	})
	if activates && len(files) > 0 {
		out = append(out, stem+".service")
	}
	return out
}

// startsFreeSWITCH tells whether a command is FreeSWITCH's program, or starts it
// from a shell or another program.
func (s *scene) startsFreeSWITCH(command []string) bool {
	if len(command) > 0 && path.Base(strings.TrimLeft(command[0], "-@:+!|")) == "freeswitch" {
		return true
	}
	return slices.ContainsFunc(command, s.namesProgram)
}

// namesProgram tells whether a text names FreeSWITCH's program by its path. Its
// folders have the same name, and are none.
func (s *scene) namesProgram(text string) bool {
	for _, f := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\"'`=;&|()<>{}$", r) }) {
		if !path.IsAbs(f) || path.Base(f) != "freeswitch" {
			continue
		}
		if dir := path.Base(path.Dir(f)); dir == "bin" || dir == "sbin" {
			return true
		}
		if _, g, ok := s.file(f); ok && g.Mode&0o111 != 0 {
			return true
		}
	}
	return false
}

// initStarters are scripts in the manner of System V that a boot starts. systemd
// passes over one that has a unit of the same name (systemd-sysv-generator(8)), and
// gives one that has none FreeSWITCH's drop-ins if it has the name of its unit.
func (s *scene) initStarters() []Starter {
	links, _ := s.Glob("/etc/rc[2-5].d/S[0-9][0-9]*")
	var seen []string
	var out []Starter
	for _, l := range links {
		name := path.Base(l)[len("S00"):]
		script := path.Join("/etc/init.d", name)
		unit, _ := UnitFile(s, name+".service")
		if name == s.Service || unit != "" || slices.Contains(seen, name) {
			continue
		}
		seen = append(seen, name)
		if slices.ContainsFunc(s.lines(script), s.namesProgram) {
			out = append(out, Starter{script, "the script " + script + " is enabled and starts FreeSWITCH", s.within("update-rc.d " + quoted(name) + " disable")})
		}
	}
	return out
}

// bootStarters are rc.local and the lines of crontabs that run at a boot. Of users'
// crontabs root's and FreeSWITCH's count: who else starts one of his own starts
// another than this.
func (s *scene) bootStarters() []Starter {
	var out []Starter
	const rcLocal = "/etc/rc.local"
	if _, g, ok := s.file(rcLocal); ok && g.Mode&0o111 != 0 && slices.ContainsFunc(s.lines(rcLocal), s.namesProgram) {
		out = append(out, Starter{rcLocal, "starts FreeSWITCH at every boot", "take that line out of " + s.on(rcLocal)})
	}
	crontabs, _ := s.Glob("/etc/cron.d/*")
	crontabs = append(crontabs, "/etc/crontab", "/var/spool/cron/crontabs/root", "/var/spool/cron/crontabs/freeswitch")
	if user, _ := s.runsAs(); user != "" && !strings.Contains(user, "/") {
		crontabs = append(crontabs, path.Join("/var/spool/cron/crontabs", user))
	}
	for _, f := range slices.Compact(crontabs) {
		if slices.ContainsFunc(s.lines(f), func(l string) bool { return strings.HasPrefix(l, "@reboot") && s.namesProgram(l) }) {
			out = append(out, Starter{f, "starts FreeSWITCH at every boot (@reboot)", "take that line out of " + s.on(f)})
		}
	}
	return out
}

// RunsAs is as whom FreeSWITCH's unit runs it, by name or number: known is false
// where it does not start FreeSWITCH itself, and so does not say. The unit's files
// are those of Options.Unit.
func RunsAs(t Tree, unit []string) (user, group string, known bool) {
	s := newScene(t, Options{Unit: unit})
	program, _ := s.unit().arguments()
	user, group = s.runsAs()
	return user, group, user != "" || program != ""
}

// runsAs is empty for root, and where it is not known. -u and -g are what
// FreeSWITCH changes to where it is started as root (switch.c, change_user_group).
func (s *scene) runsAs() (user, group string) {
	u := s.unit()
	_, arguments := u.arguments()
	user, group = u.user, u.group
	if user == "" || user == "root" || user == "0" {
		user = after(arguments, "-u")
	}
	if g := after(arguments, "-g"); g != "" && group == "" {
		group = g
	}
	return user, group
}
