//go:build linux && acceptance

package acctest

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// The helper for arm64, run for real: it answers, ends and leaves a tree as the
// one for amd64 does, from the bake to the day when all is put back. Either
// understands the sums and digests that the other has left, which differ.
func TestARM64DoesAsAMD64(t *testing.T) {
	amd64, arm64 := processors(t)
	first := twin{wholeTree(t), amd64}
	original := first.look()
	second := twin{first.copy(), arm64}
	for _, c := range []struct {
		command string
		exit    int
	}{
		{"version", 0},
		{"status --json", 0},
		{"inspect --json", 3},
		{"apply --plan /nonexistent", 2},
		{"apply --dry-run", 0},
		{"apply --json", 0},
		{"apply --json", 0}, // nothing to do
		{"inspect --json", 0},
		{"firstboot --json", 0},
		{"gate", 0},
		{"verify --json", 0},
		{"inspect --json", 3}, // this instance's secrets
		{"rotate --json", 0},
		{"forget --json", 0},
		{"gate", 1},
		{"firstboot", 0},
		{"status --json", 0},
	} {
		want, got := first.answer(c.command), second.answer(c.command)
		if a, b, yes := differ(want, got); yes {
			t.Errorf("%s on amd64: %q, on arm64: %q", c.command, a, b)
		}
		if end := fmt.Sprintf("exit status %d\n", c.exit); !strings.HasPrefix(want, end) {
			t.Errorf("%s: not %s%s", c.command, end, want)
		}
		same(t, "after "+c.command, first.look(), second.look())
		if t.Failed() {
			return
		}
	}
	first.consistent()
	second.consistent()

	for _, c := range []struct{ own, crossed twin }{
		{first, twin{first.tree, arm64}},
		{second, twin{second.tree, amd64}},
	} {
		for _, command := range []string{"gate", "verify --json", "inspect --json", "status --json"} {
			if a, b, yes := differ(c.own.answer(command), c.crossed.answer(command)); yes {
				t.Errorf("%s on what %s left: %q, by %s: %q", command, c.own.name, a, c.crossed.name, b)
			}
		}
		if got := c.crossed.answer("rollback"); !strings.HasPrefix(got, "exit status 0\n") {
			t.Errorf("rollback by %s of what %s left: %s", c.crossed.name, c.own.name, got)
		}
		c.crossed.withoutTraces()
		same(t, "after a rollback by "+c.crossed.name, original, c.crossed.look())
	}
}

// A tree takes the helper of its own processor, which may run here under
// emulation, and refuses the other one untouched.
func TestARM64TreeTakesItsOwnHelper(t *testing.T) {
	amd64, arm64 := processors(t)
	for _, tree := range []processor{amd64, arm64} {
		for _, helper := range []processor{amd64, arm64} {
			tw := twin{newTree(t, ""), helper}
			if err := errors.Join(os.Mkdir(filepath.Join(tw.dir, "bin"), 0o755), os.WriteFile(filepath.Join(tw.dir, "bin/sh"), tree.program, 0o755)); err != nil {
				t.Fatal(err)
			}
			before := tw.look()
			want := "exit status 0\n"
			if helper.name != tree.name {
				want = fmt.Sprintf("this fs-harden is for %s and the tree for %s", helper.name, tree.name)
			}
			if got := tw.answer("apply"); !strings.Contains(got, want) {
				t.Errorf("%s on a tree for %s: not %q:\n%s", helper.name, tree.name, want, got)
			}
			if helper.name != tree.name {
				same(t, "after a refusal", before, tw.look())
			}
		}
	}
}

// processor is one for which there is a helper.
type processor struct {
	name    string
	argv    []string // what runs the helper here, and the helper
	program []byte
}

func processors(t *testing.T) (amd64, arm64 processor) {
	t.Helper()
	lab.Require(t)
	emulator, err := shop.Lab.ARM64Emulator(shop.ctx)
	if err != nil {
		t.Fatal(err)
	}
	helper := func(name string, machine elf.Machine, emulator ...string) processor {
		path := filepath.Join(shop.Project, ".build/fs-harden-linux-"+name)
		program, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := elf.NewFile(bytes.NewReader(program))
		if err != nil || f.Machine != machine {
			t.Fatalf("%s is not for %s: %v %v", path, machine, f, err)
		}
		return processor{name, append(emulator, path), program}
	}
	return helper("amd64", elf.EM_X86_64), helper("arm64", elf.EM_AARCH64, emulator)
}
