package inspect

import (
	"path"
	"slices"
	"strings"
)

// unitFolders has the other looks look where FreeSWITCH's unit makes it keep
// things, and tells of what that leaves open.
func unitFolders(s *scene) {
	u := s.unit()
	if len(u.command) == 0 {
		return
	}
	program, arguments := u.arguments()
	if program == "" {
		s.add(advice(Known, u.file, "starts FreeSWITCH by "+u.command[0]+", and which folders that names nobody knows: the usual ones were looked at",
			"call freeswitch itself in ExecStart= of "+s.on(u.file)+", or look into its folders yourself"))
		return
	}
	s.program = program
	own, conf := s.named(u, arguments)
	if conf != "" {
		s.takeConfiguration(u, conf)
	}
	s.layouts = append(slices.Clip(s.layouts), own)
	s.leaveShared(u, &s.layouts[len(s.layouts)-1])
	if name := after(arguments, "-cfgname"); name != "" && name != "freeswitch.xml" {
		s.add(advice(Known, u.file, "has FreeSWITCH read "+name+" in place of freeswitch.xml, and nobody looked at that",
			"leave out -cfgname in "+s.on(u.file)))
	}
}

// named are the folders that the arguments name. FreeSWITCH takes -conf, -log and
// -db together or not at all, unless there is a -base (switch.c:1048); here each
// counts.
func (s *scene) named(u unit, arguments []string) (own layout, conf string) {
	options := []struct {
		option, below string // its name, and the folder below -base without it
		folder        *string
	}{
		{"-conf", "conf", &conf},
		{"-log", "log", &own.logs},
		{"-db", "db", &own.databases},
		{"-run", "run", &own.run},
		{"-certs", "cert", &own.keys},
		{"-recordings", "recordings", &own.recordings},
		{"-storage", "storage", &own.storage},
	}
	own.work = s.inFull(u, u.workDir)
	for _, o := range options {
		*o.folder = s.inFull(u, after(arguments, o.option))
	}
	if own.run == "" {
		own.run = own.logs // switch.c:1030
	}
	if base := s.inFull(u, after(arguments, "-base")); base != "" {
		for _, o := range options { // switch_core_set_globals
			if *o.folder == "" {
				*o.folder = path.Join(base, o.below)
			}
		}
	}
	return own, conf
}

// after is the word behind an option, its last if there are several.
func after(arguments []string, option string) string {
	for i := len(arguments) - 2; i >= 0; i-- {
		if arguments[i] == option {
			return arguments[i+1]
		}
	}
	return ""
}

// inFull is a folder that the unit names; none where it cannot be known before
// systemd starts FreeSWITCH, which is told.
func (s *scene) inFull(u unit, folder string) string {
	switch {
	case folder == "":
		return ""
	case strings.ContainsAny(folder, `$%\`), folder[0] == '~':
		s.add(advice(Known, u.file, "names the folder "+folder+", and which that is only systemd knows: nobody looked there",
			"name it in full in "+s.on(u.file)))
		return ""
	case path.IsAbs(folder):
		return path.Clean(folder)
	default:
		return path.Join("/", u.workDir, folder)
	}
}

// takeConfiguration has the looks read the configuration that FreeSWITCH reads,
// and tells if it is not the one that fs-harden changes.
func (s *scene) takeConfiguration(u unit, conf string) {
	instead := "finds none"
	if s.ConfDir != "" {
		read, err := s.Canonical(conf)
		taken, err2 := s.Canonical(s.ConfDir)
		if err == nil && err2 == nil && read == taken {
			return
		}
		instead = "takes the one in " + s.ConfDir
	}
	s.add(advice(Image, u.file, "has FreeSWITCH read its configuration in "+conf+", and fs-harden "+instead,
		"conf_dir = \""+conf+"\" in the provisioner's block, and bake again"))
	s.ConfDir = conf
}

// leaveShared takes those folders out of the unit's in which the looks would take
// for FreeSWITCH's, and the bake would remove, what is not.
func (s *scene) leaveShared(u unit, own *layout) {
	for _, folder := range []*string{&own.logs, &own.keys, &own.recordings, &own.storage} {
		others := shared
		if folder == &own.logs {
			others = s.notLogs()
		}
		if s.holds(*folder, others) {
			s.add(advice(Known, u.file, "has FreeSWITCH write into "+*folder+", where more than that lies: what of it is FreeSWITCH's nobody knows, and nobody looked there",
				"give FreeSWITCH a folder for that alone in "+s.on(u.file)))
			*folder = ""
		}
	}
}

// shared are folders in which many programs keep things.
var shared = []string{
	"/dev/shm", "/etc/ssh", "/etc/ssl", "/etc/ssl/certs", "/etc/ssl/private", "/home", "/opt", "/root", "/run", "/srv",
	"/tmp", "/usr/bin", "/usr/local", "/usr/local/freeswitch", "/var/lib", "/var/lib/freeswitch", "/var/log", "/var/tmp",
}

// notLogs is what no folder of logs may hold: there, everything counts as a log.
func (s *scene) notLogs() []string {
	out := append([]string{s.ConfDir, s.program}, shared...)
	for _, l := range s.layouts {
		out = append(out, l.databases, l.keys, l.recordings, l.storage)
	}
	return append(out, s.users()...)
}

// holds tells whether a folder is one of these, or one of these lies below it.
func (s *scene) holds(folder string, these []string) bool {
	at, err := s.Canonical(folder)
	if folder == "" || err != nil {
		return false
	}
	return slices.ContainsFunc(these, func(p string) bool {
		it, err := s.Canonical(p)
		return p != "" && err == nil && strings.HasPrefix(it+"/", strings.TrimSuffix(at, "/")+"/")
	})
}

// ConfDir is FreeSWITCH's configuration folder, where its unit names one; the
// unit's files are those of Options.Unit.
func ConfDir(t Tree, unit []string) string {
	s := newScene(t, Options{Unit: unit})
	unitFolders(s)
	return s.ConfDir
}
