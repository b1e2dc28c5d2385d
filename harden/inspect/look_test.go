package inspect_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

func TestCleanTreeHasNoFinding(t *testing.T) {
	tr := newTree(t)
	for _, o := range []inspect.Options{{}, {Building: true}, {Strict: true}} {
		if found := tr.look(o); len(found) > 0 {
			t.Errorf("%+v:%s", o, list(found))
		}
	}
}

// Each poison alone is found, and nothing else is.
func TestEachPoisonGivesItsFinding(t *testing.T) {
	seen, weighed := map[string]bool{}, map[string]bool{}
	tr := newTree(t)
	for _, p := range poisons(t) {
		seen[p.look] = true
		t.Run(p.look+p.path, func(t *testing.T) {
			defer tr.clean()
			p.put(tr)
			found := tr.look(inspect.Options{})
			if len(found) != 1 {
				t.Fatalf("want one finding:%s", list(found))
			}
			f := found[0]
			if f.Look != p.look || f.Path != p.path || !strings.Contains(f.Why, p.why) || f.Owner != p.owner || f.Fix != p.fix || f.Remedy == "" {
				t.Errorf("want %+v, got %+v", p, f)
			}
			if key := p.look + string(p.owner); !weighed[key] { // the rule is of the owner
				weighed[key] = true
				severities(t, tr, p)
			}
			remedied(t, tr, f)
		})
	}
	for _, l := range inspect.Looks() {
		if !seen[l.Name] {
			t.Errorf("nothing tests the look %s", l.Name)
		}
	}
}

// remedied runs the command that closes a finding, where it is one that a person
// could paste, and looks again. It must never name a path outside the tree: that
// would be a file of whoever pastes it.
func remedied(t *testing.T, tr tree, f inspect.Found) {
	t.Helper()
	first, _, _ := strings.Cut(f.Remedy, " ")
	if strings.Contains(f.Remedy, " "+f.Path) && first != "chroot" {
		t.Fatalf("the remedy is not for this tree: %s", f.Remedy)
	}
	if !slices.Contains([]string{"rm", "truncate", "sed"}, first) || strings.ContainsAny(f.Remedy, ",*;") {
		return
	}
	if bare := strings.ReplaceAll(f.Remedy, "'", ""); !strings.Contains(bare, " "+tr.dir+"/") || strings.Count(bare, " /") != 1 {
		t.Fatalf("the remedy leaves the tree: %s", f.Remedy)
	}
	if out, err := exec.Command("sh", "-c", f.Remedy).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", f.Remedy, err, out)
	}
	if found := tr.look(inspect.Options{}); len(found) > 0 {
		t.Errorf("after %s:%s", f.Remedy, list(found))
	}
}

// severities puts the rule of the owners to the test.
func severities(t *testing.T, tr tree, p poison) {
	t.Helper()
	for _, c := range []struct {
		o    inspect.Options
		want map[inspect.Owner]report.Severity
	}{
		{inspect.Options{}, map[inspect.Owner]report.Severity{inspect.Image: report.Error, inspect.Known: report.Warning, inspect.System: report.Error}},
		{inspect.Options{Building: true}, map[inspect.Owner]report.Severity{inspect.Image: report.Error, inspect.Known: report.Warning, inspect.System: report.Warning}},
		{inspect.Options{Strict: true}, map[inspect.Owner]report.Severity{inspect.Image: report.Error, inspect.Known: report.Error, inspect.System: report.Error}},
		{inspect.Options{Building: true, Strict: true}, map[inspect.Owner]report.Severity{inspect.Image: report.Error, inspect.Known: report.Error, inspect.System: report.Error}},
	} {
		want := c.want[p.owner]
		if p.needed && c.o.Building {
			want = report.Warning
		}
		found := tr.look(c.o)
		if len(found) != 1 || found[0].Severity != want || found[0].Needed != (p.needed && (c.o.Building || p.owner == inspect.System)) {
			t.Errorf("%+v: want %s:%s", c.o, want, list(found))
		}
	}
}

// What a running machine has, and no image of it; and what looks like a finding.
func TestNoFalseAlarm(t *testing.T) {
	tr := newTree(t)
	const pid = "/run/freeswitch/freeswitch.pid"
	tr.put(pid, "7\n")
	tr.put("/etc/machine-id", "uninitialized\n")
	if found := tr.look(inspect.Options{Building: true}); len(found) > 0 {
		t.Errorf("/run of a running machine is memory:%s", list(found))
	}
	wantOne(t, tr.look(inspect.Options{}), pid, "process")
	tr.clean()
	tr.put(dropIn, "[Service]\nExecStart=\nExecStart=/usr/bin/freeswitch -db /dev/shm\n")
	tr.put("/dev/shm/core.db", "x")
	if found := tr.look(inspect.Options{Building: true}); len(found) > 0 {
		t.Errorf("/dev/shm of a running machine is memory:%s", list(found))
	}
	tr.clean()
	tr.edit("/etc/freeswitch/autoload_configs/logfile.conf.xml", "/srv/logs/fs.log", "/etc/freeswitch/fs.log")
	if found := tr.look(inspect.Options{}); len(found) > 0 {
		t.Errorf("a configuration is no log, because one lies beside it:%s", list(found))
	}
	tr.clean()
	tr.put("/etc/freeswitch/.event_socket.conf.xml.swp", `b0VIM<param name="password" value="`+bakedESL+`"/>`)
	if found := tr.look(inspect.Options{}); len(found) > 0 {
		t.Errorf("a copy with the password that first boot replaces:%s", list(found))
	}
	tr.clean()
	tr.link("/srv/link", confDir)
	started("-conf /srv/link")(tr)
	if found := tr.look(inspect.Options{}); len(found) > 0 {
		t.Errorf("the same configuration by another name:%s", list(found))
	}
}

// The build is told of the option that does it, a mounted tree of the command.
func TestRemedyOfABuild(t *testing.T) {
	tr := newTree(t)
	tr.put("/home/admin/.bash_history", "ls\n")
	if f := tr.look(inspect.Options{Building: true})[0]; !strings.HasPrefix(f.Remedy, "cleanup_system = true ") {
		t.Errorf("building: %s", f.Remedy)
	}
	if f := tr.look(inspect.Options{})[0]; f.Remedy != "rm "+tr.at("/home/admin/.bash_history") {
		t.Errorf("mounted: %s", f.Remedy)
	}
	tr.clean()
	tr.put("/root/.ssh/authorized_keys", "ssh-ed25519 AAAA\n")
	if f := tr.look(inspect.Options{Building: true})[0]; f.Remedy != "ssh_clear_authorized_keys = true in the source block" {
		t.Errorf("the key of the build: %s", f.Remedy)
	}
}

// All at once: none hides another. Those that cannot stand in one tree are put
// into several.
func TestPoisonedTreeTellsAll(t *testing.T) {
	var rounds []map[string]poison
next:
	for _, p := range poisons(t) {
		if p.why == "cannot read its configuration" || p.look == "unit" && p.owner == inspect.Image {
			continue // by its nature it hides what is in the configuration
		}
		for _, round := range rounds {
			if _, taken := round[p.changes()]; !taken {
				round[p.changes()] = p
				continue next
			}
		}
		rounds = append(rounds, map[string]poison{p.changes(): p})
	}
	tr := newTree(t)
	for _, round := range rounds {
		for _, p := range round {
			p.put(tr)
		}
		found := tr.look(inspect.Options{})
		for _, p := range round {
			if !slices.ContainsFunc(found, func(f inspect.Found) bool {
				return f.Path == p.path && f.Look == p.look && strings.Contains(f.Why, p.why)
			}) {
				t.Errorf("%s %s (%s) is not found among %d", p.look, p.path, p.why, len(found))
			}
		}
		tr.clean()
	}
}

// changes is what two poisons must not share to stand in one tree.
func (p poison) changes() string {
	switch {
	case p.look == "ssh-passwords", p.look == "cloud-init":
		return p.look
	case p.look == "unit", p.look == "advisories", strings.HasPrefix(p.path, "/srv/fs/"), strings.HasPrefix(p.path, "/srv/work/"):
		return dropIn
	case strings.HasPrefix(p.path, "/srv/site/"):
		return originals
	default:
		return p.path
	}
}

// Passwords that are good for nothing on an instance are no finding; the same
// ones are where nothing replaces them.
func TestWhoseThePasswordIs(t *testing.T) {
	const link = "/etc/systemd/system/multi-user.target.wants/fs-harden-firstboot.service"
	digests := state.NewDigests(secret.Pair{SIP: secret.Of("Xq7Zp2Lm9Kd4Rt6Vw8Yb3Nc5Hj1G"), ESL: secret.Of(bakedESL)})
	baked := string(state.Baked{Digests: digests}.Node().Data)
	committed := string(state.Committed{Digests: digests}.Node().Data)
	tr := newTree(t)
	for _, c := range []struct {
		name string
		put  func(tree)
		want int
	}{
		{"first boot replaces them", func(tree) {}, 0},
		{"the bake's own", func(tr tree) { tr.remove(link); tr.put(state.BakedPath, baked) }, 0},
		{"nothing replaces them", func(tr tree) { tr.remove(link) }, 2},
		{"an instance's", func(tr tree) { tr.put(state.CommittedPath, committed) }, 2},
		{"nobody uses the one", func(tr tree) {
			tr.remove(link)
			tr.edit(vars, `<X-PRE-PROCESS cmd="set" data="default_password=Xq7Zp2Lm9Kd4Rt6Vw8Yb3Nc5Hj1G"/>`, "")
			tr.edit(users, "$${default_password}", "N3cHj1GXq7Zp2Lm9")
		}, 1},
	} {
		c.put(tr)
		n := 0
		found := tr.look(inspect.Options{})
		for _, f := range found {
			if f.Look == "shared-secrets" {
				n++
			}
		}
		if n != c.want {
			t.Errorf("%s: want %d findings:%s", c.name, c.want, list(found))
		}
		tr.clean()
	}
}
