package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

// command is one thing that fs-harden does.
type command struct {
	name  string
	about string
	flags string // the letters of the flags that it takes, see parse
	// deadline bounds the whole run: who started it may be gone.
	deadline time.Duration
	run      func(context.Context, *invocation, io.Writer) error
}

func commands() []command {
	return []command{
		{"apply", "harden this machine or tree (bake phase)", "root json plan dry-run report image", 30 * time.Minute, apply},
		{"firstboot", "give this instance its secrets, once", "root json at-boot", 150 * time.Second, firstboot},
		{"rotate", "new secrets now, on a live instance", "root json", 5 * time.Minute, rotate},
		{"verify", "run the checks, change nothing", "root json", 5 * time.Minute, verify},
		{"inspect", "is this machine or tree fit to be an image? changes nothing", "root json strict", 5 * time.Minute, inspect},
		{"rollback", "put back what apply changed, byte for byte", "root json", 5 * time.Minute, rollback},
		{"forget", "make an image of this instance again (cloud-init clean asks this)", "root json", 5 * time.Minute, forget},
		{"status", "what was done here, when, for which instance", "root json", time.Minute, showStatus},
		{"gate", "exit 0 if FreeSWITCH may start (systemd asks this)", "root", time.Minute, gate},
		{"watch", "listen to FreeSWITCH until stopped (a unit runs this)", "", forever, watch},
		{"version", "print the version", "", time.Minute, printVersion},
	}
}

// forever is for what ends when it is told to.
const forever = 100 * 365 * 24 * time.Hour

// invocation is a command with its flags.
type invocation struct {
	command command
	root    string
	json    bool
	plan    string
	dryRun  bool
	report  string
	image   bool
	strict  bool
	atBoot  bool

	watchdog *watchdog
}

func parse(args []string, help io.Writer) (*invocation, error) {
	if len(args) == 0 {
		usage(help)
		return nil, errors.New("say what to do: apply, firstboot, ... (see above)")
	}
	name := args[0]
	if name == "-h" || name == "--help" || name == "help" {
		usage(help)
		return nil, nil
	}
	for _, c := range commands() {
		if c.name == name {
			return parseFlags(c, args[1:], help)
		}
	}
	usage(help)
	return nil, fmt.Errorf("there is no command %q (see above)", name)
}

func parseFlags(c command, args []string, help io.Writer) (*invocation, error) {
	inv := &invocation{command: c, root: "/"}
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	takes := func(flag string) bool { return strings.Contains(" "+c.flags+" ", " "+flag+" ") }
	if takes("root") {
		fs.StringVar(&inv.root, "root", "/", "work on the tree below `DIR`, in which nothing runs")
	}
	if takes("json") {
		fs.BoolVar(&inv.json, "json", false, "one JSON object a line, the last one the report")
	}
	if takes("plan") {
		fs.StringVar(&inv.plan, "plan", "", "read the options from `FILE`; without it, every default")
	}
	if takes("dry-run") {
		fs.BoolVar(&inv.dryRun, "dry-run", false, "print what would change as a unified diff, and touch nothing")
	}
	if takes("image") {
		fs.BoolVar(&inv.image, "image", false, "this machine is to become an image: stop FreeSWITCH, remove what no image may hold (below --root always)")
	}
	if takes("at-boot") {
		fs.BoolVar(&inv.atBoot, "at-boot", false, "as the unit asks: make no secrets on the machine that the image was made on")
	}
	if takes("strict") {
		fs.BoolVar(&inv.strict, "strict", false, "every warning is an error")
	}
	if takes("report") {
		fs.StringVar(&inv.report, "report", "", "write the report to `FILE` as well")
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(help, "usage: fs-harden %s [flags]\n  %s\n", c.name, c.about)
		fs.SetOutput(help)
		fs.PrintDefaults()
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", c.name, err)
	case fs.NArg() > 0:
		return nil, fmt.Errorf("%s: %q is not understood: flags only", c.name, fs.Arg(0))
	}
	return inv, nil
}

func usage(w io.Writer) {
	fmt.Fprint(w, "fs-harden hardens the FreeSWITCH of this machine.\n\nusage: fs-harden COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.about)
	}
	fmt.Fprint(w, "\nfs-harden COMMAND --help lists the flags. Exit status: 0 done or nothing to do,\n1 failed and undone, 2 wrong usage or plan, 3 a check failed.\n")
}
