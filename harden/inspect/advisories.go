package inspect

import (
	"bytes"
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"
)

//go:embed advisories.txt
var advisoryList string

// advisory is what a line of the list says.
type advisory struct {
	kind    string // fixed, told, until
	release release
	version string // as it is written
	cves    []string
}

// names tells whether an advisory names a release.
func (a advisory) names(r release) bool {
	if a.kind == "until" {
		return r.compare(a.release) <= 0
	}
	return r.compare(a.release) < 0
}

// readAdvisories gives the list, and the day on which somebody last looked.
func readAdvisories() (all []advisory, looked string) {
	for l := range strings.Lines(advisoryList) {
		f := strings.Fields(l)
		switch {
		case len(f) < 2 || f[0] == "#":
		case f[0] == "looked":
			looked = f[1]
		default:
			if r, ok := parseRelease(f[1]); ok {
				all = append(all, advisory{f[0], r, f[1], f[2:]})
			}
		}
	}
	return all, looked
}

// advisories looks which FreeSWITCH this is, the oldest part of it, and which
// advisories name that. Nothing is run, and a version that nothing says is not
// guessed.
func advisories(s *scene) {
	var oldest installation
	for _, i := range append(s.packages(), s.builds()...) {
		var known bool
		if i.release, known = parseRelease(i.version); !known {
			s.add(advice(Known, i.at, "FreeSWITCH is installed as "+i.version+", with which its advisories cannot be compared", "compare them yourself"))
		} else if oldest.at == "" || i.release.compare(oldest.release) < 0 {
			oldest = i
		}
	}
	if oldest.at == "" {
		return
	}
	all, looked := readAdvisories()
	var cves, told []string
	var first advisory // of a release that none of them names
	for _, a := range all {
		if !a.names(oldest.release) {
			continue
		}
		cves = append(cves, a.cves...)
		if a.kind == "told" {
			told = append(told, a.cves...)
		}
		if a.kind != "until" && a.release.compare(first.release) > 0 {
			first = a
		}
	}
	if len(cves) == 0 {
		return
	}
	but := ""
	if len(told) > 0 {
		but = ", which is told of " + strings.Join(told, ", ") + " and was not verified"
	}
	s.add(advice(Known, oldest.at, fmt.Sprintf("%s %s is installed, and of the advisories known on %s these name it: %s; %s is the first release that none of them names%s",
		oldest.what, oldest.version, looked, strings.Join(cves, ", "), first.version, but),
		"install FreeSWITCH "+first.version+" or later"))
}

// installation is a part of FreeSWITCH that is installed.
type installation struct {
	at      string // the file that says so
	what    string // the package, or the program
	version string
	release release
}

const (
	dpkgStatus = "/var/lib/dpkg/status" // dpkg(1), FILES
	// maxStatus bounds it, in bytes: a thousand packages take one MiB.
	maxStatus = 32 << 20
)

// packages are those that are built of FreeSWITCH's source and hold programs. Its
// sounds have numbers of their own, and so have modules that others make.
func (s *scene) packages() []installation {
	at, g, ok := s.file(dpkgStatus)
	if !ok {
		return nil
	}
	if g.Size > maxStatus {
		s.add(advice(Known, at, fmt.Sprintf("has %d bytes and was not read: which FreeSWITCH is installed nobody knows", g.Size), "look at it yourself"))
		return nil
	}
	status, err := s.Peek(at, 0, maxStatus)
	if err != nil {
		s.unreadable(at, err)
		return nil
	}
	var out []installation
	for stanza := range bytes.SplitSeq(status, []byte("\n\n")) {
		if !bytes.HasPrefix(stanza, []byte("Package: freeswitch")) && !bytes.HasPrefix(stanza, []byte("Package: libfreeswitch1")) {
			continue
		}
		var name, source, state, version string
		for l := range strings.Lines(string(stanza)) {
			key, value, _ := strings.Cut(l, ":")
			switch value = strings.TrimSpace(value); key {
			case "Package":
				name, source = value, value
			case "Source":
				source, _, _ = strings.Cut(value, " ") // its version may stand behind
			case "Status":
				state = value
			case "Version":
				version = value
			}
		}
		programs := name == "freeswitch" || name == "libfreeswitch1" || strings.HasPrefix(name, "freeswitch-mod-")
		if programs && source == "freeswitch" && strings.HasSuffix(state, " ok installed") {
			out = append(out, installation{at: at, what: name, version: version})
		}
	}
	return out
}

// builds are those that somebody has built from source: such a one says its
// version in what it installs for other builds (build/freeswitch.pc.in).
func (s *scene) builds() []installation {
	programs := []string{"/usr/local/freeswitch/bin/freeswitch", "/usr/local/bin/freeswitch"}
	if path.IsAbs(s.program) && !slices.Contains(programs, s.program) {
		programs = append(programs, s.program)
	}
	var out []installation
	for _, program := range programs {
		if _, _, ok := s.file(program); !ok {
			continue
		}
		at := path.Join(path.Dir(path.Dir(program)), "lib/pkgconfig/freeswitch.pc")
		for _, l := range s.lines(at) {
			if version, ok := strings.CutPrefix(l, "Version:"); ok {
				out = append(out, installation{at: at, what: program, version: strings.TrimSpace(version)})
			}
		}
	}
	return out
}
