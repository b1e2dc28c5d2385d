//go:build linux && acceptance

package acctest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// A disk that fills up at any point of a run: what was changed is put back, the
// message says what to do, and with room again the run succeeds.
func TestAFullDisk(t *testing.T) {
	lab.Require(t)
	helper, err := filepath.Abs("../.build/fs-harden-linux-amd64")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		command string
		before  []string
	}{
		{"apply", nil},
		{"firstboot", []string{"apply"}},
		{"rotate", []string{"apply", "firstboot"}},
	} {
		t.Run(c.command, func(t *testing.T) {
			base := newTree(t, helper)
			for _, command := range c.before {
				base.must(command)
			}
			full := 0
			// Every 12 KiB of room up to what is enough; the helper itself is 4.5 MB.
			for room := 0; ; room = next(room) {
				tr := base.onASmallDisk(room)
				before := tr.listing()
				err := tr.run(c.command)
				if err == nil {
					tr.umount()
					break
				}
				full++
				if !strings.Contains(err.Error(), "make room on that file system") {
					t.Errorf("with %d KiB: %v", room, err)
				}
				if after := tr.listing(); after != before {
					t.Errorf("with %d KiB of room, left behind:\n%s\nbefore:\n%s", room, after, before)
				}
				if tr.run("gate") == nil && c.command != "rotate" {
					t.Errorf("with %d KiB of room the gate is open", room)
				}
				tr.resize(64 << 10)
				tr.must(c.command)
				tr.umount()
				if t.Failed() {
					t.FailNow()
				}
			}
			if full < 3 {
				t.Errorf("the disk was full %d times only: this looks past something", full)
			}
			t.Logf("full %d times", full)
		})
	}
}

func next(room int) int {
	if room < 256 {
		return room + 12
	}
	return room + 900
}

// onASmallDisk is a copy on a file system with that many KiB of room.
func (tr tree) onASmallDisk(room int) tree {
	tr.t.Helper()
	dir, err := os.MkdirTemp(filepath.Dir(tr.base), "disk")
	if err != nil {
		tr.t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		tr.t.Fatal(err)
	}
	small := tr
	small.dir = dir
	tr.t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	copyTree(tr.t, tr.dir, dir)
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		tr.t.Fatal(err)
	}
	used := int((int64(st.Blocks) - int64(st.Bfree)) * st.Bsize / 1024)
	small.resize(used + room)
	return small
}

func (tr tree) resize(kib int) {
	tr.t.Helper()
	if err := unix.Mount("tmpfs", tr.dir, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%dk", kib)); err != nil {
		tr.t.Fatal(err)
	}
}

func (tr tree) umount() { _ = unix.Unmount(tr.dir, unix.MNT_DETACH) }

// listing is every file with its content, but for secrets that wait in the
// pending record for the next try.
func (tr tree) listing() string {
	tr.t.Helper()
	out, err := exec.Command("sh", "-c", `cd "$1" && find . -path ./var/lib/fs-harden/pending.json -prune -o -printf '%p %m %l\n' -type f -exec sha256sum {} \; | sort`, "listing", tr.dir).Output()
	if err != nil {
		tr.t.Fatal(err)
	}
	return string(out)
}
