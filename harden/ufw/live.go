package ufw

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// Installed tells whether UFW is there to be started.
func Installed(h *host.Host) bool { return h.Exists(Init) }

// Start loads what the files say. UFW's own start and reload both pass over
// chains that somebody unhooked (ufw-init-functions, ufw_start), so such chains
// are removed first, by their names and no others.
func Start(ctx context.Context, h *host.Host) error {
	if !Installed(h) {
		return errors.New("ufw is not installed: apt-get install ufw, or say skip_firewall = true")
	}
	now := Look(ctx, h)
	if now.loaded && !now.hooked {
		if err := now.remove(ctx, h); err != nil {
			return err
		}
		now.loaded = false
	}
	verb := "start"
	if now.loaded {
		verb = "force-reload"
	}
	if _, err := h.Run(ctx, Init, verb); err != nil {
		return err
	}
	// So that systemd knows of it, and stops it in order.
	_, err := h.Run(ctx, "systemctl", "start", "ufw.service")
	return err
}

// Restore makes the kernel hold of UFW what it held, the files being back.
func (s State) Restore(ctx context.Context, h *host.Host) error {
	if !Installed(h) {
		return nil
	}
	if s.loaded {
		return StandDown(ctx, h, true)
	}
	return errors.Join(StandDown(ctx, h, false), s.restorePolicies(ctx, h))
}

// StandDown takes our rules out of the kernel, the files being those of before:
// where UFW is to run on, it loads those.
func StandDown(ctx context.Context, h *host.Host, runOn bool) error {
	if err := packagedFiles(ctx, h); err != nil {
		return err
	}
	verb := "force-stop"
	if runOn {
		verb = "force-reload"
	}
	_, err := h.Run(ctx, Init, verb)
	return err
}

// packagedFiles puts the package's own files where ours were removed: without
// any, UFW does not even stop.
func packagedFiles(ctx context.Context, h *host.Host) error {
	for from, to := range map[string]string{"ufw.conf": Conf, "iptables/user.rules": Families[0].Rules, "iptables/user6.rules": Families[1].Rules} {
		if h.Exists(to) {
			continue
		}
		if _, err := h.Run(ctx, "cp", "/usr/share/ufw/"+from, to); err != nil {
			return err
		}
	}
	return nil
}

// State is what the kernel holds of UFW.
type State struct {
	loaded   bool                // its chains are there
	hooked   bool                // packets reach them
	chains   map[string][]string // by command
	policies map[string][]string // by command, "INPUT DROP"
}

// Look asks the kernel.
func Look(ctx context.Context, h *host.Host) State {
	s := State{hooked: true, chains: map[string][]string{}, policies: map[string][]string{}}
	for _, f := range Families {
		out, err := h.Run(ctx, f.iptables, "-S")
		if err != nil {
			continue
		}
		hooked := false
		for line := range strings.Lines(string(out)) {
			line = strings.TrimSpace(line)
			if name, ok := strings.CutPrefix(line, "-N "); ok && strings.HasPrefix(name, f.chain+"-") {
				s.chains[f.iptables] = append(s.chains[f.iptables], name)
			}
			if policy, ok := strings.CutPrefix(line, "-P "); ok {
				s.policies[f.iptables] = append(s.policies[f.iptables], policy)
			}
			hooked = hooked || line == "-A INPUT -j "+f.chain+"-before-input"
		}
		loaded := slices.Contains(s.chains[f.iptables], f.chain+"-user-input")
		s.loaded = s.loaded || loaded
		s.hooked = s.hooked && (hooked || !loaded)
	}
	return s
}

// remove takes UFW's chains away, and what leads to them. The policies stand
// meanwhile: nothing is let in that was not.
func (s State) remove(ctx context.Context, h *host.Host) error {
	for command, chains := range s.chains {
		for _, builtin := range []string{"INPUT", "OUTPUT", "FORWARD"} {
			if err := unhook(ctx, h, command, builtin, chains); err != nil {
				return err
			}
		}
		for _, flag := range []string{"-F", "-X"} {
			for _, c := range chains {
				if _, err := h.Run(ctx, command, flag, c); err != nil {
					return fmt.Errorf("removing UFW's unhooked chains: %w", err)
				}
			}
		}
	}
	return nil
}

func unhook(ctx context.Context, h *host.Host, command, builtin string, chains []string) error {
	out, err := h.Run(ctx, command, "-S", builtin)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) != 4 || words[0] != "-A" || words[2] != "-j" || !slices.Contains(chains, words[3]) {
			continue
		}
		if _, err := h.Run(ctx, command, "-D", builtin, "-j", words[3]); err != nil {
			return fmt.Errorf("unhooking %s: %w", words[3], err)
		}
	}
	return nil
}

// restorePolicies undoes what stopping UFW does to the built-in chains.
func (s State) restorePolicies(ctx context.Context, h *host.Host) error {
	for command, policies := range s.policies {
		for _, p := range policies {
			chain, target, _ := strings.Cut(p, " ")
			if _, err := h.Run(ctx, command, "-P", chain, target); err != nil {
				return fmt.Errorf("putting back the policy of %s: %w", chain, err)
			}
		}
	}
	return nil
}
