package harden

import (
	"context"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fail2ban"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/ufw"
)

// standDown is what a running system has to be told once a rollback has put the
// files back: it still holds what they asked for. Packages stay installed.
func standDown(m *Machine, originals []journal.Entry) []Action {
	h := m.Host
	before := func(path string) (n host.Node, changed bool) {
		i := slices.IndexFunc(originals, func(en journal.Entry) bool { return en.Path == path })
		if i < 0 {
			return n, false
		}
		return originals[i].Before, true
	}
	var actions []Action
	for _, unit := range []string{verifyTimer, watchUnit} {
		actions = append(actions, Action{Name: "stopping " + unit, Do: func(ctx context.Context) error {
			_, _ = h.Run(ctx, "systemctl", "stop", unit) // systemd may not know it
			return nil
		}})
	}
	actions = append(actions, daemonReload(h))
	if _, changed := before(nftRules); changed {
		actions = append(actions, loadTable(h))
	}
	if _, changed := before(fail2ban.JailsFile); changed && h.Exists("/usr/bin/fail2ban-server") {
		actions = append(actions, Action{Name: "restarting fail2ban", Do: func(ctx context.Context) error {
			_, err := h.Run(ctx, "systemctl", "try-restart", fail2ban.Unit)
			return err
		}})
	}
	if conf, changed := before(ufw.Conf); changed && ufw.Installed(h) {
		runsOn := strings.EqualFold(ufw.Settings(conf.Data).Get("ENABLED"), "yes") // else it did not run before
		actions = append(actions, Action{Name: "giving the firewall its former rules", Do: func(ctx context.Context) error { return ufw.StandDown(ctx, h, runsOn) }})
	}
	return actions
}
