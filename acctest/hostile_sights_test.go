//go:build linux && acceptance

package acctest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// contract is what a command may change: patterns as path.Match has them, or a
// folder with all below it, by "/**".
type contract []string

// ours are the files that docs/fs-harden.md names, wherever a run may write one.
var ours = contract{
	"/var/lib/fs-harden/**", "/etc/fs-harden/**", "/run/fs-harden/**",
	"/root/freeswitch-credentials.txt", "/root/freeswitch-config-backup-*.tgz",
	"/root/fs-harden-rollback-*/**", "/root/fs-harden-recovered-*/**",
	"/etc/fs_cli.conf", "/usr/local/sbin/fs-harden",
	"/etc/fail2ban/*.d/fs-harden.*", "/etc/fail2ban/action.d/fs-harden-jail.py", "/var/log/fs-harden/**", "/etc/ufw/user.rules", "/etc/ufw/user6.rules", "/etc/ufw/ufw.conf", "/var/log/fail2ban.log",
	"/etc/tmpfiles.d/fs-harden.conf", "/etc/cloud/clean.d/50-fs-harden", "/etc/issue.d/fs-harden.issue",
	"/etc/systemd/system/fs-harden-*", "/etc/systemd/system/*.wants/fs-harden-*",
	"/etc/systemd/system/multi-user.target.wants/fail2ban.service", "/etc/systemd/system/multi-user.target.wants/ufw.service",
	"/etc/systemd/system/freeswitch.service.d/50-fs-harden*.conf",
}

// names tells whether a command may make, change or remove what is at the path:
// one of these, or the original that it keeps beside one.
func (c contract) names(p string) bool {
	p = strings.TrimSuffix(p, ".bak")
	return slices.ContainsFunc(c, func(pattern string) bool {
		if dir, ok := strings.CutSuffix(pattern, "/**"); ok {
			for at := p; at != "/"; at = path.Dir(at) {
				if matches(dir, at) {
					return true
				}
			}
			return false
		}
		return matches(pattern, p)
	})
}

// leadsThrough tells a folder in which the contract names something: its time
// changes, and it may have to be made.
func (c contract) leadsThrough(dir string) bool {
	return slices.ContainsFunc(c, func(pattern string) bool {
		for pattern = path.Dir(strings.TrimSuffix(pattern, "/**")); pattern != "/"; pattern = path.Dir(pattern) {
			if matches(pattern, dir) {
				return true
			}
		}
		return dir == "/"
	})
}

// halfWritten is the path that a temporary file of the helper's was to replace.
func halfWritten(p string) string {
	name, _, ok := strings.Cut(strings.TrimPrefix(path.Base(p), "."), ".fs-harden-tmp-")
	if !ok {
		return p
	}
	return path.Join(path.Dir(p), name)
}

// isLeftover tells what a run that did not come to its end may leave beside our
// files, until the next one.
func isLeftover(p string) bool {
	return ours.names(halfWritten(p)) || strings.HasPrefix(path.Base(p), ".fs-harden-aside-") && ours.leadsThrough(path.Dir(p))
}

func matches(pattern, p string) bool {
	ok, err := path.Match(pattern, p)
	return ok && err == nil
}

// sight is what stands at a path, times of change apart.
type sight struct {
	st     syscall.Stat_t
	target string
}

func (s sight) kind() uint32 { return s.st.Mode & syscall.S_IFMT }

func (s sight) String() string {
	return fmt.Sprintf("%o %d:%d inode %d, %d bytes %s", s.st.Mode, s.st.Uid, s.st.Gid, s.st.Ino, s.st.Size, s.target)
}

// sights is all of a tree, and what lies outside of it, but for what is in folders
// that are closed. No file is read: whatever is done to one changes its time of
// change (inode(7)).
func (tr tree) sights(closed func(dir string) bool) map[string]sight {
	tr.t.Helper()
	all := map[string]sight{}
	for _, top := range []string{tr.dir, filepath.Join(filepath.Dir(tr.base), "outside")} {
		err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
			var s sight
			if err == nil {
				err = syscall.Lstat(p, &s.st)
			}
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
				return nil // a user is at work on it
			}
			if err == nil && s.kind() == syscall.S_IFLNK {
				s.target, _ = os.Readlink(p)
			}
			name := path.Join("/", strings.TrimPrefix(p, tr.dir))
			all[name] = s
			if err == nil && d.IsDir() && closed(name) {
				return fs.SkipDir
			}
			return err
		})
		if err != nil {
			tr.t.Fatal(err)
		}
	}
	return all
}

// trespasses are the changes that the contract does not name. theirs tells the
// paths at which users were at work themselves.
func (c contract) trespasses(before, after map[string]sight, theirs func(string) bool) []string {
	var out []string
	for p, b := range before {
		a, there := after[p]
		switch {
		case theirs(p) || c.names(p):
		case !there && c.leadsThrough(p) && b.kind() == syscall.S_IFDIR: // made by a run, empty again
		case !there && isLeftover(p):
		case !there:
			out = append(out, "gone: "+p)
		case c.leadsThrough(p) && b.kind() == syscall.S_IFDIR:
			b.st.Ctim, b.st.Mtim, b.st.Nlink, b.st.Size, b.st.Ino = a.st.Ctim, a.st.Mtim, a.st.Nlink, a.st.Size, a.st.Ino
			fallthrough
		default:
			a.st.Atim, b.st.Atim = syscall.Timespec{}, syscall.Timespec{}
			if a != b {
				out = append(out, fmt.Sprintf("changed: %s: %s, it was %s", p, a, b))
			}
		}
	}
	for p, a := range after {
		b, before := before[p]
		switch {
		case theirs(p):
		case !before && !c.names(p) && !(c.leadsThrough(p) && a.kind() == syscall.S_IFDIR):
			out = append(out, fmt.Sprintf("new: %s: %s", p, a))
		case before && a.st.Ctim == b.st.Ctim || isUsers(p) || !c.names(p):
		case a.st.Uid != 0 || a.kind() != syscall.S_IFLNK && a.st.Mode&0o022 != 0:
			out = append(out, fmt.Sprintf("not root's alone: %s: %s", p, a))
		}
	}
	slices.Sort(out)
	return out
}

// isUsers tells what belongs to one of the two users.
func isUsers(p string) bool {
	return slices.ContainsFunc(append(switchFolders, adminHome), func(dir string) bool {
		return strings.HasPrefix(p+"/", dir+"/")
	})
}

// isKept tells what is a user's, and no business of any command.
func isKept(p string) bool {
	return slices.ContainsFunc([]string{"/var/lib/freeswitch/storage", adminHome + "/papers"}, func(dir string) bool {
		return strings.HasPrefix(p+"/", dir+"/")
	})
}
