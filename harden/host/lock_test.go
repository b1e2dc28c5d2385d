package host

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func lock(t *testing.T, h *Host) func() {
	t.Helper()
	unlock, err := h.Lock(t.Context(), "/state")
	if err != nil {
		t.Fatal(err)
	}
	return unlock
}

func TestASecondLockWaits(t *testing.T) {
	h, root := tree(t)
	folder(t, root, "/state")
	unlock := lock(t, h)
	got := make(chan func())
	go func() {
		second, err := h.Lock(t.Context(), "/state")
		if err != nil {
			t.Error(err)
		}
		got <- second
	}()
	select {
	case <-got:
		t.Fatal("two hold the lock")
	case <-time.After(3 * lockRetry): // it has tried, and tries on
	}
	unlock()
	(<-got)()
	lock(t, h)()
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	h, root := tree(t)
	folder(t, root, "/state")
	unlock := lock(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	opened := descriptorsOf(t, filepath.Join(root, "state"))
	_, err := h.Lock(ctx, "/state")
	if err == nil || !strings.Contains(err.Error(), "another fs-harden is at work") || !strings.Contains(err.Error(), "/state") {
		t.Errorf("got %v", err)
	}
	if n := descriptorsOf(t, filepath.Join(root, "state")); n != opened {
		t.Errorf("who gave up keeps the folder open: %d times, %d before", n, opened)
	}
	unlock()
	free, err := h.Lock(ctx, "/state") // nobody holds it: nothing to wait for
	if err != nil {
		t.Fatalf("giving up left the lock held: %v", err)
	}
	free()
}

// descriptorsOf counts how often this process has a folder open.
func descriptorsOf(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	for _, fd := range names(t, "/proc/self/fd") {
		if at, err := os.Readlink("/proc/self/fd/" + fd); err == nil && at == dir {
			n++
		}
	}
	return n
}

// A run that fails removes the folder it has made. Who waited for that one must
// not go on with the lock of a folder that is gone, beside the next run.
func TestALockOnARemovedFolderCountsForNothing(t *testing.T) {
	h, root := tree(t)
	at := folder(t, root, "/state")
	unlock := lock(t, h)
	got, failed := make(chan func()), make(chan error)
	go func() {
		second, err := h.Lock(t.Context(), "/state")
		if err != nil {
			failed <- err
			return
		}
		got <- second
	}()
	time.Sleep(2 * lockRetry) // it waits at the old folder, most likely; if not, the test still holds
	if err := os.Remove(at); err != nil {
		t.Fatal(err)
	}
	folder(t, root, "/state")
	unlock()
	select {
	case err := <-failed:
		t.Fatal(err)
	case second := <-got:
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if third, err := h.Lock(ctx, "/state"); err == nil {
			third()
			t.Error("two hold the lock: one of them that of a folder that is gone")
		}
		second()
	}
}

func TestLockingWhatIsNotThere(t *testing.T) {
	h, root := tree(t)
	if _, err := h.Lock(t.Context(), "/state"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if got := names(t, filepath.Join(root)); len(got) != 0 {
		t.Errorf("locking made %q", got)
	}
}
