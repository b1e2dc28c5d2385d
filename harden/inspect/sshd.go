package inspect

import (
	"path"
	"strings"
)

const sshdConfig = "/etc/ssh/sshd_config"

// sshPasswords looks whether sshd takes passwords. Of several settings the first
// counts, and one behind Match for those alone whom it names (sshd_config(5)).
func sshPasswords(s *scene) {
	if _, _, ok := s.file(sshdConfig); !ok {
		return // no sshd here
	}
	r := sshdReader{scene: s}
	r.read(sshdConfig, false, 0)
	onlyKeys := "sed -i '1i PasswordAuthentication no' " + s.on(sshdConfig)
	switch {
	case r.value == "":
		s.add(advice(Known, sshdConfig, "says nothing of PasswordAuthentication, and sshd then takes passwords", onlyKeys))
	case r.value != "no":
		s.add(advice(System, r.at, "sshd takes passwords: it will be tried from the first minute", onlyKeys))
	}
	for _, at := range r.matched {
		s.add(advice(System, at, "sshd takes passwords of those whom a Match block names", "remove PasswordAuthentication from the Match blocks of "+s.on(at)))
	}
}

type sshdReader struct {
	*scene
	value, at string   // of the first setting, in lower case, and its file
	matched   []string // files in which a Match block says yes
}

// maxIncludes is how deep sshd includes (servconf.c, SERVCONF_MAX_DEPTH).
const maxIncludes = 16

// read reads one file; match tells that it was included from within a Match
// block. One that begins in a file ends with it.
func (r *sshdReader) read(file string, match bool, depth int) {
	if depth > maxIncludes {
		return
	}
	for _, l := range r.lines(file) {
		f := strings.FieldsFunc(l, func(c rune) bool { return c == ' ' || c == '\t' || c == '=' || c == '"' })
		if len(f) < 2 {
			continue
		}
		switch strings.ToLower(f[0]) {
		case "match":
			match = !(len(f) == 2 && strings.EqualFold(f[1], "all"))
		case "include":
			for _, pattern := range f[1:] {
				r.include(pattern, match, depth)
			}
		case "passwordauthentication":
			switch value := strings.ToLower(f[1]); {
			case match && value != "no":
				r.matched = append(r.matched, file)
			case !match && r.value == "":
				r.value, r.at = value, file
			}
		}
	}
}

func (r *sshdReader) include(pattern string, match bool, depth int) {
	if !path.IsAbs(pattern) {
		pattern = path.Join("/etc/ssh", pattern)
	}
	files, err := r.Glob(pattern)
	if err != nil {
		r.unreadable(path.Dir(pattern), err)
	}
	for _, file := range files {
		r.read(file, match, depth+1)
	}
}
