package harden

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/ufw"
)

// broken is one way to break what a check proves. The check then fails, and no
// other does.
type broken struct {
	check string
	// what is broken, in a few words; docs/checks.md has them too.
	what  string
	spoil func(s *standIn)
	says  string // a piece of what the check says
	// live breakage is that of a machine that runs; else it is looked at below
	// --root too.
	live bool
	// bound is how long the verify may take, 0 for as long as it likes.
	bound time.Duration
	// run gives the failed checks where they are not those of a verify.
	run func(s *standIn) []report.Check
}

const (
	varsFile    = "/etc/freeswitch/vars.xml"
	gateDropIn  = "/etc/systemd/system/freeswitch.service.d/50-fs-harden.conf"
	umaskConf   = "/etc/systemd/system/freeswitch.service.d/50-fs-harden-umask.conf"
	wantsFolder = "/etc/systemd/system/multi-user.target.wants/"
	authLogFile = "/var/log/freeswitch/fs-harden-auth.log"
	logfileConf = "/etc/freeswitch/autoload_configs/logfile.conf.xml"
	aclLine     = `"apply-inbound-acl" value="loopback.auto"`
	otherUnit   = "[Unit]\nDescription=the PBX\n[Service]\nExecStart=/usr/bin/freeswitch -nc\n[Install]\nWantedBy=multi-user.target\n"
)

func write(p, text string) func(*standIn) { return func(s *standIn) { s.write(p, text) } }

func edit(p, old, text string) func(*standIn) { return func(s *standIn) { s.edit(p, old, text) } }

func remove(p string) func(*standIn) { return func(s *standIn) { s.remove(p) } }

func chmod(p string, mode os.FileMode) func(*standIn) {
	return func(s *standIn) { s.chmod(p, mode) }
}

func answer(command, old, text string) func(*standIn) {
	return func(s *standIn) { s.answer(command, old, text) }
}

func silence(command string) func(*standIn) {
	return func(s *standIn) { delete(s.answers, command) }
}

// enabled has a boot start a unit of that name.
func enabled(name, text string) func(*standIn) {
	return func(s *standIn) {
		s.write("/etc/systemd/system/"+name, text)
		s.relink(wantsFolder+name, "/etc/systemd/system/"+name)
	}
}

func both(spoils ...func(*standIn)) func(*standIn) {
	return func(s *standIn) {
		for _, spoil := range spoils {
			spoil(s)
		}
	}
}

// socketPassword sets the event socket's, which the stand-in takes then.
func socketPassword(value string) func(*standIn) {
	return func(s *standIn) {
		_, old := s.secrets()
		s.edit(socketFile, old, value)
		s.events.takes = []string{value}
	}
}

// stopped has no FreeSWITCH run.
func stopped(s *standIn) { s.running = false }

// breakages is the table: every check of verify, status, a bake and forget that
// can be broken without a real machine.
func breakages() []broken {
	return slices.Concat(configurationBreakages(), secretBreakages(), gateBreakages(), defenceBreakages(), liveBreakages(), otherBreakages())
}

func configurationBreakages() []broken {
	return []broken{
		{check: "sip-password", what: "the password that FreeSWITCH ships", spoil: func(s *standIn) {
			sip, _ := s.secrets()
			s.edit(varsFile, sip, "1234")
		}, says: "FreeSWITCH ships"},
		{check: "sip-password", what: "one of 7 characters", spoil: func(s *standIn) {
			sip, _ := s.secrets()
			s.edit(varsFile, sip, "aB3dE5g")
		}, says: "shorter than 8"},
		{check: "sip-password", what: "none, and users without a password", spoil: edit(varsFile, "default_password=", "no_password="), says: "empty"},
		{check: "event-socket-password", what: "the password that FreeSWITCH ships", spoil: socketPassword("ClueCon"), says: "FreeSWITCH ships"},
		{check: "event-socket-password", what: "an empty one", spoil: both(socketPassword(""), stopped), says: "empty"},
		{check: "event-socket-password", what: "one of 7 characters", spoil: socketPassword("aB3dE5g"), says: "shorter than 8"},
		{check: "event-socket-loopback", what: "listen-ip of all addresses", spoil: edit(socketFile, `"listen-ip" value="127.0.0.1"`, `"listen-ip" value="::"`), says: `listen-ip is "::"`},
		{check: "event-socket-loopback", what: "listen-ip of one address", spoil: edit(socketFile, `"listen-ip" value="127.0.0.1"`, `"listen-ip" value="203.0.113.9"`), says: "203.0.113.9"},
		{check: "event-socket-loopback", what: "a listen-ip that is no address", spoil: edit(socketFile, `"listen-ip" value="127.0.0.1"`, `"listen-ip" value="pbx.example.net"`), says: "pbx.example.net"},
		{check: "event-socket-acl", what: "the list lan", spoil: edit(socketFile, aclLine, `"apply-inbound-acl" value="lan"`), says: `"lan"`},
		{check: "event-socket-acl", what: "the list any_v4.auto", spoil: edit(socketFile, aclLine, `"apply-inbound-acl" value="any_v4.auto"`), says: `"any_v4.auto"`},
		{check: "event-socket-acl", what: "the list localnet.auto", spoil: edit(socketFile, aclLine, `"apply-inbound-acl" value="localnet.auto"`), says: `"localnet.auto"`},
		{check: "event-socket-acl", what: "an empty list", spoil: edit(socketFile, aclLine, `"apply-inbound-acl" value=""`), says: `""`},
		{check: "event-socket-acl", what: "no list", spoil: edit(socketFile, "<param name="+aclLine+"/>", ""), says: `""`},
		{check: "log-auth-failures", what: "a profile that logs no failure", spoil: edit("/etc/freeswitch/sip_profiles/external.xml", `"log-auth-failures" value="true"`, `"log-auth-failures" value="false"`), says: "external"},
		{check: "sip-banner", what: "a profile that tells its version", spoil: edit("/etc/freeswitch/sip_profiles/external.xml", `<param name="user-agent-string" value="pbx" set-by="fs-harden sip_banner"/>`, ""), says: "external (user-agent-string)"},
		{check: "sip-banner", what: "an SDP that names FreeSWITCH", spoil: edit("/etc/freeswitch/sip_profiles/internal.xml", `"username" value="pbx"`, `"username" value="FreeSWITCH"`), says: "internal (username)"},
		{check: "sip-banner", what: "a Contact that names mod_sofia", spoil: edit("/etc/freeswitch/sip_profiles/internal.xml", `"contact-user" value="pbx"`, `"contact-user" value="mod_sofia"`), says: "internal (contact-user)"},
		{check: "trunks-alone", what: "a list of who is refused taken off", spoil: edit(trunkProfile, `value="fs-harden-trunks-trunks::"`, `value="none"`), says: "apply-inbound-acl is none"},
		{check: "trunks-alone", what: "another list behind ours", spoil: edit(trunkProfile, "</settings>", `<param name="apply-inbound-acl" value="lan"/></settings>`), says: `"lan"`},
		{check: "trunks-alone", what: "refused callers asked for a password", spoil: edit(trunkProfile, "</settings>", `<param name="auth-calls" value="true"/></settings>`), says: `auth-calls is "true"`},
		{check: "trunks-alone", what: "a list of who may register", spoil: edit(trunkProfile, "fs-harden-nobody", "lan"), says: `apply-register-acl is "lan"`},
		{check: "trunks-alone", what: "a proxy that says who calls", spoil: edit(trunkProfile, "</settings>", `<param name="apply-proxy-acl" value="lan"/></settings>`), says: "apply-proxy-acl"},
		{check: "trunks-alone", what: "a network more in the list", spoil: edit(aclFile, "203.0.113.0/25", "203.0.113.0/24"), says: `lets in "203.0.113.0/24"`},
		{check: "trunks-alone", what: "a list that lets in by default", spoil: edit(aclFile, `<list name="fs-harden-trunks-trunks" default="deny">`, `<list name="fs-harden-trunks-trunks" default="allow">`), says: `the default "allow"`},
		{check: "trunks-alone", what: "the list gone", spoil: edit(aclFile, "fs-harden-trunks-trunks", "former"), says: "lacks the access list"},
		{check: "trunks-alone", what: "a second profile of the name", spoil: func(s *standIn) {
			s.write("/etc/freeswitch/sip_profiles/zz.xml", s.read(trunkProfile))
			s.chmod("/etc/freeswitch/sip_profiles/zz.xml", 0o640)
		}, says: "2 of that name"},
		{check: "auth-log", what: "another log in the profile", spoil: edit(logfileConf, "fs-harden-auth.log", "other.log"), says: "as it was written"},
		{check: "auth-log", what: "the log gone", spoil: remove(authLogFile), says: "is missing"},
		{check: "configuration-closed", what: "vars.xml for all to read", spoil: chmod(varsFile, 0o644), says: varsFile},
		{check: "configuration-closed", what: "the same where there is no user freeswitch", spoil: both(chmod(varsFile, 0o604), write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")), says: varsFile},
		{check: "configuration-closed", what: "event_socket.conf.xml for all to read", spoil: chmod(socketFile, 0o644), says: socketFile},
		{check: "configuration-closed", what: "and for all to write", spoil: chmod(socketFile, 0o642), says: socketFile},
		{check: "expanded-configuration", what: "file and folder open to others", spoil: both(
			write("/var/log/freeswitch/freeswitch.xml.fsxml", "x"), chmod("/var/log/freeswitch/freeswitch.xml.fsxml", 0o644), chmod("/var/log/freeswitch", 0o755)), says: "open to others"},
		{check: "expanded-configuration", what: "the drop-in gone", spoil: remove(umaskConf), says: "is missing"},
		{check: "expanded-configuration", what: "a drop-in that lets others in", spoil: edit(umaskConf, "UMask=0027", "UMask=0022"), says: "lets others in"},
	}
}

func secretBreakages() []broken {
	var out []broken
	for _, f := range []string{credentialsPath, cliGlobal, "/home/admin/.fs_cli_conf"} {
		out = append(out,
			broken{check: "secret-file " + f, what: "mode 0640", spoil: chmod(f, 0o640), says: "chmod 0600"},
			broken{check: "secret-file " + f, what: "mode 0604", spoil: chmod(f, 0o604), says: "chmod 0600"},
		)
	}
	return append(out,
		broken{check: "secret-file " + credentialsPath, what: "a link in its place", spoil: func(s *standIn) {
			s.write("/srv/shared", s.read(credentialsPath))
			s.relink(credentialsPath, "/srv/shared")
		}, says: "others can reach it"},
		broken{check: "fs-cli", what: "no /etc/passwd to find the admin users in", spoil: remove("/etc/passwd"), says: "admin users"},
		broken{check: "backup", what: "a damaged tarball", spoil: func(s *standIn) {
			p := s.backup()
			s.write(p, s.read(p)[:200])
		}, says: "does not unpack"},
		broken{check: "backup", what: "a byte of it changed", spoil: func(s *standIn) {
			p := s.backup()
			b := []byte(s.read(p))
			b[len(b)-6] ^= 1 // of its checksum (RFC 1952)
			s.write(p, string(b))
		}, says: "does not unpack"},
		broken{check: "backup", what: "mode 0640", spoil: func(s *standIn) { s.chmod(s.backup(), 0o640) }, says: "mode 0640"},
		broken{check: "backup", what: "a folder in its place", spoil: func(s *standIn) {
			p := s.backup()
			s.remove(p)
			s.write(p+"/x", "")
		}, says: "is a folder"},
		broken{check: "backup", what: "a record that does not say where it is", spoil: write(state.BakedPath, "{"), says: "baked.json", run: verifyChecks},
	)
}

func (s *standIn) backup() string {
	s.t.Helper()
	rec, err := state.ReadBaked(s.runner().Host)
	if err != nil || rec == nil {
		s.t.Fatal(rec, err)
	}
	return rec.Backup
}

func gateBreakages() []broken {
	var out []broken
	for what, p := range map[string]string{
		"its drop-in":           gateDropIn,
		"the first boot":        unitDir + "/" + firstbootUnit,
		"verify's unit":         unitDir + "/" + verifyUnit,
		"verify's timer":        unitDir + "/" + verifyTimer,
		"the notice's unit":     unitDir + "/" + failedUnit,
		"the hook":              cleanHook,
		"the first boot's link": wantsFolder + firstbootUnit,
		"the timer's link":      unitDir + "/timers.target.wants/" + verifyTimer,
	} {
		out = append(out, broken{check: "gate", what: what + " gone", spoil: remove(p), says: p + " is missing"})
	}
	slices.SortFunc(out, func(a, b broken) int { return strings.Compare(a.what, b.what) })
	return append(out,
		broken{check: "gate", what: "a drop-in that asks nobody", spoil: edit(gateDropIn, "ExecStartPre=+/usr", "ExecStartPre=-+/usr"), says: "was altered"},
		broken{check: "gate", what: "the first boot masked", spoil: func(s *standIn) { s.relink(unitDir+"/"+firstbootUnit, "/dev/null") }, says: "was altered"},
		broken{check: "gate", what: "no unit of FreeSWITCH's", spoil: remove("/lib/systemd/system/freeswitch.service"), says: "there is no unit freeswitch.service"},
		broken{check: "gate", what: "a unit that systemd does not know", live: true, spoil: answer(showGate, "LoadState=loaded", "LoadState=not-found"), says: "knows no unit freeswitch.service"},
		broken{check: "gate", what: "Requires= reset", live: true, spoil: answer(showGate, "sysinit.target fs-harden-firstboot.service local-fs.target", "sysinit.target local-fs.target"), says: "in Requires= of"},
		broken{check: "gate", what: "After= reset", live: true, spoil: answer(showGate, "basic.target fs-harden-firstboot.service", "basic.target"), says: "in After= of"},
		broken{check: "gate", what: "a drop-in that is not loaded", live: true, spoil: answer(showGate, " "+gateDropIn, ""), says: "daemon-reload"},
		broken{check: "gate", what: "ExecStartPre= reset", live: true, spoil: answer(showGate, "argv[]=/usr/local/sbin/fs-harden gate ;", "argv[]=/bin/true ;"), says: "does not ask"},
		broken{check: "gate", what: "the gate's word ignored", live: true, spoil: answer(showGate, "fs-harden gate ; ignore_errors=no", "fs-harden gate ; ignore_errors=yes"), says: "does not ask"},
		broken{check: "gate", what: "systemd does not answer", live: true, spoil: silence(showGate), says: "exit status 1"},

		broken{check: "other-starters", what: "another enabled unit", spoil: enabled("pbx.service", otherUnit), says: "pbx.service is enabled and starts FreeSWITCH"},
		broken{check: "other-starters", what: "a unit that has a shell start it", spoil: enabled("pbx.service", "[Service]\nExecStart=/bin/sh -c 'cd /srv; exec /usr/bin/freeswitch -nc'\n"), says: "pbx.service"},
		broken{check: "other-starters", what: "a drop-in that has a unit start it", spoil: both(enabled("pbx.service", "[Service]\nExecStart=/bin/true\n"),
			write("/etc/systemd/system/pbx.service.d/own.conf", "[Service]\nExecStart=\nExecStart=/usr/local/freeswitch/bin/freeswitch\n")), says: "pbx.service"},
		broken{check: "other-starters", what: "an instance of a template", spoil: both(write("/lib/systemd/system/pbx@.service", otherUnit),
			func(s *standIn) { s.relink(wantsFolder+"pbx@one.service", "/lib/systemd/system/pbx@.service") }), says: "pbx@one.service"},
		broken{check: "other-starters", what: "a unit that an enabled one wants", spoil: both(write("/lib/systemd/system/pbx.service", otherUnit), enabled("office.service", "[Unit]\nWants=pbx.service\n[Service]\nExecStart=/bin/true\n")), says: "pbx.service"},
		broken{check: "other-starters", what: "a timer's unit", spoil: both(write("/lib/systemd/system/pbx.service", otherUnit), enabled("pbx.timer", "[Timer]\nOnBootSec=10\n")), says: "pbx.service"},
		broken{check: "other-starters", what: "an alias", spoil: both(write("/lib/systemd/system/pbx.service", otherUnit),
			func(s *standIn) { s.relink("/etc/systemd/system/telephony.service", "/lib/systemd/system/pbx.service") }), says: "telephony.service"},
		broken{check: "other-starters", what: "a gate whose word is ignored", spoil: enabled("pbx.service", "[Service]\nExecStartPre=-/usr/local/sbin/fs-harden gate\nExecStart=/usr/bin/freeswitch\n"), says: "pbx.service"},
		broken{check: "other-starters", what: "a script in /etc/init.d", spoil: both(write("/etc/init.d/pbx", "#!/bin/sh\nDAEMON=/usr/bin/freeswitch\n"),
			func(s *standIn) { s.relink("/etc/rc2.d/S01pbx", "../init.d/pbx") }), says: "/etc/init.d/pbx"},
		broken{check: "other-starters", what: "rc.local", spoil: both(write("/etc/rc.local", "#!/bin/sh\n/usr/bin/freeswitch -nc\n"), chmod("/etc/rc.local", 0o755)), says: "/etc/rc.local"},
		broken{check: "other-starters", what: "a crontab's @reboot", spoil: write("/etc/cron.d/pbx", "@reboot root /usr/bin/freeswitch -nc\n"), says: "/etc/cron.d/pbx"},
		broken{check: "other-starters", what: "root's crontab", spoil: write("/var/spool/cron/crontabs/root", "@reboot /usr/bin/freeswitch -nc\n"), says: "/var/spool/cron/crontabs/root"},

		broken{check: "helper", what: "gone", spoil: remove(state.HelperPath), says: "cannot be run"},
		broken{check: "helper", what: "mode 0644", spoil: chmod(state.HelperPath, 0o644), says: "cannot be run"},
		broken{check: "helper", what: "for all to write", spoil: chmod(state.HelperPath, 0o757), says: "others than root can replace"},
		broken{check: "helper", what: "for another group to write", spoil: func(s *standIn) {
			if os.Geteuid() != 0 {
				s.chmod(state.HelperPath, 0o757) // an ordinary user has no other group to give it to
				return
			}
			s.chown(state.HelperPath, 0, 4242)
			s.chmod(state.HelperPath, 0o775)
		}, says: "others than root can replace"},
		broken{check: "helper", what: "another owner", spoil: func(s *standIn) {
			if os.Geteuid() != 0 {
				s.chmod(state.HelperPath, 0o757) // nor another owner
				return
			}
			s.chown(state.HelperPath, 4242, 0)
		}, says: "others than root can replace"},
		broken{check: "helper", what: "a folder above it for all to write", spoil: chmod("/usr/local", 0o777), says: "/usr/local"},
	)
}

func (tr tree) chown(p string, uid, gid int) {
	tr.t.Helper()
	if err := os.Lchown(tr.path(p), uid, gid); err != nil {
		tr.t.Fatal(err)
	}
}

func defenceBreakages() []broken {
	const jails = "/etc/fail2ban/jail.d/fs-harden.local"
	return []broken{
		{check: "packages", what: "one removed", live: true, spoil: edit("/var/lib/dpkg/status", "Package: ufw\nStatus: install ok installed", "Package: ufw\nStatus: deinstall ok config-files"), says: "not installed: ufw"},
		{check: "packages", what: "a fail2ban that cannot start", spoil: edit("/var/lib/dpkg/status", "Package: fail2ban\nStatus: install ok installed\nVersion: 1.1.0-1", "Package: fail2ban\nStatus: install ok installed\nVersion: 1.0.2-3"), says: "asynchat"},

		{check: "kernel-table", what: "its file altered", spoil: edit(nftRules, "drop", "accept"), says: nftRules},
		{check: "kernel-table", what: "its unit gone", spoil: remove("/etc/systemd/system/fs-harden-nft.service"), says: "fs-harden-nft.service"},
		{check: "kernel-table", what: "not loaded at boot", spoil: remove("/etc/systemd/system/sysinit.target.wants/fs-harden-nft.service"), says: "sysinit.target.wants"},
		{check: "kernel-table", what: "not loaded now", live: true, spoil: silence(listTable), says: "is not loaded"},
		{check: "kernel-table", what: "a rule more in a chain of ours", live: true, spoil: answer(listTable, `{"rule": {"family": "inet", "table": "fs_harden", "chain": "bans"`,
			`{"rule": {"family": "inet", "table": "fs_harden", "chain": "bans", "handle": 999, "expr": [{"accept": null}]}}, {"rule": {"family": "inet", "table": "fs_harden", "chain": "bans"`), says: "the chain bans"},
		{check: "kernel-table", what: "a rule more at the end of one", live: true, spoil: func(s *standIn) {
			text := strings.TrimRight(s.answers[listTable], "\n")
			s.answers[listTable] = strings.TrimSuffix(text, "]}") + `, {"rule": {"family": "inet", "table": "fs_harden", "chain": "bans", "handle": 999, "expr": [{"accept": null}]}}]}`
		}, says: "the chain bans has"},
		{check: "kernel-table", what: "a rule that lets in what it dropped", live: true, spoil: answer(listTable, `{"drop": null}`, `{"accept": null}`), says: "the chain bans lacks"},
		{check: "kernel-table", what: "a chain hooked elsewhere", live: true, spoil: answer(listTable, `"prio": -150`, `"prio": 150`), says: "hooked at"},

		{check: "fail2ban-files", what: "the jails altered", spoil: edit(jails, "maxretry", "maxretries"), says: jails},
		{check: "fail2ban-files", what: "the filter gone", spoil: remove("/etc/fail2ban/filter.d/fs-harden.conf"), says: "filter.d/fs-harden.conf"},
		{check: "fail2ban-files", what: "not enabled", spoil: remove(wantsFolder + "fail2ban.service"), says: "fail2ban.service"},
		{check: "fail2ban-jails", what: "a jail gone", live: true, spoil: answer("fail2ban-client status", "freeswitch, ", ""), says: "the jail freeswitch does not run"},
		{check: "fail2ban-jails", what: "the challenges' jail gone", live: true, spoil: answer("fail2ban-client status", "freeswitch-challenge, ", ""), says: "the jail freeswitch-challenge does not run"},
		{check: "fail2ban-jails", what: "the repeaters' jail gone", live: true, spoil: answer("fail2ban-client status", ", recidive", ""), says: "the jail recidive does not run"},
		{check: "fail2ban-jails", what: "another log", live: true, spoil: answer("fail2ban-client get freeswitch logpath", "fs-harden-auth.log", "freeswitch.log"), says: "does not read"},
		{check: "fail2ban-jails", what: "a log whose name begins alike", live: true, spoil: answer("fail2ban-client get freeswitch logpath", "fs-harden-auth.log", "fs-harden-auth.log.1"), says: "does not read"},
		{check: "fail2ban-jails", what: "another log of the challenges", live: true, spoil: answer("fail2ban-client get freeswitch-challenge logpath", "fs-harden-auth.log", "freeswitch.log"), says: "freeswitch-challenge does not read"},
		{check: "fail2ban-jails", what: "another log of the repeaters", live: true, spoil: answer("fail2ban-client get recidive logpath", "fail2ban.log", "fail2ban.log.1"), says: "recidive does not read"},
		{check: "fail2ban-jails", what: "the refusals' jail gone", live: true, spoil: answer("fail2ban-client status", "freeswitch-refused, ", ""), says: "the jail freeswitch-refused does not run"},
		{check: "fail2ban-jails", what: "the scanners' jail gone", live: true, spoil: answer("fail2ban-client status", "freeswitch-scanner, ", ""), says: "the jail freeswitch-scanner does not run"},
		{check: "fail2ban-jails", what: "the watch's log not read", live: true, spoil: answer("fail2ban-client get freeswitch logpath", "watch.log", "other.log"), says: "does not read /var/log/fs-harden/watch.log"},
		{check: "fail2ban-jails", what: "another filter", live: true, spoil: func(s *standIn) {
			s.answers["fail2ban-client get freeswitch failregex"] = s.answers["fail2ban-client get recidive failregex"]
		}, says: "does not use the filter fs-harden"},
		{check: "fail2ban-jails", what: "fail2ban does not answer", live: true, spoil: silence("fail2ban-client status"), says: "does not answer"},
		{check: "fail2ban-lag", what: "a jail far behind its log", live: true, spoil: answer(lagOf+"freeswitch"+lagOfIt, "0.0 s, 0 bytes", "43.2 s, 1840 bytes"), says: "the jail freeswitch is 43 s behind its log, with 1840 bytes to read"},
		{check: "fail2ban-lag", what: "the repeaters' jail behind", live: true, spoil: answer(lagOf+"recidive"+lagOfIt, "0.0 s", "10.1 s"), says: "the jail recidive is 10 s behind"},
		{check: "fail2ban-lag", what: "a jail that does not tell", live: true, spoil: silence(lagOf + "freeswitch-challenge" + lagOfIt), says: "the jail freeswitch-challenge does not tell"},
		{check: "fail2ban-lag", what: "no number", live: true, spoil: answer(lagOf+"freeswitch"+lagOfIt, "0.0 s", "no s"), says: "of how far it has read"},

		{check: "watch", what: "its unit altered", spoil: edit("/etc/systemd/system/"+watchUnit, "fs-harden watch", "true"), says: watchUnit},
		{check: "watch", what: "not started with FreeSWITCH", spoil: remove("/etc/systemd/system/freeswitch.service.wants/" + watchUnit), says: "freeswitch.service.wants"},
		{check: "watch", what: "no scanners", spoil: remove(scannersFile), says: scannersFile},
		{check: "watch", what: "scanners of the operator's that would ban telephones", spoil: func(s *standIn) { s.write(scannersLocal, "sip\n") }, says: "is not used"},
		{check: "watch", what: "FreeSWITCH not run by its unit", live: true, spoil: silence(askFreeSWITCH), says: "does not run by freeswitch.service"},
		{check: "watch", what: "not up", live: true, spoil: silence(askWatch), says: "is not up"},
		{check: "watch", what: "FreeSWITCH does not answer it", live: true, spoil: answer(listWatched, "elements", "#"), says: "does not answer it"},
		{check: "watch", what: "no such set", live: true, spoil: silence(listWatched), says: "restart fs-harden-nft"},

		{check: "firewall-files", what: "not enabled in ufw.conf", spoil: edit(ufw.Conf, "ENABLED=yes", "ENABLED=no"), says: "ufw enable"},
		{check: "firewall-files", what: "a rule less", spoil: edit("/etc/ufw/user.rules", "tcp 22", "tcp 23"), says: "22/tcp"},
		{check: "firewall-files", what: "no rules for IPv6", spoil: remove("/etc/ufw/user6.rules"), says: "user6.rules"},
		{check: "firewall-files", what: "its unit masked", spoil: func(s *standIn) { s.relink(ufw.Mask, "/dev/null") }, says: "masked"},
		{check: "firewall-files", what: "its unit not enabled", spoil: remove(ufw.Link), says: "systemctl enable ufw"},
		{check: "firewall-files", what: "a policy that accepts", spoil: write(ufw.Defaults, "IPV6=yes\nDEFAULT_INPUT_POLICY=\"ACCEPT\"\n"), says: "ACCEPT"},
		{check: "firewall-files", what: "no IPv6", spoil: write(ufw.Defaults, "IPV6=no\nDEFAULT_INPUT_POLICY=\"DROP\"\n"), says: "IPV6=no"},
		{check: "firewall", what: "a policy that accepts", live: true, spoil: both(answer("iptables -S", "-P INPUT DROP", "-P INPUT ACCEPT"),
			func(s *standIn) {
				s.answers["iptables -S"] = strings.ReplaceAll(s.answers["iptables -S"], "-A ufw-reject-input -j REJECT", "")
			}), says: "policy ACCEPT"},
		{check: "firewall", what: "INPUT does not reach its rules", live: true, spoil: answer("iptables -S", "-A INPUT -j ufw-before-input\n", ""), says: "do not reach"},
		{check: "firewall", what: "before-input does not reach user-input", live: true, spoil: answer("iptables -S", "-A ufw-before-input -j ufw-user-input\n", ""), says: "do not reach"},
		{check: "firewall", what: "the same of IPv6", live: true, spoil: answer("ip6tables -S", "-A ufw6-before-input -j ufw6-user-input\n", ""), says: "ip6tables"},
		{check: "firewall", what: "a rule in front that lets all in", live: true, spoil: answer("iptables -S", "-A INPUT -j ufw-before-logging-input", "-A INPUT -j ACCEPT\n-A INPUT -j ufw-before-logging-input"), says: "in front"},
		{check: "firewall", what: "a port that is not let in", live: true, spoil: answer("iptables -S", "--dports 16384:32768", "--dports 16384:20000"), says: "16384:32768"},
		{check: "firewall", what: "the kernel does not answer", live: true, spoil: silence("ip6tables -S"), says: "asking the kernel"},

		{check: "filter-on-log", what: "a filter that finds nothing", live: true, spoil: answer(runFilter, "11 matched, 8 missed", "0 matched, 19 missed"), says: "finds none of them"},
		{check: "filter-on-log", what: "no count", live: true, spoil: answer(runFilter, "Lines:", "Line:"), says: "does not say"},
		{check: "filter-on-log", what: "fail2ban-regex fails", live: true, spoil: silence(runFilter), says: "running the filter"},
	}
}

func liveBreakages() []broken {
	return []broken{
		{check: "expanded-configuration", what: "systemd counts another umask", live: true, spoil: answer(showUMask, "0007", "0022"), says: "with the umask 0022"},
		{check: "expanded-configuration", what: "another log folder, open to others", live: true, spoil: func(s *standIn) {
			s.events.logDir = "/srv/fs/log"
			s.write("/srv/fs/log/freeswitch.xml.fsxml", "x")
		}, says: "/srv/fs/log/freeswitch.xml.fsxml"},
		{check: "event-socket-live", what: "another password is in force", live: true, spoil: func(s *standIn) { s.events.takes = []string{"SomebodyElsesChoice"} }, says: "another password"},
		{check: "event-socket-live", what: "the one that FreeSWITCH ships works too", live: true, spoil: func(s *standIn) { s.events.takes = append(s.events.takes, eslDefault) }, says: "an old one still works"},
		{check: "event-socket-live", what: "a program of another user", live: true, bound: time.Second, spoil: func(s *standIn) { s.servesAs = 1234 }, says: "user 1234"},
		{check: "event-socket-live", what: "it hangs", live: true, bound: time.Second, spoil: func(s *standIn) { s.events.hangs = true }, says: "not proven within"},
		{check: "event-socket-listener", what: "it listens on all addresses", live: true, spoil: func(s *standIn) { s.listens("00000000") }, says: "0.0.0.0:"},
		{check: "event-socket-listener", what: "it listens on one public address", live: true, spoil: func(s *standIn) { s.listens("097100CB") }, says: "203.0.113.9:"},
		{check: "event-socket-listener", what: "on loopback and one more", live: true, spoil: func(s *standIn) { s.listens("0100007F", "097100CB") }, says: "203.0.113.9:"},
		{check: "fs-cli-connects", what: "fs_cli is refused", live: true, spoil: silence(runConsole), says: "fs_cli does not get in"},
		{check: "fs-cli-connects", what: "fs_cli says something else", live: true, spoil: answer(runConsole, "UP ", "-ERR "), says: "fs_cli does not get in"},
	}
}

func otherBreakages() []broken {
	return []broken{
		{check: "configuration", what: "two configurations, of which none is named", spoil: write("/usr/local/freeswitch/conf/freeswitch.xml", ""), says: "say in conf_dir", run: statusChecks},
		{check: "forgotten", what: "an instance's record left", spoil: func(*standIn) {}, says: state.CommittedPath, run: forgetChecks},
		{check: "image", what: "a key that no program may remove", spoil: write("/etc/freeswitch/tls/bundle.pem", strings.Repeat("x", 2<<20)), says: "not fit to be an image", run: imageChecks},
	}
}

// statusChecks are those that fail for status.
func statusChecks(s *standIn) []report.Check {
	st, err := s.runner().Status(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return st.Failing
}

// verifyChecks are those of a verify as it runs.
func verifyChecks(s *standIn) []report.Check {
	return failedChecks(s.verify(context.Background(), true))
}

// forgetChecks are those of forget, on a machine that has not forgotten.
func forgetChecks(s *standIn) []report.Check {
	return failedOf(s, forgetSteps())
}

// imageChecks are those of a bake's last look.
func imageChecks(s *standIn) []report.Check {
	s.runner() // only looks
	m := s.machine(standInPlan())
	m.Image = true
	_, checks := inspectImage(context.Background(), m)
	return slices.DeleteFunc(checks, func(c report.Check) bool { return c.Status != report.Fail })
}

func failedOf(s *standIn, steps []Step) []report.Check {
	m := s.machine(standInPlan())
	m.Phase = report.Forget
	var out []report.Check
	for _, st := range steps {
		if st.Check == nil {
			continue
		}
		for _, c := range st.Check(context.Background(), m) {
			if c.Status == report.Fail {
				out = append(out, c)
			}
		}
	}
	return out
}

// failedChecks are the failed checks of a report.
func failedChecks(rep *report.Report) []report.Check {
	var out []report.Check
	for _, st := range rep.Steps {
		for _, c := range st.Checks {
			if c.Status == report.Fail {
				out = append(out, c)
			}
		}
	}
	return out
}

// failedIn are their names.
func failedIn(rep *report.Report) string {
	var names []string
	for _, c := range failedChecks(rep) {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

// Each breakage fails its own check, and no other, on the machine as it runs and,
// where it is one of files, below --root and for status too.
func TestEveryCheckCanFail(t *testing.T) {
	t.Parallel()
	base := bootedTree(t)
	t.Run("in order", func(t *testing.T) {
		s := newStandIn(t, base)
		for _, live := range []bool{false, true} {
			rep := s.verify(t.Context(), live)
			if failed := failedChecks(rep); len(failed) > 0 {
				t.Errorf("live: %t: %+v", live, failed)
			}
			for _, st := range rep.Steps {
				for _, c := range st.Checks {
					if live && c.Status != report.Pass && !strings.HasPrefix(c.Name, "ban-") {
						t.Errorf("a machine in order does not pass %s: %s: %s", c.Name, c.Status, c.Detail)
					}
				}
			}
		}
	})
	t.Run("rows", func(t *testing.T) {
		for _, b := range breakages() {
			t.Run(b.check+": "+b.what, func(t *testing.T) {
				t.Parallel()
				s := newStandIn(t, base)
				b.spoil(s)
				b.failsAlone(t, s)
			})
		}
	})
}

func (b broken) failsAlone(t *testing.T, s *standIn) {
	t.Helper()
	ctx := t.Context()
	if b.bound > 0 {
		bounded, cancel := context.WithTimeout(ctx, b.bound)
		defer cancel()
		ctx = bounded
	}
	seen := map[string][]report.Check{}
	switch {
	case b.run != nil:
		seen["in its phase"] = b.run(s)
	case b.live:
		seen["as it runs"] = failedChecks(s.verify(ctx, true))
	default:
		seen["as it runs"] = failedChecks(s.verify(ctx, true))
		seen["below --root"] = failedChecks(s.verify(ctx, false))
		seen["for status"] = statusChecks(s)
	}
	for _, where := range slices.Sorted(maps.Keys(seen)) {
		failed := seen[where]
		if len(failed) != 1 || failed[0].Name != b.check || !strings.Contains(failed[0].Detail, b.says) {
			t.Errorf("%s: %+v; want %s alone, with %q", where, failed, b.check, b.says)
		}
	}
}
