//go:build linux && acceptance

package acctest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// twin is a tree with the processor whose helper works on it.
type twin struct {
	tree
	processor
}

// longAgo is when every file of a whole tree was written, to the nanosecond.
var longAgo = time.Date(2024, 2, 29, 12, 0, 0, 123456789, time.UTC)

// label is an extended attribute such as SELinux and ACLs have; one that tmpfs
// takes (tmpfs(5), xattr(7)).
const label = "trusted.label"

// wholeTree is a tree with all of the vanilla configuration, which the user
// freeswitch owns. One of the files that are edited has a label.
func wholeTree(t *testing.T) tree {
	t.Helper()
	tr := newTree(t, "")
	conf := filepath.Join(tr.dir, "etc/freeswitch")
	copyTree(t, vanillaConf, conf)
	const owned = `chmod -R u=rwX,g=rX,o= "$1" && chown -R 998:998 "$1" &&
		echo freeswitch:x:998:998::/var/lib/freeswitch:/bin/false >>"$2"`
	if out, err := exec.Command("sh", "-c", owned, "owned", conf, filepath.Join(tr.dir, "etc/passwd")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := unix.Setxattr(filepath.Join(conf, "vars.xml"), label, []byte("vars\x00\xff"), 0); err != nil {
		t.Fatal(err)
	}
	if err := filepath.WalkDir(tr.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return os.Chtimes(p, longAgo, longAgo)
	}); err != nil {
		t.Fatal(err)
	}
	tr.base = tr.copy().dir
	return tr
}

// answer runs a command on the tree: its exit status and what it printed.
func (tw twin) answer(command string) string {
	tw.t.Helper()
	args := append(slices.Clone(tw.argv[1:]), strings.Fields(command)...)
	if command != "version" {
		args = append(args, "--root", tw.dir)
	}
	cmd := exec.Command(tw.argv[0], args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		tw.t.Fatal(err)
	}
	return fmt.Sprintf("exit status %d\n%s", cmd.ProcessState.ExitCode(), tw.own(string(out)))
}

// look is everything about every path of the tree. Of times it tells which files
// are those of long ago.
func (tw twin) look() map[string]string {
	tw.t.Helper()
	seen := map[string]string{}
	if err := filepath.WalkDir(tw.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		owner := info.Sys().(*syscall.Stat_t)
		what := fmt.Sprintf("%s %d:%d", info.Mode(), owner.Uid, owner.Gid)
		switch info.Mode().Type() {
		case fs.ModeSymlink:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			what += " to " + to
		case 0:
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			value := make([]byte, 64)
			n, err := unix.Getxattr(p, label, value)
			if err != nil && !errors.Is(err, unix.ENODATA) {
				return err
			}
			text := tw.own(string(b))
			if bytes.Equal(b, tw.program) {
				text = "the helper"
			}
			what += fmt.Sprintf(", of long ago: %v, label: %q\n%s", info.ModTime().Equal(longAgo), value[:max(n, 0)], text)
		}
		seen[masked(strings.TrimPrefix(p, tw.dir))] = what
		return nil
	}); err != nil {
		tw.t.Fatal(err)
	}
	return seen
}

// own replaces what is this twin's own.
func (tw twin) own(s string) string {
	s = strings.ReplaceAll(s, tw.dir, "ROOT")
	return strings.ReplaceAll(s, fmt.Sprintf("fs-harden (0755), %d bytes", len(tw.program)), "fs-harden (0755), its size")
}

// masks hide what differs between any two runs.
var masks = []struct {
	what *regexp.Regexp
	mask string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?`), "TIME"},
	{regexp.MustCompile(`\d{8}-\d{6}`), "TIME"}, // in the backup's name
	{regexp.MustCompile(`("duration_ms": ?)\d+|\bin \d+ ms\b`), "${1}TIME"},
	{regexp.MustCompile(`(default_password=|_password = |password => |name="password" value=")[0-9A-Za-z]{28}`), "${1}SECRET"},
	// Digests of secrets, and sums of files that hold one or are the helper.
	{regexp.MustCompile(`"[0-9A-Za-z+/]{64}"`), `"DIGEST"`},
}

func masked(s string) string {
	for _, m := range masks {
		s = m.what.ReplaceAllString(s, m.mask)
	}
	return s
}

// differ tells whether two texts differ in more than any two runs do, and gives
// the lines in which they begin to.
func differ(a, b string) (lineA, lineB string, yes bool) {
	if a == b {
		return "", "", false
	}
	as, bs := strings.SplitAfter(masked(a), "\n"), strings.SplitAfter(masked(b), "\n")
	for i := range max(len(as), len(bs)) {
		switch {
		case i >= len(as):
			return "", bs[i], true
		case i >= len(bs):
			return as[i], "", true
		case as[i] != bs[i]:
			return as[i], bs[i], true
		}
	}
	return "", "", false
}

// same tells in what two looks differ.
func same(t *testing.T, when string, want, got map[string]string) {
	t.Helper()
	paths := maps.Clone(want)
	maps.Copy(paths, got)
	for _, p := range slices.Sorted(maps.Keys(paths)) {
		if a, b, yes := differ(want[p], got[p]); yes {
			t.Errorf("%s: %s has %q, not %q", when, p, b, a)
		}
	}
}
