package harden

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// startUFW loads what the files say. UFW's own start and reload both pass over
// chains that somebody unhooked (ufw-init-functions, ufw_start), so such chains
// are removed first, by their names and no others.
func startUFW(ctx context.Context, m *Machine) Action {
	h := m.Host
	before := ufwBefore(ctx, m)
	return Action{
		Name: "starting the firewall",
		Do: func(ctx context.Context) error {
			if !h.Exists(ufwInit) {
				return errors.New("ufw is not installed: apt-get install ufw, or say skip_firewall = true")
			}
			now := ufwBefore(ctx, m)
			if now.loaded && !now.hooked {
				if err := now.remove(ctx, m); err != nil {
					return err
				}
				now.loaded = false
			}
			verb := "start"
			if now.loaded {
				verb = "force-reload"
			}
			if _, err := h.Run(ctx, ufwInit, verb); err != nil {
				return err
			}
			// So that systemd knows of it, and stops it in order.
			_, err := h.Run(ctx, "systemctl", "start", "ufw.service")
			return err
		},
		Undo: func(ctx context.Context) error {
			if !h.Exists(ufwInit) {
				return nil
			}
			if err := packagedUFWFiles(ctx, h); err != nil {
				return err
			}
			if before.loaded {
				_, err := h.Run(ctx, ufwInit, "force-reload")
				return err
			}
			if _, err := h.Run(ctx, ufwInit, "force-stop"); err != nil {
				return err
			}
			return before.restorePolicies(ctx, m)
		},
	}
}

// packagedUFWFiles puts the package's own files where ours were removed: without
// any, UFW does not even stop.
func packagedUFWFiles(ctx context.Context, h *host.Host) error {
	for from, to := range map[string]string{"ufw.conf": ufwConf, "iptables/user.rules": families[0].rules, "iptables/user6.rules": families[1].rules} {
		if h.Exists(to) {
			continue
		}
		if _, err := h.Run(ctx, "cp", "/usr/share/ufw/"+from, to); err != nil {
			return err
		}
	}
	return nil
}

// ufwState is what the kernel holds of UFW.
type ufwState struct {
	loaded   bool                // its chains are there
	hooked   bool                // packets reach them
	chains   map[string][]string // by command
	policies map[string][]string // by command, "INPUT DROP"
}

func ufwBefore(ctx context.Context, m *Machine) ufwState {
	s := ufwState{hooked: true, chains: map[string][]string{}, policies: map[string][]string{}}
	for _, f := range families {
		out, err := m.Run(ctx, f.iptables, "-S")
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
func (s ufwState) remove(ctx context.Context, m *Machine) error {
	for command, chains := range s.chains {
		for _, builtin := range []string{"INPUT", "OUTPUT", "FORWARD"} {
			if err := unhook(ctx, m, command, builtin, chains); err != nil {
				return err
			}
		}
		for _, flag := range []string{"-F", "-X"} {
			for _, c := range chains {
				if _, err := m.Run(ctx, command, flag, c); err != nil {
					return fmt.Errorf("removing UFW's unhooked chains: %w", err)
				}
			}
		}
	}
	return nil
}

func unhook(ctx context.Context, m *Machine, command, builtin string, chains []string) error {
	out, err := m.Run(ctx, command, "-S", builtin)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) != 4 || words[0] != "-A" || words[2] != "-j" || !slices.Contains(chains, words[3]) {
			continue
		}
		if _, err := m.Run(ctx, command, "-D", builtin, "-j", words[3]); err != nil {
			return fmt.Errorf("unhooking %s: %w", words[3], err)
		}
	}
	return nil
}

// restorePolicies undoes what stopping UFW does to the built-in chains.
func (s ufwState) restorePolicies(ctx context.Context, m *Machine) error {
	for command, policies := range s.policies {
		for _, p := range policies {
			chain, target, _ := strings.Cut(p, " ")
			if _, err := m.Run(ctx, command, "-P", chain, target); err != nil {
				return fmt.Errorf("putting back the policy of %s: %w", chain, err)
			}
		}
	}
	return nil
}
