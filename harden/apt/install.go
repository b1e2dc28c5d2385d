// Package apt installs Debian packages, and undoes it. Where nothing may start,
// nothing does.
package apt

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

//go:embed templates
var templates embed.FS

// options make apt ask nothing, keep configuration files as they are, and
// wait for another apt's lock by itself.
var options = []string{
	"-q", "-y", "-o", "DPkg::Lock::Timeout=60",
	"-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold",
}

const (
	// lockPatience is how long another apt may hold its locks: unattended
	// upgrades on a cloud image's first boot take minutes.
	lockPatience = 10 * time.Minute
	// lockRetry is how long to wait before the next try at a lock.
	lockRetry = 3 * time.Second
)

// Install is packages that are to come, and those that came by it.
type Install struct {
	Host     *host.Host
	Packages []string
	// Live tells that systemd runs here, and that services may start, but for
	// those of Mask.
	Live bool
	// Mask names units that must not start while their package is configured.
	Mask []string
	// Refuse, where it is not nil, says what is wrong with the versions that apt
	// would install, by package.
	Refuse func(versions map[string]string) error

	came []string
	wait time.Duration // lockRetry outside tests
}

// Do installs the packages. It fails before anything is installed where one of
// them cannot be had.
func (a *Install) Do(ctx context.Context) error {
	before, err := Installed(a.Host)
	if err != nil {
		return err
	}
	// Lists that cannot be fetched do no harm where the packages are at hand.
	stale := a.apt(ctx, "update")
	if err := a.available(ctx, stale); err != nil {
		return err
	}
	args := append([]string{"install", "--no-install-recommends"}, a.Packages...)
	if err := a.apt(ctx, append(args, "--download-only")...); err != nil {
		return a.explain(err, stale)
	}
	if err := a.hold(ctx); err != nil {
		return err
	}
	err = a.apt(ctx, args...)
	after, look := Installed(a.Host)
	for name := range after {
		if _, ok := before[name]; !ok {
			a.came = append(a.came, name)
		}
	}
	slices.Sort(a.came)
	if err != nil {
		err = a.explain(err, stale)
	}
	return errors.Join(err, look, a.release(ctx))
}

// policyRC is asked by packages whether their services may start
// (invoke-rc.d(8)): with neither a policy nor systemd, they do.
const policyRC = "/usr/sbin/policy-rc.d"

// hold keeps packages from starting services: one with half of its
// configuration, or anything at all where no system runs. A mask lies in /run,
// so that it cannot outlast the boot in which a run was killed.
func (a *Install) hold(ctx context.Context) error {
	if a.Live {
		return a.mask(ctx, "mask", a.Mask)
	}
	policy, err := ourPolicy()
	if err != nil || a.Host.Exists(policyRC) {
		return err // somebody has a policy already, as container images do
	}
	return a.Host.Put(policyRC, policy)
}

func (a *Install) mask(ctx context.Context, verb string, units []string) error {
	if len(units) == 0 {
		return nil
	}
	_, err := a.Host.Run(ctx, "systemctl", append([]string{verb, "--runtime"}, units...)...)
	return err
}

func ourPolicy() (host.Node, error) {
	text, err := templates.ReadFile("templates/policy-rc.d")
	return host.NewFile(text, 0o755), err
}

// release undoes hold, of a run that was killed as well.
func (a *Install) release(ctx context.Context) error {
	if a.Live {
		// A mask is a link to /dev/null, and so it exists.
		masked := slices.DeleteFunc(slices.Clone(a.Mask), func(unit string) bool { return !a.Host.Exists("/run/systemd/system/" + unit) })
		return a.mask(ctx, "unmask", masked)
	}
	policy, err := ourPolicy()
	if err != nil {
		return err
	}
	if n, err := a.Host.Lookup(policyRC); err != nil || !host.Same(n, policy) {
		return err
	}
	return a.Host.Put(policyRC, host.Node{Kind: host.Absent})
}

// Undo removes what Do installed, configuration files and all.
func (a *Install) Undo(ctx context.Context) error {
	if len(a.came) == 0 {
		return a.release(ctx)
	}
	return errors.Join(a.release(ctx), a.apt(ctx, append([]string{"purge"}, a.came...)...))
}

// apt runs apt-get, again and again while another one holds a lock: the one on
// the lists is not covered by DPkg::Lock::Timeout.
func (a *Install) apt(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for {
		_, err := a.Host.Run(ctx, "apt-get", append(slices.Clone(options), args...)...)
		if err == nil || !lockHeld(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another apt or dpkg held its lock for %s; let it finish, or stop unattended-upgrades, and run this again: %w", lockPatience, err)
		case <-time.After(cmp.Or(a.wait, lockRetry)):
		}
	}
}

// lockHeld knows apt's words for it, in the C locale (apt-pkg/deb/debsystem.cc,
// apt-pkg/contrib/fileutl.cc).
func lockHeld(err error) bool {
	text := err.Error()
	for _, words := range []string{"Could not get lock", "Unable to lock", "Unable to acquire the dpkg frontend lock"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// available refuses what apt cannot give before anything is installed.
func (a *Install) available(ctx context.Context, stale error) error {
	out, err := a.Host.Run(ctx, "apt-cache", append([]string{"policy"}, a.Packages...)...)
	if err != nil {
		return err
	}
	have := candidates(string(out))
	var none []string
	for _, name := range a.Packages {
		if v := have[name]; v == "" || v == "(none)" {
			none = append(none, name)
		}
	}
	if len(none) > 0 {
		return a.explain(fmt.Errorf("this machine's package sources do not have %s: add Debian's main, or Ubuntu's main and universe, to apt's sources, or install them before this provisioner", strings.Join(none, ", ")), stale)
	}
	if a.Refuse == nil {
		return nil
	}
	return a.Refuse(have)
}

// candidates reads apt-cache policy: the version that would be installed.
func candidates(policy string) map[string]string {
	found := map[string]string{}
	name := ""
	for line := range strings.Lines(policy) {
		line = strings.TrimRight(line, "\n")
		if !strings.HasPrefix(line, " ") {
			name = strings.TrimSuffix(line, ":")
		}
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate:"); ok {
			found[name] = strings.TrimSpace(v)
		}
	}
	return found
}

// explain adds why the lists may be old.
func (a *Install) explain(err, stale error) error {
	if stale == nil {
		return err
	}
	return fmt.Errorf("%w (and the lists of packages could not be fetched: %w)", err, stale)
}
