package inspect

import (
	"os"
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// unit is how systemd starts FreeSWITCH.
type unit struct {
	file    string   // the one that has the command
	command []string // words, with the variables in them put in; none, if it starts nothing
	workDir string   // WorkingDirectory=
	user    string   // User=
	group   string   // Group=
	gated   bool     // it asks fs-harden gate first, and a refusal counts
}

// unit reads the unit's files, the last word last. Each is what it adds to those
// before it, and an empty setting forgets them (systemd.service(5)).
func (s *scene) unit() unit {
	var u unit
	var command, environment, files []string
	s.settings(s.Unit, func(file, section, key, value string) {
		if section != "[Service]" {
			return
		}
		switch key {
		case "ExecStart":
			u.file, command = file, collect(command, value)
		case "ExecStartPre":
			u.gated = value != "" && (u.gated || strings.TrimLeft(value, "@:+!|") == state.HelperPath+" gate")
		case "Environment":
			environment = collect(environment, value)
		case "EnvironmentFile":
			files = collect(files, value)
		case "WorkingDirectory":
			u.workDir = strings.TrimPrefix(value, "-")
		case "User":
			u.user = value
		case "Group":
			u.group = value
		}
	})
	variables := s.environment(environment, files)
	if u.command = expand(command, variables); len(u.command) > 0 {
		u.command = append(u.command, strings.Fields(variables["FREESWITCH_OPTS"])...) // switch.c:537
	}
	return u
}

// settings gives each setting of a unit's files in turn, with its section.
func (s *scene) settings(files []string, each func(file, section, key, value string)) {
	for _, file := range files {
		if !s.fromRoot(file) {
			continue
		}
		section := ""
		for _, l := range s.joined(file) {
			if strings.HasPrefix(l, "[") {
				section = l
			}
			if key, value, ok := strings.Cut(l, "="); ok {
				each(file, section, strings.TrimSpace(key), strings.TrimSpace(value))
			}
		}
	}
}

// fromRoot tells whether a file says where FreeSWITCH keeps things, or is told of:
// what anybody but root may write does not.
func (s *scene) fromRoot(file string) bool {
	if s.anybodys || s.rootsAlone(file) {
		return true
	}
	s.add(advice(Known, file, "is part of FreeSWITCH's unit, and others than root may change it: what it says of folders was passed over",
		"chown root: "+s.on(file)+"; chmod go-w "+s.on(file)))
	return false
}

// collect adds the words of a setting to those before it.
func collect(before []string, value string) []string {
	if value == "" {
		return nil
	}
	return append(before, words(value)...)
}

// maxEnvironmentFiles bounds how many of them are read, and maxVariables what
// they may add to a command, in bytes: execve(2) takes no longer one.
const (
	maxEnvironmentFiles = 20
	maxVariables        = 2 << 20
)

// environment gives the variables: those of files win (systemd.exec(5)).
func (s *scene) environment(assignments, patterns []string) map[string]string {
	variables := map[string]string{}
	set := func(assignment string) {
		if name, value, ok := strings.Cut(assignment, "="); ok {
			variables[strings.TrimSpace(name)] = value
		}
	}
	for _, a := range assignments {
		set(a)
	}
	var files []string
	for _, pattern := range patterns[:min(len(patterns), maxEnvironmentFiles)] {
		pattern = strings.TrimPrefix(pattern, "-")
		found, err := s.Glob(pattern)
		if err != nil {
			s.unreadable(pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files[:min(len(files), maxEnvironmentFiles)] {
		if !s.fromRoot(file) {
			continue
		}
		for _, l := range s.joined(file) {
			set(strings.Join(words(l), " "))
		}
	}
	return variables
}

// expand puts the variables in: $NAME is as many words as its value has, ${NAME}
// one. Options behind ${NAME} are taken apart all the same: FreeSWITCH does not
// start with them as one word, and whoever wrote them meant them. What is not
// set stays as it is written.
func expand(command []string, variables map[string]string) []string {
	room := maxVariables
	put := func(name string) string {
		value, ok := variables[name]
		if room -= len(value); !ok || room < 0 {
			return "${" + name + "}"
		}
		return value
	}
	var out []string
	for _, w := range command {
		value := os.Expand(w, put)
		if value != w && (!strings.Contains(w, "${") || strings.HasPrefix(value, "-")) {
			out = append(out, strings.Fields(value)...)
		} else {
			out = append(out, value)
		}
	}
	return out
}

// joined gives the lines of a file that say something, those that a backslash
// breaks in one piece.
func (s *scene) joined(file string) []string {
	var out, pieces []string
	for l := range strings.Lines(string(s.text(file)) + "\n\n") {
		if l = strings.TrimSpace(l); l != "" && (l[0] == '#' || l[0] == ';') {
			continue // also between the pieces
		}
		piece, more := strings.CutSuffix(l, `\`)
		if pieces = append(pieces, piece); more {
			continue
		}
		if l = strings.TrimSpace(strings.Join(pieces, " ")); l != "" {
			out = append(out, l)
		}
		pieces = nil
	}
	return out
}

// words takes a line apart; quotes hold a word together (systemd.syntax(7)).
func words(line string) []string {
	var out []string
	var word []byte
	var quote byte
	begun := false
	for _, c := range []byte(line + " ") {
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			quote, begun = c, true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == ' ' || c == '\t'):
			if begun {
				out, word, begun = append(out, string(word)), nil, false
			}
		default:
			word, begun = append(word, c), true
		}
	}
	return out
}

// arguments are those of the program freeswitch, whatever stands before it.
func (u unit) arguments() (program string, arguments []string) {
	at := slices.IndexFunc(u.command, func(w string) bool {
		return path.Base(strings.TrimLeft(w, "-@:+!|")) == "freeswitch"
	})
	if at < 0 {
		return "", nil
	}
	return strings.TrimLeft(u.command[at], "-@:+!|"), u.command[at+1:]
}
