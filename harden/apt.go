package harden

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// aptOptions make apt ask nothing, keep configuration files as they are, and
// wait for another apt's lock by itself.
var aptOptions = []string{
	"-q", "-y", "-o", "DPkg::Lock::Timeout=60",
	"-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold",
}

const (
	// lockPatience is how long another apt may hold its locks: unattended
	// upgrades on a cloud image's first boot take minutes.
	lockPatience = 10 * time.Minute
	// fail2banMask lies in /run, so that it cannot outlast the boot in which a
	// run was killed.
	fail2banMask = "fail2ban.service"
)

// aptRun installs packages, and knows which ones came by it.
type aptRun struct {
	m        *Machine
	packages []string
	came     []string
	// wait is how long to wait before the next try at a lock.
	wait time.Duration
}

func (a *aptRun) install(ctx context.Context) error {
	before, err := a.m.installed()
	if err != nil {
		return err
	}
	// Lists that cannot be fetched do no harm where the packages are at hand.
	stale := a.apt(ctx, "update")
	if err := a.available(ctx, stale); err != nil {
		return err
	}
	args := append([]string{"install", "--no-install-recommends"}, a.packages...)
	if err := a.apt(ctx, append(args, "--download-only")...); err != nil {
		return a.explain(err, stale)
	}
	if err := a.hold(ctx); err != nil {
		return err
	}
	err = a.apt(ctx, args...)
	after, look := a.m.installed()
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

// hold keeps packages from starting services: fail2ban with half of its
// configuration, or anything at all where no system runs.
func (a *aptRun) hold(ctx context.Context) error {
	if a.m.Live {
		if !slices.Contains(a.packages, "fail2ban") {
			return nil
		}
		_, err := a.m.Run(ctx, "systemctl", "mask", "--runtime", fail2banMask)
		return err
	}
	policy, err := ourPolicy()
	if err != nil || a.m.Host.Exists(policyRC) {
		return err // somebody has a policy already, as container images do
	}
	return a.m.Host.Put(policyRC, policy)
}

func ourPolicy() (host.Node, error) {
	text, err := templates.ReadFile("templates/policy-rc.d")
	return host.NewFile(text, 0o755), err
}

// release undoes hold, of a run that was killed as well.
func (a *aptRun) release(ctx context.Context) error {
	if a.m.Live {
		// The mask is a link to /dev/null, and so it exists.
		if !a.m.Host.Exists("/run/systemd/system/" + fail2banMask) {
			return nil
		}
		_, err := a.m.Run(ctx, "systemctl", "unmask", "--runtime", fail2banMask)
		return err
	}
	policy, err := ourPolicy()
	if err != nil {
		return err
	}
	if n, err := a.m.Host.Lookup(policyRC); err != nil || !same(n, policy) {
		return err
	}
	return a.m.Host.Put(policyRC, host.Node{Kind: host.Absent})
}

// purge removes what this run installed, configuration files and all.
func (a *aptRun) purge(ctx context.Context) error {
	if len(a.came) == 0 {
		return a.release(ctx)
	}
	return errors.Join(a.release(ctx), a.apt(ctx, append([]string{"purge"}, a.came...)...))
}

// apt runs apt-get, again and again while another one holds a lock: the one on
// the lists is not covered by DPkg::Lock::Timeout.
func (a *aptRun) apt(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for {
		_, err := a.m.Run(ctx, "apt-get", append(slices.Clone(aptOptions), args...)...)
		if err == nil || !lockHeld(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("another apt or dpkg held its lock for %s; let it finish, or stop unattended-upgrades, and run this again: %w", lockPatience, err)
		case <-time.After(a.wait):
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
func (a *aptRun) available(ctx context.Context, stale error) error {
	out, err := a.m.Run(ctx, "apt-cache", append([]string{"policy"}, a.packages...)...)
	if err != nil {
		return err
	}
	have := candidates(string(out))
	var none []string
	for _, name := range a.packages {
		if v := have[name]; v == "" || v == "(none)" {
			none = append(none, name)
		}
	}
	if len(none) > 0 {
		return a.explain(fmt.Errorf("this machine's package sources do not have %s: add Debian's main, or Ubuntu's main and universe, to apt's sources, or install them before this provisioner", strings.Join(none, ", ")), stale)
	}
	if v, ok := have["fail2ban"]; ok {
		return usableFail2ban(v)
	}
	return nil
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
func (a *aptRun) explain(err, stale error) error {
	if stale == nil {
		return err
	}
	return fmt.Errorf("%w (and the lists of packages could not be fetched: %w)", err, stale)
}
