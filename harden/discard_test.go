package harden

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// huge is a file's size in bytes that nobody reads or copies: it is a hole.
const huge = 1 << 40

// littered is a tree with a key, an enormous log, a link, a folder of state and
// an id, and a step that discards them.
func littered(t *testing.T) (tree, Step) {
	t.Helper()
	tr := newTree(t)
	tr.write("/etc/freeswitch/tls/wss.pem", "-----BEGIN PRIVATE KEY-----\nMIIsecret\n")
	tr.write("/var/log/freeswitch/freeswitch.log", "")
	tr.write("/var/lib/cloud/instances/i-1/user-data", "password: hunter2\n")
	tr.write("/var/lib/cloud/instances/i-1/sem/once", "")
	tr.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
	if err := errors.Join(
		os.Truncate(tr.path("/var/log/freeswitch/freeswitch.log"), huge),
		os.Symlink("i-1", tr.path("/var/lib/cloud/instances/current")),
		os.Chmod(tr.path("/etc/freeswitch/tls/wss.pem"), 0o640),
		os.Chmod(tr.path("/etc/machine-id"), 0o444),
		os.Chmod(tr.path("/var/lib/cloud/instances/i-1"), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	return tr, Step{Name: "litter", In: bake, Propose: func(context.Context, *Machine) (Proposal, error) {
		var p Proposal
		for _, path := range []string{"/etc/freeswitch/tls/wss.pem", "/var/log/freeswitch/freeswitch.log", "/var/lib/cloud/instances", "/var/lib/nothing"} {
			p.Changes = append(p.Changes, Change{Path: path, Node: host.Node{Kind: host.Absent}, Summary: "litter", Discard: true})
		}
		p.Changes = append(p.Changes, Change{Path: "/etc/machine-id", Node: host.Node{Kind: host.File}, Summary: "an id", Discard: true})
		return p, nil
	}}
}

var litter = []string{
	"/etc/freeswitch/tls/wss.pem", "/var/log/freeswitch/freeswitch.log",
	"/var/lib/cloud/instances/i-1", "/var/lib/cloud/instances/current",
}

// inventory is a snapshot, of the enormous log only what it is.
func (tr tree) inventory() map[string]string {
	tr.t.Helper()
	log := tr.path(litter[1])
	away := filepath.Join(memory(tr.t), "log")
	if err := os.Rename(log, away); err != nil {
		tr.t.Fatal(err)
	}
	seen := tr.snapshot()
	if err := os.Rename(away, log); err != nil {
		tr.t.Fatal(err)
	}
	info := tr.stat(litter[1])
	seen[litter[1]] = info.Mode().String() + info.ModTime().String()
	return seen
}

func (tr tree) noAsides() {
	tr.t.Helper()
	err := filepath.WalkDir(tr.dir, func(p string, _ fs.DirEntry, err error) error {
		if host.IsAside(p) || strings.Contains(p, "fs-harden/journal") {
			tr.t.Errorf("left behind: %s", p)
		}
		return err
	})
	if err != nil {
		tr.t.Fatal(err)
	}
}

func TestDiscardedIsGoneOnceTheRunIsFinal(t *testing.T) {
	t.Parallel()
	tr, step := littered(t)
	r := tr.runner()
	r.Steps = []Step{step}
	rep, err := r.Apply(context.Background(), plan.Default(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range litter {
		if _, err := os.Lstat(tr.path(p)); err == nil {
			t.Errorf("%s is still there", p)
		}
	}
	if got := tr.read("/etc/machine-id"); got != "" {
		t.Errorf("machine-id holds %q", got)
	}
	if info, err := os.Stat(tr.path("/etc/machine-id")); err != nil || info.Mode().Perm() != 0o444 {
		t.Errorf("machine-id: %v %v", info.Mode(), err)
	}
	if n := len(rep.Steps[0].Changes); n != 4 {
		t.Errorf("%d changes in the report: %+v", n, rep.Steps[0].Changes)
	}
	tr.noAsides()
	for p, text := range tr.snapshot() {
		if strings.Contains(text, "MIIsecret") || strings.Contains(text, "hunter2") {
			t.Errorf("%s holds what was discarded", p)
		}
	}
	rep, err = r.Apply(context.Background(), plan.Default(), nil)
	if err != nil || rep.Steps[0].Status != report.Unchanged {
		t.Errorf("the second run: %s %v", rep.Steps[0].Status, err)
	}
	if _, err := r.Rollback(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, p := range litter {
		if _, err := os.Lstat(tr.path(p)); err == nil {
			t.Errorf("the rollback made %s", p)
		}
	}
}

func TestDiscardedComesBackWhenTheRunFails(t *testing.T) {
	t.Parallel()
	tr, step := littered(t)
	before := tr.inventory()
	log := tr.stat(litter[1])
	broken := errors.New("injected")
	r := tr.runner()
	r.Steps = []Step{step, {Name: "later", In: bake, Propose: nothing}}
	r.fault = func(step string) error {
		if step != "later" {
			return nil
		}
		if _, err := os.Lstat(tr.path(litter[0])); err == nil {
			t.Error("nothing was discarded")
		}
		return broken
	}
	if _, err := r.Apply(context.Background(), plan.Default(), nil); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if d := differences(before, tr.inventory()); len(d) > 0 {
		t.Errorf("not as before: %s", d)
	}
	if !os.SameFile(log, tr.stat(litter[1])) {
		t.Error("the log is a copy")
	}
}

func (tr tree) stat(path string) os.FileInfo {
	tr.t.Helper()
	info, err := os.Stat(tr.path(path))
	if err != nil {
		tr.t.Fatal(err)
	}
	return info
}

func TestADryRunShowsNothingOfWhatIsDiscarded(t *testing.T) {
	t.Parallel()
	tr, step := littered(t)
	before := tr.inventory()
	r := tr.runner()
	r.Steps = []Step{step}
	var diff bytes.Buffer
	if _, err := r.Apply(context.Background(), plan.Default(), &diff); err != nil {
		t.Fatal(err)
	}
	if d := differences(before, tr.inventory()); len(d) > 0 {
		t.Errorf("touched: %s", d)
	}
	for _, want := range []string{
		"removed for good: /etc/freeswitch/tls/wss.pem, 38 bytes\n",
		"removed for good: /var/log/freeswitch/freeswitch.log, 1099511627776 bytes\n",
		"removed for good: /var/lib/cloud/instances/current\n",
		"emptied: /etc/machine-id, 33 bytes\n",
	} {
		if !strings.Contains(diff.String(), want) {
			t.Errorf("the diff lacks %q:\n%s", want, diff.String())
		}
	}
	for _, secret := range []string{"MIIsecret", "hunter2", "0123456789abcdef"} {
		if strings.Contains(diff.String(), secret) {
			t.Errorf("the diff shows %q", secret)
		}
	}
}

// Before the instant at which a run is final a kill brings everything back,
// after it the next run ends what this one began.
func TestAKilledRunAndWhatItSetAside(t *testing.T) {
	for name, final := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, step := littered(t)
			before := tr.inventory()
			h := tr.runner().Host
			s := tr.runner().start(report.Bake, plan.Default())
			plans, err := s.engine.propose(context.Background(), s.m, []Step{step})
			if err != nil {
				t.Fatal(err)
			}
			made, err := s.makeStateDir()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := journal.New(h, made, 0).Write("litter", plans[0].forJournal()); err != nil {
				t.Fatal(err)
			}
			if final {
				if err := h.Rename(journal.Dir, state.Dir+"/journal.finished"); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := journal.Recover(h); err != nil {
				t.Fatal(err)
			}
			tr.noAsides()
			_, err = os.Lstat(tr.path(litter[0]))
			if gone := err != nil; gone != final {
				t.Errorf("gone: %t", gone)
			}
			if final {
				return
			}
			if err := h.Put(state.Dir, host.Node{Kind: host.Absent}); err != nil {
				t.Fatal(err)
			}
			if d := differences(before, tr.inventory()); len(d) > 0 {
				t.Errorf("not as before: %s", d)
			}
		})
	}
}
