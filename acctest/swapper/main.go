//go:build linux

// Command swapper is a user of the machine at work against its helper: again and
// again he exchanges something of his for something else, in one instant
// (renameat2(2), RENAME_EXCHANGE), and brings it back:
//
//	swapper SEED STASH NAME=KIND[:TARGET]...
//
// NAME is a file, or a folder with files in it. KIND is what it is exchanged for:
// link (to TARGET), folder or fifo. What is not at its place waits in the folder
// STASH, which he makes. Half of the times he waits until somebody opens,
// closes or makes a file there (inotify(7)). He ends when his standard input
// does, with everything as it was, and tells how often he exchanged something.
package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 4 {
		fail(errors.New("usage: swapper SEED STASH NAME=KIND[:TARGET] and as many more"))
	}
	seed, err := strconv.ParseUint(os.Args[1], 10, 64)
	if err != nil {
		fail(err)
	}
	stash := os.Args[2]
	if err := os.Mkdir(stash, 0o755); err != nil {
		fail(err)
	}
	var swaps []swap
	for i, arg := range os.Args[3:] {
		s, err := parse(arg)
		if err != nil {
			fail(err)
		}
		s.other = filepath.Join(stash, strconv.Itoa(i))
		swaps = append(swaps, s)
	}
	var ended atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		ended.Store(true)
	}()
	random := rand.New(rand.NewPCG(seed, 0))
	exchanges := 0
	for !ended.Load() {
		exchanges += swaps[random.IntN(len(swaps))].round(random)
	}
	for _, s := range swaps {
		s.own.complete(s.name)
	}
	if err := os.RemoveAll(stash); err != nil {
		fail(err)
	}
	fmt.Println(exchanges)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "swapper:", err)
	os.Exit(1)
}

// round exchanges some times, each time for a microsecond to some milliseconds:
// what the helper does between two looks at a path takes that long. In the end
// all is as it was.
func (s swap) round(random *rand.Rand) (exchanges int) {
	if random.IntN(4) == 0 {
		s.own.restore(s.name) // he writes his own again, whatever the helper wrote
	} else {
		s.own.complete(s.name)
	}
	if err := s.prepare(); err != nil {
		return 0 // the helper is at work here as well: next time
	}
	if random.IntN(2) == 0 {
		s.await(random.IntN(4))
	}
	times := 2 * (1 + random.IntN(3))
	for range times {
		if err := unix.Renameat2(unix.AT_FDCWD, s.name, unix.AT_FDCWD, s.other, unix.RENAME_EXCHANGE); err != nil {
			break
		}
		exchanges++
		dwell(time.Microsecond << random.IntN(13))
	}
	if exchanges%2 == 1 { // something was missing half way
		_ = unix.Renameat2(unix.AT_FDCWD, s.name, unix.AT_FDCWD, s.other, unix.RENAME_EXCHANGE)
	}
	return exchanges
}

// dwell waits; a sleep is no shorter than some 60 microseconds.
func dwell(d time.Duration) {
	if d > 100*time.Microsecond {
		time.Sleep(d)
		return
	}
	for begin := time.Now(); time.Since(begin) < d; {
	}
}

// await waits until that many things have happened to files in the folder, but
// not long: the helper may not come there.
func (s swap) await(events int) {
	const patience = 20 * time.Millisecond
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(fd) }() // only read
	if _, err := unix.InotifyAddWatch(fd, s.folder(), unix.IN_CREATE|unix.IN_OPEN|unix.IN_CLOSE|unix.IN_MOVED_TO); err != nil {
		return
	}
	buf := make([]byte, 4<<10)
	for end := time.Now().Add(patience); events >= 0 && time.Now().Before(end); events-- {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(patience.Milliseconds()))
		if err != nil || ready == 0 {
			return
		}
		_, _ = unix.Read(fd, buf)
	}
}

// parse reads NAME=KIND[:TARGET].
func parse(arg string) (swap, error) {
	name, instead, ok := strings.Cut(arg, "=")
	kind, target, _ := strings.Cut(instead, ":")
	if !ok || kind != "link" && kind != "folder" && kind != "fifo" {
		return swap{}, fmt.Errorf("%q is not understood: NAME=link:TARGET, NAME=folder or NAME=fifo", arg)
	}
	own, err := remember(name)
	return swap{name: name, kind: kind, target: target, own: own}, err
}
