package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/standin/fakeswitch"
)

// Exit statuses of FreeSWITCH's own main (switch.c).
const (
	exitDone    = 0
	exitFailed  = 1   // -ncwait: the background process did not get ready
	exitRefused = 255 // nothing was started
)

// reloadDelay is about what the real module needs to go and come back.
const reloadDelay = 500 * time.Millisecond

// arguments are the flags of the command line.
type arguments struct {
	options     fakeswitch.Options
	user, group string
	background  bool
	wait        bool
	stop        bool
	readyFD     int
}

func parseArguments(args []string, stderr io.Writer) (arguments, error) {
	a := arguments{options: fakeswitch.Options{ReloadDelay: reloadDelay}}
	flags := flag.NewFlagSet("freeswitch", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&a.user, "u", "", "run as this user")
	flags.StringVar(&a.group, "g", "", "run as this group")
	nc := flags.Bool("nc", false, "go into the background")
	ncwait := flags.Bool("ncwait", false, "go into the background, and wait until it is ready")
	nf := flags.Bool("nf", false, "stay in the foreground")
	flags.BoolVar(&a.stop, "stop", false, "end the one that runs")
	flags.StringVar(&a.options.ConfDir, "conf", "/etc/freeswitch", "configuration folder")
	flags.StringVar(&a.options.LogDir, "log", "/var/log/freeswitch", "log folder")
	flags.StringVar(&a.options.DBDir, "db", "/var/lib/freeswitch/db", "database folder")
	flags.StringVar(&a.options.RunDir, "run", "/run/freeswitch", "folder of the pid file")
	flags.IntVar(&a.readyFD, "ready-fd", -1, "where the background process says that it is ready; not for people")
	for _, name := range []string{"c", "nonat", "nonatmap", "nocal", "nort", "nosql", "rp", "hp", "lp", "np", "core", "elegant-term"} {
		flags.Bool(name, false, "accepted, and without effect")
	}
	for _, name := range []string{"mod", "scripts", "temp", "sounds", "storage", "cache", "recordings", "certs", "htdocs", "grammar", "base"} {
		flags.String(name, "", "accepted, and without effect")
	}
	if err := flags.Parse(args); err != nil {
		return a, err
	}
	if flags.NArg() > 0 {
		return a, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	a.background = (*nc || *ncwait) && !*nf
	a.wait = *ncwait && !*nf
	return a, nil
}

func (a arguments) pidFile() string { return filepath.Join(a.options.RunDir, "freeswitch.pid") }

func freeswitch(args []string, stderr io.Writer) int {
	a, err := parseArguments(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		fmt.Fprintln(stderr, err)
		return exitRefused
	case a.stop:
		return stop(a, stderr)
	case a.background:
		return startInBackground(args, a.wait, stderr)
	}
	if err := run(a); err != nil {
		a.tell("Cannot Initialize [" + err.Error() + "]")
		fmt.Fprintf(stderr, "Cannot Initialize [%v]\n", err)
		return exitRefused
	}
	return exitDone
}

// run is FreeSWITCH from its start to a signal or a command that ends it.
func run(a arguments) (err error) {
	if err := becomeUser(a.user, a.group); err != nil {
		return err
	}
	if err := os.MkdirAll(a.options.RunDir, 0o755); err != nil {
		return fmt.Errorf("make the run folder: %w", err)
	}
	pidFile, err := lockPIDFile(a.pidFile())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pidFile.Close(), os.Remove(a.pidFile())) }()

	hup, ended := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	s, err := fakeswitch.Start(a.options)
	if err != nil {
		return err
	}
	a.tell(ready)
	for {
		select {
		case <-hup:
			s.HangUp()
		case <-ended:
			return s.Close()
		case <-s.Stopped():
			return s.Close()
		}
	}
}

// lockPIDFile writes this process's number; the lock on the file is how a
// second FreeSWITCH knows of the first (switch.c:1191).
func lockPIDFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the pid file: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the pid file %s: is another one running? %w", path, err), file.Close())
	}
	if err := errors.Join(file.Truncate(0), file.Sync()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if _, err := fmt.Fprintf(file, "%d", os.Getpid()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// stop ends the FreeSWITCH that the pid file names, and waits for its end.
func stop(a arguments, stderr io.Writer) int {
	content, err := os.ReadFile(a.pidFile())
	if err != nil {
		fmt.Fprintf(stderr, "Cannot open pid file %s.\n", a.pidFile())
		return exitRefused
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || pid <= 1 {
		fmt.Fprintf(stderr, "Cannot kill pid [%s]\n", content)
		return exitRefused
	}
	fmt.Fprintf(stderr, "Killing: %d\n", pid)
	for sent := syscall.SIGTERM; syscall.Kill(pid, sent) == nil; sent = 0 {
		time.Sleep(10 * time.Millisecond)
	}
	return exitDone
}
