package provisioner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// facts is what must be known of a guest before anything is put on it.
type facts struct {
	system  string // "uname -s"
	machine string // "uname -m"
	arch    string // the helper's Go architecture
	root    bool   // the communicator's user is root
}

// probe finds out the facts. Builders do not tell them to provisioners.
func (g *guest) probe(ctx context.Context) (facts, error) {
	const command = "uname -s; uname -m; id -u"
	out, bad, status, err := g.ask(ctx, command)
	if err != nil {
		return facts{}, fmt.Errorf("asking the guest what it is (%s): %w", command, err)
	}
	// A login shell may greet before it answers.
	lines := slices.DeleteFunc(strings.Split(out, "\n"), func(l string) bool {
		return strings.TrimSpace(l) == ""
	})
	if len(lines) == 0 {
		if bad = strings.TrimSpace(bad); bad != "" {
			return facts{}, fmt.Errorf("the guest is no Linux machine: %s said %q (status %d)", command, clean(bad), status)
		}
		return facts{}, errors.New("this communicator answers nothing: the guest must be reachable, so use a builder with communicator = \"ssh\" (or docker, lxc), not \"none\"")
	}
	if len(lines) < 3 {
		return facts{}, fmt.Errorf("the guest is no Linux machine: %s said %q (status %d)", command, clean(out), status)
	}
	last := lines[len(lines)-3:]
	f := facts{
		system:  strings.TrimSpace(last[0]),
		machine: strings.TrimSpace(last[1]),
		root:    strings.TrimSpace(last[2]) == "0",
	}
	if f.system != "Linux" {
		return facts{}, fmt.Errorf("the guest runs %s: only Linux is hardened", clean(f.system))
	}
	var ok bool
	if f.arch, ok = architectures[f.machine]; !ok {
		return facts{}, fmt.Errorf("the guest is a %s machine: there is a helper for x86_64 and aarch64 only", clean(f.machine))
	}
	return f, nil
}

// workspace makes a folder of the run's own, in chosen or, when that is empty,
// in the first usual place where programs may run.
func (g *guest) workspace(ctx context.Context, chosen string) (string, error) {
	folders := quote(chosen)
	if chosen == "" {
		folders = `/tmp /var/tmp "$HOME"`
	}
	// The name has 128 bits, so nobody can have put something in its place.
	command := "sh -c " + quote(workspaceScript) + " sh packer-fs-harden-" + strings.ToLower(rand.Text()) + " " + folders
	out, bad, status, err := g.ask(ctx, command)
	if err != nil {
		return "", fmt.Errorf("making a folder on the guest: %w", err)
	}
	where := "/tmp, /var/tmp or the home folder"
	if chosen != "" {
		where = chosen
	}
	switch status {
	case 0:
	case 4:
		return "", fmt.Errorf("no folder could be made in %s on the guest: set remote_folder to one that the build's user may write to", where)
	case 5:
		return "", fmt.Errorf("no program may run in %s on the guest (mounted noexec?): set remote_folder to a folder where programs may run", where)
	default:
		return "", fmt.Errorf("making a folder in %s on the guest: status %d: %s", where, status, clean(bad))
	}
	lines := strings.Fields(out)
	if len(lines) == 0 || !plainPath.MatchString(lines[len(lines)-1]) {
		return "", fmt.Errorf("making a folder in %s on the guest: it answered %q, which is not a usable path; set remote_folder", where, clean(out))
	}
	return lines[len(lines)-1], nil
}

// cleanUpTime bounds the removal, which must also work once the build is
// cancelled.
const cleanUpTime = 30 * time.Second

// remove deletes the run's folder. The folder is the user's own, so no sudo is
// needed even if root wrote into it.
func (g *guest) remove(ctx context.Context, folder string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	_, bad, status, err := g.ask(ctx, "rm -rf "+quote(folder))
	if err == nil && status != 0 {
		err = fmt.Errorf("status %d: %s", status, clean(bad))
	}
	if err != nil {
		return fmt.Errorf("removing %s from the guest, which holds only what was uploaded: %w", folder, err)
	}
	return nil
}
