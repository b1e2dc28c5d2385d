//go:build linux

package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CacheEnv names the environment variable that moves the cache elsewhere.
const CacheEnv = "LAB_CACHE"

// Cache is a folder of finished things that are expensive to make: a Debian
// root filesystem, the Packer binary. An entry is there whole or not at all.
type Cache struct {
	dir string
}

// OpenCache opens the cache in the folder named by LAB_CACHE, or else in
// packer-plugin-freeswitch-lab below the user's cache folder, and makes it
// where it lacks.
func OpenCache() (*Cache, error) {
	dir := os.Getenv(CacheEnv)
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("finding a folder for the lab's cache (set %s to name one): %w", CacheEnv, err)
		}
		dir = filepath.Join(user, "packer-plugin-freeswitch-lab")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolving the lab's cache folder: %w", err)
	}
	if strings.ContainsAny(dir, ":,\\") {
		return nil, fmt.Errorf("the cache folder %s holds a colon, a comma or a backslash, which mount options cannot carry; set %s to another one", dir, CacheEnv)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the lab's cache folder: %w", err)
	}
	return &Cache{dir: dir}, nil
}

// Dir is the cache's folder.
func (c *Cache) Dir() string { return c.dir }

// Entry returns the folder of the entry called name whose content is determined
// by ingredients, and has build fill it first where there is none. Two processes
// that want the same entry build it once.
func (c *Cache) Entry(ctx context.Context, name string, ingredients []string, build func(dir string) error) (string, error) {
	entry := filepath.Join(c.dir, name+"-"+digest(ingredients))
	if isDir(entry) {
		return entry, nil
	}
	unlock, err := lockFile(ctx, entry+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if isDir(entry) {
		return entry, nil
	}

	half := entry + ".half"
	if err := os.RemoveAll(half); err != nil {
		return "", fmt.Errorf("removing a half-made cache entry: %w", err)
	}
	if err := os.Mkdir(half, 0o755); err != nil {
		return "", fmt.Errorf("starting the cache entry %s: %w", name, err)
	}
	if err := build(half); err != nil {
		return "", errors.Join(fmt.Errorf("making %s for the cache: %w", name, err), os.RemoveAll(half))
	}
	if err := syncFilesystem(half); err != nil {
		return "", err
	}
	if err := os.Rename(half, entry); err != nil {
		return "", fmt.Errorf("finishing the cache entry %s: %w", name, err)
	}
	return entry, nil
}

func digest(ingredients []string) string {
	h := sha256.New()
	for _, s := range ingredients {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// syncFilesystem writes the filesystem that holds path to its disk, so that a
// rename which survives a power cut never names files that did not.
func syncFilesystem(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening %s to sync it: %w", path, err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("syncing the filesystem of %s: %w", path, err)
	}
	return nil
}

// lockFile waits for an exclusive lock on path. The kernel drops it when its
// holder dies.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	for {
		f, err := tryLock(path)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the lock %s, which another process holds: %w", path, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// tryLock takes an exclusive lock on path, or fails with EWOULDBLOCK. Closing
// the file drops the lock.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the lock file: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
