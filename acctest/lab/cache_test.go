//go:build linux

package lab

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func openTestCache(t *testing.T) *Cache {
	t.Helper()
	t.Setenv(CacheEnv, t.TempDir())
	c, err := OpenCache()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCacheForgetsHalfMadeEntry(t *testing.T) {
	c := openTestCache(t)
	broken := errors.New("broken")
	_, err := c.Entry(t.Context(), "thing", []string{"a"}, func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, "half"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("a failed build gives the error %v", err)
	}
	// What a build leaves that was killed.
	killed := filepath.Join(c.Dir(), "thing-"+digest([]string{"a"})+".half")
	if err := os.MkdirAll(filepath.Join(killed, "half"), 0o755); err != nil {
		t.Fatal(err)
	}
	entry, err := c.Entry(t.Context(), "thing", []string{"a"}, func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "whole"), nil, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	if !exists(filepath.Join(entry, "whole")) || exists(filepath.Join(entry, "half")) {
		t.Errorf("the entry %s is not what its build made", entry)
	}
}

func TestCacheBuildsOnce(t *testing.T) {
	c := openTestCache(t)
	var builds atomic.Int32
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			_, err := c.Entry(t.Context(), "thing", []string{"a"}, func(string) error {
				builds.Add(1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := builds.Load(); n != 1 {
		t.Errorf("built %d times", n)
	}
	if digest([]string{"a", "b"}) == digest([]string{"ab"}) {
		t.Error("different ingredients make the same entry")
	}
}

func TestCacheRefusesFolderThatMountsCannotName(t *testing.T) {
	t.Setenv(CacheEnv, filepath.Join(t.TempDir(), "a:b"))
	if _, err := OpenCache(); err == nil || !strings.Contains(err.Error(), CacheEnv) {
		t.Errorf("a folder with a colon gives the error %v", err)
	}
}

func TestQuoteSurvivesShell(t *testing.T) {
	argv := []string{"printf", "%s|", "", "it's", `"$HOME" \ *`, "two\nlines", "ä"}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", quote(argv)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(argv[2:], "|") + "|"; string(out) != want {
		t.Errorf("came through as %q, want %q", out, want)
	}
}
