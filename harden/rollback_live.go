package harden

import (
	"context"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// standDown is what a running system has to be told once a rollback has put the
// files back: it still holds what they asked for. Packages stay installed.
func standDown(m *Machine, originals []entry) []Action {
	h := m.Host
	before := func(path string) (n host.Node, changed bool) {
		i := slices.IndexFunc(originals, func(en entry) bool { return en.Path == path })
		if i < 0 {
			return n, false
		}
		return originals[i].Before, true
	}
	actions := []Action{{Name: "stopping " + verifyTimer, Do: func(ctx context.Context) error {
		if !active(ctx, m, verifyTimer) {
			return nil
		}
		_, err := h.Run(ctx, "systemctl", "stop", verifyTimer)
		return err
	}}, daemonReload(h)}
	if _, changed := before(nftRules); changed {
		actions = append(actions, loadTable(h))
	}
	if _, changed := before(fail2banJails); changed && h.Exists("/usr/bin/fail2ban-server") {
		actions = append(actions, Action{Name: "restarting fail2ban", Do: func(ctx context.Context) error {
			_, err := h.Run(ctx, "systemctl", "try-restart", fail2banUnit)
			return err
		}})
	}
	if conf, changed := before(ufwConf); changed && h.Exists(ufwInit) {
		verb := "force-stop" // what was not enabled before is not to run on
		if strings.EqualFold(shellSettings(conf.Data).get("ENABLED"), "yes") {
			verb = "force-reload"
		}
		actions = append(actions, Action{Name: "ufw-init " + verb, Do: func(ctx context.Context) error {
			if err := packagedUFWFiles(ctx, h); err != nil {
				return err
			}
			_, err := h.Run(ctx, ufwInit, verb)
			return err
		}})
	}
	return actions
}
