package inspect

import (
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// advice is a finding that a person must close.
func advice(owner Owner, path, why, remedy string) *Found {
	return &Found{Finding: report.Finding{Path: path, Why: why, Remedy: remedy}, Owner: owner}
}

// gone is a finding that removing the path closes. What was come upon by a link is
// a person's to remove: the link may be anybody's.
func (s *scene) gone(owner Owner, path, why string) *Found {
	f := advice(owner, path, why, s.rm(path))
	if s.by[path] == "" {
		f.Fix = Remove
	}
	return f
}

// goneFolder is gone for a folder with all that is in it.
func (s *scene) goneFolder(owner Owner, path, why string) *Found {
	f := advice(owner, path, why, "rm -r "+s.on(path))
	f.Fix = Remove
	return f
}

// emptied is a finding that emptying the file closes.
func (s *scene) emptied(owner Owner, path, why string) *Found {
	f := advice(owner, path, why, "truncate -s 0 "+s.on(path))
	if s.by[path] == "" { // as in gone
		f.Fix = Empty
	}
	return f
}

func (s *scene) rm(p string) string { return "rm " + s.on(p) }

// on is a path of the inspected machine for a shell of the one that runs us:
// who copies "rm /etc/ssh/..." from what is said of a mounted image must not
// remove his own keys.
func (s *scene) on(p string) string { return quoted(path.Join(s.Root(), p)) }

// within is a command to be run on the inspected machine.
func (s *scene) within(command string) string {
	if s.Root() == "/" {
		return command
	}
	return "chroot " + quoted(s.Root()) + " " + command
}

// harden is a command of fs-harden for the inspected machine.
func (s *scene) harden(command string) string {
	if s.Root() == "/" {
		return "fs-harden " + command
	}
	return "fs-harden " + command + " --root " + quoted(s.Root())
}

// quoted is a word for a shell, whatever somebody has called his file.
func quoted(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+@-"
	if strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
