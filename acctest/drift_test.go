//go:build linux && acceptance

package acctest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// verify runs it, and gives the failed checks with their sentences.
func (m machine) verify() map[string]string {
	m.t.Helper()
	rep, exit := m.reportOf("fs-harden", "verify", "--json")
	failed := map[string]string{}
	for _, s := range rep.Steps {
		for _, c := range s.Checks {
			if c.Status == report.Fail {
				failed[c.Name] = c.Detail
			}
		}
	}
	if (exit != nil && exit.Code != 3) || (exit != nil) != (len(failed) > 0) {
		m.t.Errorf("%d checks failed, and verify ended with: %v", len(failed), exit)
	}
	return failed
}

// reportOf runs a command of the helper's, and gives the report that ends its
// output, and how it ended if not well.
func (m machine) reportOf(argv ...string) (rep report.Report, exit *lab.ExecError) {
	m.t.Helper()
	out, err := m.Exec(shop.ctx, argv...)
	if errors.As(err, &exit) {
		out = exit.Stdout
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &rep); err != nil {
		m.t.Fatalf("the last line is not the report: %v\n%s", err, out)
	}
	return rep, exit
}

// Each drift is told by its own check, and by no other.
func driftIsTold(m machine) {
	const (
		drop     = "/etc/systemd/system/freeswitch.service.d/50-fs-harden.conf"
		external = "/etc/freeswitch/sip_profiles/external.xml"
		socket   = "/etc/freeswitch/autoload_configs/event_socket.conf.xml"
		expanded = "/var/log/freeswitch/freeswitch.xml.fsxml"
		reloaded = "fs_cli -x 'reload mod_event_socket'; for i in $(seq 100); do ss -Hlnt 'sport = :8021' | grep -q '%s:8021' && fs_cli -x status && exit; sleep 0.1; done; exit 1"
	)
	for name, c := range map[string]struct {
		drift, mend string
		checks      string // those that fail, sorted
		says        string
	}{
		"a profile without log-auth-failures": {
			"cp -p " + external + " /root/kept && sed -i '/log-auth-failures/d' " + external, "cp -p /root/kept " + external,
			"log-auth-failures", "silent about failures: external",
		},
		"a listener for the world": {
			"cp -p " + socket + " /root/kept && sed -i 's/\"listen-ip\" value=\"[^\"]*\"/\"listen-ip\" value=\"0.0.0.0\"/' " + socket + " && " +
				"(" + fmt.Sprintf(reloaded, "0.0.0.0") + ") && cp -p /root/kept " + socket, fmt.Sprintf(reloaded, "127.0.0.1"),
			"event-socket-listener", "listens on 0.0.0.0:8021",
		},
		"a password that is not its file's": {
			"cp -p " + socket + " /root/kept && sed -i 's/\"password\" value=\"[^\"]*\"/\"password\" value=\"SomebodyElsesChoice\"/' " + socket, "cp -p /root/kept " + socket,
			"event-socket-live", "another password than that of its file",
		},
		"a file of root's that fs_cli prefers": {
			"umask 077 && printf '[default]\\npassword => SomebodyElsesChoice\\n' >/root/.fs_cli_conf", "rm /root/.fs_cli_conf",
			"fs-cli-connects", "look at /root/.fs_cli_conf",
		},
		"a jail gone": {
			"fail2ban-client stop freeswitch", "systemctl restart fail2ban",
			"ban-ipv4 ban-ipv6 fail2ban-jails", "the jail freeswitch does not run",
		},
		"the gate's drop-in gone": {
			"mv " + drop + " /root/kept && systemctl daemon-reload", "mv /root/kept " + drop + " && systemctl daemon-reload",
			"gate", "50-fs-harden.conf is missing",
		},
		"the firewall down": {
			"ufw --force disable", "ufw --force enable",
			"firewall firewall-files", "ufw enable",
		},
		"a jail that bans nobody": {
			"fail2ban-client set freeswitch delaction fs-harden", "systemctl restart fail2ban",
			"ban-ipv4 ban-ipv6", "the kernel does not enforce it",
		},
		"a jail that reads no log": {
			"fail2ban-client set freeswitch dellogpath /var/log/freeswitch/fs-harden-auth.log", "systemctl restart fail2ban",
			"fail2ban-jails", "the jail freeswitch does not read",
		},
		"a jail that reads no further": {
			"fail2ban-client set freeswitch idle on && sleep 3 && " +
				"date -d '-1 minute' '+%F %T.000001 50.00%% [WARNING] sofia_reg.c:1 nothing' >>/var/log/freeswitch/fs-harden-auth.log", "systemctl restart fail2ban",
			"fail2ban-lag", "s behind its log, with 66 bytes to read",
		},
		"a rule more in the kernel's table": {
			"nft add rule inet fs_harden bans accept", "systemctl restart fs-harden-nft fail2ban",
			"kernel-table", "the chain bans has",
		},
		"UFW's rules out of reach": {
			"iptables -D ufw-before-input -j ufw-user-input", "iptables -A ufw-before-input -j ufw-user-input",
			"firewall", "do not reach UFW's rules",
		},
		"another unit that starts FreeSWITCH": {
			"cp /lib/systemd/system/freeswitch.service /etc/systemd/system/pbx.service && systemctl enable pbx", "systemctl disable pbx && rm /etc/systemd/system/pbx.service && systemctl daemon-reload",
			"other-starters", "the unit pbx.service is enabled and starts FreeSWITCH",
		},
		"no unit of FreeSWITCH's": {
			"mv /lib/systemd/system/freeswitch.service /root/kept && systemctl daemon-reload", "mv /root/kept /lib/systemd/system/freeswitch.service && systemctl daemon-reload",
			"gate", "there is no unit freeswitch.service",
		},
		"passwords for the world": {
			"chmod o+r /etc/freeswitch/vars.xml", "chmod o-r /etc/freeswitch/vars.xml",
			"configuration-closed", "every user can read the passwords in /etc/freeswitch/vars.xml",
		},
		"a folder of programs that others may change": {
			"chmod o+w /usr/local/sbin", "chmod o-w /usr/local/sbin",
			"helper", "others than root can replace",
		},
		"secrets for the world": {
			"chmod 644 /root/freeswitch-credentials.txt", "chmod 600 /root/freeswitch-credentials.txt",
			"secret-file /root/freeswitch-credentials.txt", "others can reach it",
		},
		"the expanded configuration for the world": {
			"chmod o+rx /var/log/freeswitch && chmod o+r " + expanded, "chmod o= /var/log/freeswitch " + expanded,
			"expanded-configuration", "is open to others",
		},
		"a drop-in with another umask": {
			"printf '[Service]\\nUMask=0022\\n' >/etc/systemd/system/freeswitch.service.d/99-own.conf && systemctl daemon-reload",
			"rm /etc/systemd/system/freeswitch.service.d/99-own.conf && systemctl daemon-reload",
			"expanded-configuration", "with the umask 0022",
		},
	} {
		m.sh(c.drift)
		failed := m.verify()
		var names, sentences []string
		for check, sentence := range failed {
			names, sentences = append(names, check), append(sentences, sentence)
		}
		slices.Sort(names)
		if strings.Join(names, " ") != c.checks || !strings.Contains(strings.Join(sentences, "\n"), c.says) {
			m.t.Errorf("%s: failed %q: %s", name, names, sentences)
		}
		m.sh(c.mend)
		if strings.Contains(c.mend, "fail2ban") { // it takes a moment to make its jails, and the next row speaks to them
			m.until("fail2ban-client status recidive && fail2ban-client status freeswitch")
		}
	}
	if failed := m.verify(); len(failed) > 0 {
		m.t.Errorf("mended, and still: %v", failed)
	}
}

// status is what fs-harden status tells, as far as it is looked at.
type status struct {
	State    string
	Instance string
	Made     string `json:"secrets_made"`
	Rotated  string
	Verified struct{ Failed []report.Check }
	Drifted  []struct{ Path, What string }
	Failing  []report.Check
}

func (m machine) status() (s status) {
	m.t.Helper()
	out := m.run("fs-harden", "status", "--json")
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
	return s
}

// The unit tells drift by its status and in the journal, as an error; status
// remembers it. The timer waits for tomorrow.
func unitAndTimer(m machine) {
	t := m.t
	const external = "/etc/freeswitch/sip_profiles/external.xml"
	m.sh("cp -p " + external + " /root/kept && sed -i '/log-auth-failures/d' " + external)
	m.fails("systemctl", "start", "fs-harden-verify")
	if s := m.property("fs-harden-verify", "ExecMainStatus"); s != "3" {
		t.Errorf("the unit's exit status is %s", s)
	}
	if out := m.run("journalctl", "-b", "--no-pager", "-o", "cat", "-p", "err", "-u", "fs-harden-verify", "-t", "fs-harden"); !strings.Contains(out, "fail log-auth-failures: silent about failures: external") {
		t.Errorf("the journal's errors:\n%s", out)
	}
	s := m.status()
	if s.State != "drifted" || len(s.Verified.Failed) != 1 || len(s.Failing) != 1 || len(s.Drifted) != 1 || s.Drifted[0].Path != external {
		t.Errorf("status: %+v", s)
	}
	if out := m.run("fs-harden", "status"); strings.Count(out, "\n") > 20 || !strings.Contains(out, external+" was changed") {
		t.Errorf("status:\n%s", out)
	}
	m.sh("cp -p /root/kept " + external)
	m.run("systemctl", "start", "fs-harden-verify")
	if s := m.status(); s.State != "hardened" {
		t.Errorf("status: %+v", s)
	}
	if a, e := m.property("fs-harden-verify.timer", "ActiveState"), m.run("systemctl", "is-enabled", "fs-harden-verify.timer"); a != "active" || e != "enabled" {
		t.Errorf("the timer is %s and %s", a, e)
	}
	if next := m.property("fs-harden-verify.timer", "NextElapseUSecRealtime"); next == "" || next == "0" {
		t.Errorf("the timer waits for %q", next)
	}
	t.Log(m.run("fs-harden", "status"))
}

// At each start and load, and with the unit of an upgrade that sets no umask.
func expandedConfiguration(m machine) {
	const expanded = "/var/log/freeswitch/freeswitch.xml.fsxml"
	closed := func(when string) {
		m.t.Helper()
		m.until("fs_cli -x status")
		if mode := m.run("stat", "-c", "%a", expanded); !strings.HasSuffix(mode, "0") {
			m.t.Errorf("%s: mode %s", when, mode)
		}
		m.fails("runuser", "-u", "nobody", "--", "cat", expanded)
		m.run("test", "-s", expanded)
	}
	closed("as it runs")
	m.sh("rm " + expanded + " && fs_cli -x reloadxml")
	closed("after reloadxml")
	m.sh("cp -p /lib/systemd/system/freeswitch.service /root/kept && sed -i '/^UMask=/d' /lib/systemd/system/freeswitch.service && systemctl daemon-reload")
	m.sh("rm " + expanded + " && systemctl restart freeswitch")
	closed("with a unit that sets no umask")
	if failed := m.verify(); len(failed) > 0 {
		m.t.Errorf("after the upgrade: %v", failed)
	}
	m.sh("cp -p /root/kept /lib/systemd/system/freeswitch.service && systemctl daemon-reload")
}
