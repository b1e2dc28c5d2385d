package inspect

import (
	"fmt"
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/password"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// KeptPasswords is the name of the look at what keeps a former state of FreeSWITCH's
// configuration.
const KeptPasswords = "kept-passwords"

const keptBackup = "freeswitch-config-backup-"

// keptPasswords looks for the two passwords in backups, .bak files, the record for
// rollback, and what was set aside of a person's edits. One that FreeSWITCH ships is
// published, and one that the bake drew nobody knows. Any other is an instance's or
// a person's, and every copy of this machine would hold it.
func keptPasswords(s *scene) {
	if s.configuration() == nil {
		return // told already
	}
	baked, err := state.ReadBaked(s.Tree)
	if err != nil {
		baked = nil // told already, as what follows
	}
	committed, err := state.ReadCommitted(s.Tree)
	if err != nil {
		committed = nil
	}
	k := keeper{s: s, baked: baked, committed: committed}
	for _, name := range s.list("/root") {
		at := path.Join("/root", name)
		switch {
		case strings.HasPrefix(name, keptBackup) && strings.HasSuffix(name, ".tgz"):
			k.tarball(at)
		case strings.HasPrefix(name, "fs-harden-rollback-"), strings.HasPrefix(name, "fs-harden-recovered-"):
			k.folder(at, maxKeptDepth)
		}
	}
	done := map[string]bool{}
	for _, o := range s.originals() {
		if v, ok := k.judge(o.Path, o.Before.Data); ok {
			v.Path, v.Remedy, v.Fix = originals, s.harden("forget")+", after which a rollback sets random ones", None
			s.add(v)
		}
		if strings.HasSuffix(o.Path, ".bak") && !done[o.Path] {
			done[o.Path] = true
			k.file(o.Path, true)
		}
	}
	k.besideConfiguration(done)
}

// besideConfiguration looks at the copies beside the files that FreeSWITCH reads, of
// which none of our records tells. FreeSWITCH's user can make as many as he likes.
func (k keeper) besideConfiguration(done map[string]bool) {
	left := int64(maxStrays)
	for _, f := range k.s.config.Files() {
		bak := path.Clean(f) + ".bak"
		if done[bak] {
			continue
		}
		if g := k.s.glance(bak); g.Kind == host.File {
			left -= g.Size
		}
		if left < 0 {
			k.s.unseen(k.s.ConfDir, fmt.Sprintf("has more than %d MiB of .bak files: nobody looked for passwords in all of them", maxStrays>>20))
			return
		}
		// Elsewhere it stands beside what FreeSWITCH's user has the configuration
		// include, and so he would choose what is removed.
		k.file(bak, strings.HasPrefix(bak, path.Clean(k.s.ConfDir)+"/"))
	}
}

// maxKeptDepth bounds how deep a configuration's folders are looked through.
const maxKeptDepth = 12

type keeper struct {
	s         *scene
	baked     *state.Baked
	committed *state.Committed
}

// folder looks through what a recovery or a rollback has set aside.
func (k keeper) folder(dir string, depth int) {
	for _, name := range k.s.list(dir) {
		at := path.Join(dir, name)
		switch g := k.s.glance(at); {
		case g.Kind == host.Folder && depth > 0:
			k.folder(at, depth-1)
		case g.Kind == host.File:
			k.file(at, true)
		}
	}
}

// file looks at one; removable tells that no user chose its name.
func (k keeper) file(at string, removable bool) {
	if g := k.s.glance(at); g.Kind != host.File {
		return
	}
	if f, ok := k.judge(at, k.s.text(at)); ok {
		k.s.kept[at] = true
		if !removable {
			f.Fix = None
		}
		k.s.addOwn(f)
	}
}

// tarball looks into a backup. What cannot be read of it is told by the look at the
// backups.
func (k keeper) tarball(at string) {
	at, g, ok := k.s.file(at)
	if !ok || g.Size == 0 || g.Size > maxRecord {
		return
	}
	b, err := k.s.Peek(at, 0, maxRecord)
	if err != nil {
		return
	}
	_ = members(b, func(name string, data []byte) bool {
		f, found := k.judge(name, data)
		if found {
			f.Path, f.Why = at, f.Why+" ("+name+")"
			f.Remedy = k.s.rm(at)
			k.s.add(f)
		}
		return !found || f.Owner != Image // one of the instance's weighs more
	})
}

// judge gives what is to be said of one file's passwords, the worst.
func (k keeper) judge(at string, data []byte) (worst *Found, found bool) {
	all, err := password.In(at, data)
	if err != nil {
		f := k.s.gone(Known, at, "cannot be read as FreeSWITCH would, so nobody looked for passwords in it")
		f.Needed = k.s.Building // as below
		return f, true
	}
	for _, p := range all {
		switch {
		case secret.Shipped(p.Value):
		case k.committed != nil && digestOf(k.committed.Digests, p.Which).Matches(p.Value):
			return k.s.gone(Image, at, "keeps a password of the instance that this image is made of"), true
		case k.baked != nil && digestOf(k.baked.Digests, p.Which).Matches(p.Value):
		default:
			worst = k.s.gone(Known, at, "keeps a password that FreeSWITCH had before, and that is none of those it ships: every instance would hold it")
			// A rollback needs it, until this is an image.
			worst.Needed = k.s.Building
		}
	}
	return worst, worst != nil
}

func digestOf(d state.Digests, w password.Which) secret.Digest {
	if w == password.SIP {
		return d.SIP
	}
	return d.ESL
}
