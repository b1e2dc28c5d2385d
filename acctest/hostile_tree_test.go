//go:build linux && acceptance

package acctest

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// Whatever two users have put into what is theirs: a command ends, in bounds of
// time and memory, tells nobody what is root's, and changes nothing but what the
// contract names. To replay one failure: -run
// 'TestHostileTrees/seeds/^SEED$/^COMMAND$'.
func TestHostileTrees(t *testing.T) {
	const seeds = 60
	commands := hostileCommands(t)
	ran, done := make([]atomic.Int32, len(commands)), make([]atomic.Int32, len(commands))
	t.Run("seeds", func(t *testing.T) {
		for seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				for i, c := range commands {
					t.Run(c.name, func(t *testing.T) {
						ran[i].Add(1)
						if c.onHostile(t, uint64(seed)) {
							done[i].Add(1)
						}
					})
				}
			})
		}
	})
	for i, c := range commands {
		n, of := done[i].Load(), ran[i].Load()
		t.Logf("%s: %d of %d succeeded", c.name, n, of)
		if of == seeds && n < of/10 && !c.looks {
			t.Errorf("%s: only %d of %d succeeded: the users keep it from all work, and this looks past something", c.name, n, of)
		}
	}
}

// hostileCommand is a command, and the tree on which it is run.
type hostileCommand struct {
	name    string
	command string
	on      tree
	// looks tells that it changes nothing.
	looks bool
	// boots tells that FreeSWITCH is in or out of service by it.
	boots bool
}

// hostileCommands makes a tree for every point in a machine's life.
func hostileCommands(t *testing.T) []hostileCommand {
	t.Helper()
	next := func(tr tree, command string) tree {
		tr = tr.copy()
		if e := tr.bounded(tr.helperFor(command)...); e.code != 0 {
			t.Fatalf("%s, before anybody has placed anything: %s", command, e.output)
		}
		return tr
	}
	vanilla := newHostileTree(t)
	baked := next(vanilla, "apply")
	booted := next(baked, "firstboot")
	// Killed once most is done: a late rename is the one by which it would be final.
	killed := func(command string) tree {
		tr := booted.copy()
		renames := tr.count(command, "renameat")
		if !tr.kill(command, "renameat", renames[len(renames)*2/3]) {
			t.Fatalf("%s was not killed", command)
		}
		return tr
	}
	return []hostileCommand{
		{name: "apply", command: "apply", on: vanilla},
		{name: "apply-again", command: "apply", on: booted},
		{name: "firstboot", command: "firstboot", on: baked, boots: true},
		{name: "gate", command: "gate", on: booted, looks: true, boots: true},
		{name: "status", command: "status", on: booted, looks: true},
		{name: "verify", command: "verify", on: booted, looks: true},
		{name: "inspect", command: "inspect", on: booted, looks: true},
		{name: "rotate", command: "rotate", on: booted, boots: true},
		{name: "forget", command: "forget", on: booted},
		{name: "rollback", command: "rollback", on: booted},
		{name: "firstboot-after-killed-rotate", command: "firstboot", on: killed("rotate"), boots: true},
		{name: "firstboot-after-killed-forget", command: "firstboot", on: killed("forget"), boots: true},
	}
}

// onHostile runs the command on a tree in which users have placed things, and
// tells whether it succeeded.
func (c hostileCommand) onHostile(t *testing.T, seed uint64) bool {
	tr := c.on
	tr.t = t
	tr = tr.copy()
	defer tr.remove()
	random := rand.New(rand.NewPCG(seed, 0))
	var did []string
	// In a third of the trees it is the one user alone, in another the other.
	if seed%3 != 0 {
		p := planter{t: t, random: random, tr: tr, uid: switchUID, tops: switchFolders, names: switchNames}
		p.configure()
		p.plant()
		did = append(did, p.did...)
	}
	if seed%3 != 1 {
		p := planter{t: t, random: random, tr: tr, uid: adminUID, tops: []string{adminHome}, names: homeNames}
		p.plant()
		did = append(did, p.did...)
	}
	none := func(string) bool { return false }
	before := tr.sights(none)
	e := tr.bounded(tr.helperFor(c.command)...)
	after := tr.sights(none)
	bad := append(c.contract().trespasses(before, after, c.mayTouch), tr.leaks()...)
	for _, p := range lasting {
		if before[p] != (sight{}) && after[p] == (sight{}) && c.command != "rollback" {
			bad = append(bad, "gone, and only a rollback removes it: "+p)
		}
	}
	if c.boots && seed%3 == 0 && e.code != 0 {
		bad = append(bad, "an admin user keeps FreeSWITCH out of service by what he has in his home")
	}
	if len(bad) > 0 || t.Failed() {
		t.Errorf("seed %d, %s:\n%s\nplaced were:\n%s\nit ended with %d and said:\n%s",
			seed, c.name, strings.Join(bad, "\n"), strings.Join(did, "\n"), e.code, e.output)
	}
	return e.code == 0
}

// lasting are files of ours to which links lead as well.
var lasting = []string{"/etc/fs-harden/plan.json", "/usr/local/sbin/fs-harden", "/var/lib/fs-harden/baked.json"}

// inHomes is what a command may change in a home: our file, what no image may
// hold, and what looks as if a run that was killed had left it.
var inHomes = contract{
	adminHome + "/.fs_cli_conf/**", adminHome + "/.*history*", adminHome + "/.local/share/fish/fish_history",
	adminHome + "/packer-fs-harden-*/**", adminHome + "/.*.fs-harden-tmp-*/**", adminHome + "/.fs-harden-aside-*/**",
}

func (c hostileCommand) contract() contract {
	if c.looks {
		return nil
	}
	return slices.Concat(inHomes, ours)
}

// mayTouch tells what is FreeSWITCH's, for a command that changes anything.
func (c hostileCommand) mayTouch(p string) bool {
	return !c.looks && isUsers(p) && !isKept(p) && !strings.HasPrefix(p+"/", adminHome+"/")
}

// leaks are the users' files that hold what only root may read.
func (tr tree) leaks() []string {
	tr.t.Helper()
	const sane = 1 << 20
	var out []string
	for _, top := range append([]string{adminHome}, switchFolders...) {
		if err := filepath.WalkDir(tr.dir+top, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			if info, err := d.Info(); err != nil || info.Size() > sane {
				return err
			}
			text, err := os.ReadFile(p)
			if bytes.Contains(text, []byte(rootsSecret)) {
				out = append(out, "holds what is in /etc/shadow: "+p)
			}
			return err
		}); err != nil {
			tr.t.Fatal(err)
		}
	}
	return out
}
