//go:build linux && acceptance

package acctest

import (
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// Programs that FreeSWITCH's user can replace lie where root would look for them
// first. Verify runs none of them, says so of fs_cli, and proves all the same.
func TestProgramsOfOthersAreNotRun(t *testing.T) {
	m := boot(t, baked(t), "programs", lab.BootOptions{})
	const mark = "/run/ran-as-root"
	m.sh(`set -e
		mv "$(command -v fs_cli)" /root/fs_cli.kept
		mkdir -p /usr/local/freeswitch/bin
		for program in /usr/local/freeswitch/bin/fs_cli /usr/local/bin/nft /usr/local/bin/fail2ban-client /usr/local/bin/systemctl /usr/local/bin/ip; do
			printf '#!/bin/sh\ntouch ` + mark + `\necho UP 0 years\n' >$program
			chmod 755 $program
		done
		chown -R freeswitch /usr/local/freeswitch /usr/local/bin`)
	rep, _ := m.reportOf("env", "PATH=/usr/local/freeswitch/bin:/usr/local/bin:/usr/sbin:/usr/bin", "/usr/local/sbin/fs-harden", "verify", "--json")
	seen := false
	for _, s := range rep.Steps {
		for _, c := range s.Checks {
			if c.Status == report.Fail {
				t.Errorf("%s fails: %s", c.Name, c.Detail)
			}
			if c.Name == "fs-cli-connects" {
				seen = true
				if c.Status != report.CheckDeferred || !strings.Contains(c.Detail, "/usr/local/freeswitch can be changed by user") {
					t.Errorf("fs_cli: %s, %s", c.Status, c.Detail)
				}
			}
		}
	}
	if !seen {
		t.Error("nothing is said of fs_cli")
	}
	if _, err := m.Exec(shop.ctx, "test", "!", "-e", mark); err != nil {
		t.Error("a program of FreeSWITCH's user ran as root")
	}
	m.run("/usr/local/sbin/fs-harden", "rotate")
	if _, err := m.Exec(shop.ctx, "test", "!", "-e", mark); err != nil {
		t.Error("a rotation ran a program of FreeSWITCH's user as root")
	}
}
