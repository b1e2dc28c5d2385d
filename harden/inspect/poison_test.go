package inspect_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/watch"
)

// poison puts one thing into a clean tree that has no place in an image.
type poison struct {
	look  string
	path  string // where it is found
	why   string // a piece of what is said of it
	owner inspect.Owner
	fix   inspect.Fix
	put   func(tree)
	// needed while a build runs
	needed bool
}

func text(p, content string) func(tree) { return func(tr tree) { tr.put(p, content) } }

func edit(p, old, content string) func(tree) { return func(tr tree) { tr.edit(p, old, content) } }

const (
	vars      = "/etc/freeswitch/vars.xml"
	esl       = "/etc/freeswitch/autoload_configs/event_socket.conf.xml"
	modConf   = "/etc/freeswitch/autoload_configs/modules.conf.xml"
	users     = "/etc/freeswitch/directory/default.xml"
	plans     = "/etc/freeswitch/dialplan/default.xml"
	originals = "/var/lib/fs-harden/originals.json"
	tgz       = "/root/freeswitch-config-backup-20260101-000000.tgz"
	wss       = "/etc/freeswitch/tls/wss.pem"
	sshd      = "/etc/ssh/sshd_config"
	bakedESL  = "Zp2Lm9Kd4Rt6Vw8Yb3Nc5Hj1GXq7"
)

func setSIP(value string) string {
	return "<include>\n<X-PRE-PROCESS cmd=\"set\" data=\"default_password=" + value + "\"/>\n</include>\n"
}

func setESL(value string) string {
	return `<configuration name="event_socket.conf"><settings><param name="password" value="` + value + `"/></settings></configuration>`
}

func user(xml string) func(tree) { return edit(users, "<users>", "<users>"+xml) }

// set sets a variable of the configuration.
func set(assignment string) func(tree) {
	return edit(vars, "</include>", `<X-PRE-PROCESS cmd="set" data="`+assignment+`"/>`+"\n</include>")
}

func extension(context, xml string) func(tree) {
	return edit(plans, `<context name="`+context+`">`, `<context name="`+context+`">`+xml)
}

func module(name string) string { return `<load module="` + name + `"/><load module="mod_sofia"/>` }

func load(name string) func(tree) {
	return edit(modConf, `<load module="mod_sofia"/>`, module(name))
}

func config(name, body string) func(tree) {
	return text("/etc/freeswitch/autoload_configs/"+name+".xml", `<configuration name="`+name+`">`+body+`</configuration>`)
}

// started has a drop-in start FreeSWITCH with these options.
func started(options string) func(tree) {
	return text(dropIn, "[Service]\nExecStart=\nExecStart=/usr/bin/freeswitch -nc "+options+"\n")
}

// enabled has a boot start a unit of that name.
func enabled(name, content string) func(tree) {
	return func(tr tree) {
		tr.put("/etc/systemd/system/"+name, content)
		tr.link("/etc/systemd/system/multi-user.target.wants/"+name, "/etc/systemd/system/"+name)
	}
}

func swapFile(page int) string { return strings.Repeat("\x00", page-10) + "SWAPSPACE2" }

// poisons holds one of every finding.
func poisons(t testing.TB) []poison {
	self, issued := certificates(t)
	image, known, system := inspect.Image, inspect.Known, inspect.System
	none, remove, empty := inspect.None, inspect.Remove, inspect.Empty
	encoded := base64.StdEncoding.EncodeToString([]byte(self.key))
	all := []poison{
		{"shared-secrets", vars, "FreeSWITCH ships", image, none, edit(vars, `data="default_password=Xq7Zp2Lm9Kd4Rt6Vw8Yb3Nc5Hj1G`, `data="default_password=1234`), false},
		{"shared-secrets", vars, "is empty", image, none, edit(vars, `data="default_password=Xq7Zp2Lm9Kd4Rt6Vw8Yb3Nc5Hj1G`, `data="unused=`), false},
		{"shared-secrets", esl, "FreeSWITCH ships", image, none, edit(esl, bakedESL, "ClueCon"), false},
		{"shared-secrets", esl, "is empty", image, none, edit(esl, `<param name="password" value="`+bakedESL+`"/>`, ""), false},
		{"shared-secrets", esl, "listens on ::", image, none, edit(esl, "127.0.0.1", "::"), false},
		{"shared-secrets", "/etc/freeswitch/freeswitch.xml", "cannot read its configuration", image, none, edit(users, "</domain>", ""), false},
		{"shared-secrets", state.BakedPath, "damaged", image, none, text(state.BakedPath, "{"), false},

		{"other-starters", "/etc/systemd/system/pbx.service", "the unit pbx.service is enabled and starts FreeSWITCH", image, none, enabled("pbx.service", "[Service]\nExecStart=/usr/bin/freeswitch -nc\n"), false},
		{"other-starters", "/lib/systemd/system/pbx@.service", "the unit pbx@one.service is enabled", image, none, func(tr tree) {
			tr.put("/lib/systemd/system/pbx@.service", "[Service]\nExecStart=/bin/sh -c 'exec /opt/fs/bin/freeswitch'\n")
			tr.link("/etc/systemd/system/multi-user.target.wants/pbx@one.service", "/lib/systemd/system/pbx@.service")
		}, false},
		{"other-starters", "/lib/systemd/system/voice.service", "the unit voice.service is enabled", image, none, func(tr tree) {
			tr.put("/lib/systemd/system/voice.service", "[Service]\nExecStart=/usr/bin/chrt -f 50 /usr/bin/freeswitch\n")
			enabled("office.service", "[Unit]\nRequires=voice.service\n[Service]\nExecStart=/bin/true\n")(tr)
		}, false},
		{"other-starters", "/etc/init.d/switchd", "the script /etc/init.d/switchd is enabled", image, none, func(tr tree) {
			tr.put("/etc/init.d/switchd", "#!/bin/sh\nDAEMON=/usr/bin/freeswitch\n")
			tr.link("/etc/rc3.d/S02switchd", "../init.d/switchd")
		}, false},
		{"other-starters", "/etc/rc.local", "at every boot", image, none, func(tr tree) {
			tr.put("/etc/rc.local", "#!/bin/sh\n/usr/bin/freeswitch -nc &\n")
			tr.must(os.Chmod(tr.at("/etc/rc.local"), 0o755))
		}, false},
		{"other-starters", "/etc/crontab", "@reboot", image, none, text("/etc/crontab", "@reboot root /usr/bin/freeswitch -nc\n"), false},
		{"other-starters", "/var/spool/cron/crontabs/freeswitch", "@reboot", image, none, text("/var/spool/cron/crontabs/freeswitch", "@reboot /usr/bin/freeswitch -nc\n"), false},

		{"private-keys", wss, "private key", image, remove, text(wss, self.key+self.cert), false},
		{"private-keys", wss + ".bak", "private key", image, remove, text(wss+".bak", self.key), false},
		{"private-keys", "/etc/freeswitch/tls/CA/cakey.pem", "private key", image, remove, text("/etc/freeswitch/tls/CA/cakey.pem", self.key), false},
		{"private-keys", "/usr/local/freeswitch/certs/dtls-srtp.pem", "private key", image, remove, text("/usr/local/freeswitch/certs/dtls-srtp.pem", "-----BEGIN RSA PRIVATE KEY-----\ndamaged"), false},
		{"private-keys", "/srv/keys/agent.pem", "private key", image, none, func(tr tree) {
			tr.edit("/etc/freeswitch/autoload_configs/sofia.conf.xml", "<settings>", `<settings><param name="tls-cert-dir" value="/srv/keys"/>`)
			tr.put("/srv/keys/agent.pem", self.cert+self.key)
		}, false},
		{"private-keys", wss, "an authority has issued", known, none, text(wss, issued.cert+issued.key), false},
		{"private-keys", wss, "bytes and was not read", image, none, func(tr tree) { tr.sparse(wss, 1<<30) }, false},

		{"expanded-configuration", "/var/log/freeswitch/freeswitch.xml.fsxml", "passwords", image, remove, text("/var/log/freeswitch/freeswitch.xml.fsxml", "<x/>"), false},
		{"expanded-configuration", "/usr/local/freeswitch/log/freeswitch.xml.fsxml.tmp", "passwords", image, remove, text("/usr/local/freeswitch/log/freeswitch.xml.fsxml.tmp", "<x/>"), false},
		{"logs", "/var/log/freeswitch/freeswitch.log", "a log", image, remove, text("/var/log/freeswitch/freeswitch.log", "x"), false},
		{"logs", "/var/log/freeswitch/freeswitch.log.1", "a log", image, remove, text("/var/log/freeswitch/freeswitch.log.1", "x"), false},
		{"logs", "/srv/logs/fs.log", "a log", image, none, text("/srv/logs/fs.log", "x"), false},
		{"logs", watch.LogFile, "would ban", image, empty, text(watch.LogFile, "x"), false},
		{"logs", watch.LogFile + ".1", "would ban", image, remove, text(watch.LogFile+".1", "x"), false},
		{"logs", "/var/log/freeswitch/fs-harden-auth.log", "would ban", image, empty, text("/var/log/freeswitch/fs-harden-auth.log", "x"), false},
		{"logs", "/var/log/freeswitch/cdr-csv", "records of calls", image, remove, text("/var/log/freeswitch/cdr-csv/Master.csv", "x"), false},
		{"databases", "/var/lib/freeswitch/db/core.db", "registrations", image, remove, text("/var/lib/freeswitch/db/core.db", "x"), false},
		{"databases", "/usr/local/freeswitch/db/sofia_reg_internal.db-wal", "registrations", image, remove, text("/usr/local/freeswitch/db/sofia_reg_internal.db-wal", "x"), false},
		{"run-files", "/usr/local/freeswitch/run/freeswitch.pid", "process", image, remove, text("/usr/local/freeswitch/run/freeswitch.pid", "7"), false},

		{"core-dumps", "/var/lib/freeswitch/db/core", "memory", image, remove, text("/var/lib/freeswitch/db/core", core), false},
		{"core-dumps", "/var/log/freeswitch/core.123", "memory", image, remove, text("/var/log/freeswitch/core.123", core), false},
		{"core-dumps", "/usr/local/freeswitch/core.freeswitch.9", "memory", image, remove, text("/usr/local/freeswitch/core.freeswitch.9", core), false},
		{"core-dumps", "/srv/work/core", "memory", image, remove, func(tr tree) {
			tr.put(dropIn, "[Service]\nWorkingDirectory=/srv/work\n")
			tr.put("/srv/work/core", core)
			tr.must(os.Truncate(tr.at("/srv/work/core"), 8<<30))
		}, false},
		{"core-dumps", "/core.7", "memory", system, remove, text("/core.7", core), false},
		{"core-dumps", "/core.s390x", "memory", system, remove, text("/core.s390x", "\x7fELF\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04"), false},
		{"core-dumps", "/root/core.123", "memory", system, remove, text("/root/core.123", core), false},
		{"core-dumps", "/var/lib/systemd/coredump/core.nginx.0.a.1.2.zst", "memory", system, remove, text("/var/lib/systemd/coredump/core.nginx.0.a.1.2.zst", "packed"), false},
		{"core-dumps", "/var/lib/systemd/coredump/core.freeswitch.999.a.1.2.zst", "memory", image, remove, text("/var/lib/systemd/coredump/core.freeswitch.999.a.1.2.zst", "packed"), false},
		{"core-dumps", "/var/lib/apport/coredump/core._usr_bin_x.0.a.1.2", "memory", system, remove, text("/var/lib/apport/coredump/core._usr_bin_x.0.a.1.2", core), false},
		{"core-dumps", "/var/crash/_usr_bin_freeswitch.999.crash", "memory", image, remove, text("/var/crash/_usr_bin_freeswitch.999.crash", "ProblemType: Crash\n"), false},
		{"core-dumps", "/var/crash/_usr_sbin_x.0.crash", "memory", system, remove, text("/var/crash/_usr_sbin_x.0.crash", "ProblemType: Crash\n"), false},
		{"core-dumps", "/var/crash/x.1.dump", "memory", system, remove, text("/var/crash/x.1.dump", core), false},
		{"core-dumps", "/var/crash/202611252200", "kernel", system, remove, text("/var/crash/202611252200/dump.202611252200", "x"), false},

		{"unit", dropIn, "its configuration in /srv/fs/conf, and fs-harden takes the one in /etc/freeswitch", image, none, func(tr tree) {
			started("-conf /srv/fs/conf")(tr)
			for p, content := range clean {
				if name, ok := strings.CutPrefix(p, confDir+"/"); ok {
					tr.put("/srv/fs/conf/"+name, content)
				}
			}
		}, false},
		{"unit", dropIn, "folder ${LOGS}/fs", known, none, started("-log ${LOGS}/fs"), false},
		{"unit", dropIn, "folder %t/fs", known, none, started("-run %t/fs"), false},
		{"unit", dropIn, "write into /var/log", known, none, started("-log /var/log/"), false},
		{"unit", dropIn, "in place of freeswitch.xml", known, none, started("-cfgname other.xml"), false},
		{"unit", dropIn, "starts FreeSWITCH by /srv/start.sh", known, none, text(dropIn, "[Service]\nExecStart=\nExecStart=/srv/start.sh -log /srv/fs/log\n"), false},
		{"logs", "/srv/fs/log/a.log", "a log", image, remove, started("-log /srv/fs/log -run /srv/none"), false},
		{"core-dumps", "/srv/fs/run/core", "memory", image, remove, started("-run /srv/fs/run"), false},
		{"databases", "/srv/fs/db/core.db", "registrations", image, remove, text("/etc/default/freeswitch", `DAEMON_OPTS="-nonat -db /srv/fs/db"`), false},
		{"private-keys", "/srv/fs/certs/wss.pem", "private key", image, remove, func(tr tree) {
			tr.put(dropIn, "[Service]\nWorkingDirectory=/srv\nEnvironment=FREESWITCH_OPTS='-nc -certs fs/certs'\n")
			tr.put("/srv/fs/certs/wss.pem", self.key)
		}, false},
		{"recordings", "/srv/fs/recordings", "voicemail", known, none, started("-recordings /srv/fs/recordings"), false},

		{"credentials", "/root/freeswitch-credentials.txt", "passwords", image, remove, text("/root/freeswitch-credentials.txt", "x"), false},
		{"credentials", "/etc/fs_cli.conf", "password", image, remove, text("/etc/fs_cli.conf", "[default]\npassword => x\n"), false},
		{"credentials", "/home/admin/.fs_cli_conf", "password", image, remove, text("/home/admin/.fs_cli_conf", "[default]\npassword => x\n"), false},
		{"leftovers", state.PendingPath, "in clear", image, remove, text(state.PendingPath, "{}"), false},
		{"leftovers", state.CommittedPath, "copies would make none", image, remove, text(state.CommittedPath, `{"version":1,"digests":{"sip":"x","esl":"y"}}`), false},
		{"leftovers", state.Dir + "/report-firstboot.json", "report", image, remove, text(state.Dir+"/report-firstboot.json", "{}"), false},
		{"leftovers", state.Dir + "/report-rotate.json", "report", image, remove, text(state.Dir+"/report-rotate.json", "{}"), false},
		{"leftovers", state.Dir + "/journal", "killed", image, none, text(state.Dir+"/journal/000-x.json", "[]"), false},
		{"leftovers", "/etc/freeswitch/.vars.xml.fs-harden-tmp-ABCDEFGHIJ", "killed run", image, remove, text("/etc/freeswitch/.vars.xml.fs-harden-tmp-ABCDEFGHIJ", "x"), false},
		{"leftovers", "/srv/site/.x.xml.fs-harden-tmp-ABCDEFGHIJ", "killed run", image, remove, func(tr tree) {
			tr.put(originals, `[{"path":"/srv/site/x.xml","before":{"kind":"file","data":""}}]`)
			tr.put("/srv/site/.x.xml.fs-harden-tmp-ABCDEFGHIJ", "x")
		}, false},
		{"leftovers", "/var/log/freeswitch/.fs-harden-aside-ABCDEFGHIJ", "about to remove", image, remove, text("/var/log/freeswitch/.fs-harden-aside-ABCDEFGHIJ", "x"), false},
		{"leftovers", "/root/fs-harden-rollback-20260101-000000", "a person had changed", known, none, text("/root/fs-harden-rollback-20260101-000000/x", "x"), false},
		{"leftovers", "/tmp/packer-fs-harden-abc", "provisioner", image, remove, text("/tmp/packer-fs-harden-abc/fs-harden", "x"), true},
		{"backups", tgz, "freeswitch/tls/wss.pem", image, none, text(tgz, tarball("freeswitch/tls/wss.pem", self.key)), false},
		{"backups", tgz, "does not unpack", image, none, text(tgz, tarball("freeswitch/vars.xml", "x")[:60]), false},
		{"backups", originals, wss, image, none, text(originals, `[{"path":"`+wss+`","before":{"kind":"file","data":"`+encoded+`"}}]`), false},
		{"leftovers", originals, "cannot be read", image, none, text(originals, `[{`), false},
		{"kept-passwords", vars + ".bak", "had before", known, remove, text(vars+".bak", setSIP("the-sites-own")), true},
		{"kept-passwords", esl + ".bak", "had before", known, remove, text(esl+".bak", setESL("the-sites-own")), true},
		{"kept-passwords", "/srv/site/x.xml.bak", "had before", known, none, func(tr tree) { // of nobody that may be trusted
			tr.put(originals, `[{"path":"/srv/site/x.xml.bak","before":{"kind":"absent"}}]`)
			tr.put("/srv/site/x.xml.bak", setSIP("the-sites-own"))
			tr.must(os.Chmod(tr.at("/srv/site"), 0o777))
			tr.must(os.Chmod(tr.at("/srv"), 0o777))
		}, true},
		{"kept-passwords", vars + ".bak", "cannot be read as FreeSWITCH would", known, remove, text(vars+".bak", "<include default_password"), true},
		{"kept-passwords", tgz, "had before", known, remove, text(tgz, tarball("freeswitch/vars.xml", setSIP("the-sites-own"))), true},
		{"kept-passwords", tgz, "(freeswitch/vars.xml)", known, remove, text(tgz, tarball("freeswitch/vars.xml", setSIP("the-sites-own"))), true},
		{"kept-passwords", originals, "had before", known, none, text(originals, `[{"path":"`+vars+`","before":{"kind":"file","data":"`+base64.StdEncoding.EncodeToString([]byte(setSIP("the-sites-own")))+`"}}]`), true},
		{"recordings", "/var/lib/freeswitch/recordings", "voicemail", known, none, text("/var/lib/freeswitch/recordings/a.wav", "x"), false},
		{"recordings", "/var/lib/freeswitch/storage", "voicemail", known, none, text("/var/lib/freeswitch/storage/voicemail/default/d/1000/m.wav", "x"), false},

		{"directory", vars, "default_provider_password", known, none, set("default_provider_password=password"), false},
		{"directory", users, "without a password", known, none, user(`<user id="default"/>`), false},
		{"directory", users, "allow-empty-password is true", known, none, edit(users, `<param name="dial-string"`, `<param name="allow-empty-password" value="true"/><param name="dial-string"`), false},
		{"directory", users, "own number", known, none, user(`<user id="1001"><params><param name="password" value="1001"/></params></user>`), false},
		{"directory", users, "voicemail PIN", known, none, user(`<user id="1001"><params><param name="password" value="$${default_password}"/><param name="vm-password" value="1001"/></params></user>`), false},
		{"directory", users, "voicemail PIN", known, none, user(`<user id="b"><params><param name="a1-hash" value="00"/><param name="vm-password" value="9999"/></params></user>`), false},
		{"directory", users, "example network", known, none, user(`<user id="brian" cidr="192.0.2.0/24"><params><param name="a1-hash" value="00"/></params></user>`), false},
		{"directory", users, "toll fraud", known, none, user(`<user id="1001"><params><param name="a1-hash" value="00"/></params><variables><variable name="toll_allow" value="international"/><variable name="effective_caller_id_name" value="Extension 1001"/></variables></user>`), false},

		{"modules", "/etc/freeswitch/autoload_configs/xml_rpc.conf.xml", "mod_xml_rpc is not loaded", known, none, config("xml_rpc.conf", `<settings><param name="auth-pass" value="works"/></settings>`), false},
		{"modules", "/etc/freeswitch/autoload_configs/xml_rpc.conf.xml", "mod_xml_rpc is loaded", known, none, func(tr tree) {
			load("mod_xml_rpc")(tr)
			config("xml_rpc.conf", `<settings><param name="auth-pass" value="works"/></settings>`)(tr)
		}, false},
		{"modules", "/etc/freeswitch/autoload_configs/erlang_event.conf.xml", "cookie", known, none, config("erlang_event.conf", `<settings><param name="cookie" value="ClueCon"/></settings>`), false},
		{"modules", "/etc/freeswitch/autoload_configs/amqp.conf.xml", "guest", known, none, config("amqp.conf", `<producers><profile name="d"><connections><connection name="p"><param name="password" value="guest"/></connection></connections></profile></producers>`), false},
		{"modules", "/etc/freeswitch/autoload_configs/voicemail.conf.xml", "without a PIN", known, none, edit("/etc/freeswitch/autoload_configs/voicemail.conf.xml", `<param name="allow-empty-password-auth" value="false"/>`, ""), false},
		{"modules", "/etc/freeswitch/autoload_configs/acl.conf.xml", "lan", known, none, edit("/etc/freeswitch/autoload_configs/acl.conf.xml", `"lan" default="deny"`, `"lan" default="allow"`), false},
		{"modules", modConf, "mod_verto", known, none, func(tr tree) {
			load("mod_verto")(tr)
			config("verto.conf", `<profiles><profile name="v4"/></profiles>`)(tr)
		}, false},
		{"modules", modConf, "mod_signalwire", known, none, load("mod_signalwire"), false},
		{"modules", modConf, "mod_httapi", known, none, load("mod_httapi"), false},
		{"sip-profiles", "/etc/freeswitch/autoload_configs/sofia.conf.xml", "CVE-2026-116779", known, none, edit("/etc/freeswitch/autoload_configs/sofia.conf.xml", `<param name="enable-chat" value="false"/>`, ""), false},

		{"dialplan", plans, "eavesdrop", known, none, extension("default", `<extension name="eavesdrop"><condition field="destination_number" expression="^779$"><action application="eavesdrop" data="all"/></condition></extension>`), false},
		{"dialplan", plans, "begins with sip:", known, none, extension("default", `<extension name="sip_uri"><condition field="destination_number" expression="^sip:(.*)$"><action application="bridge" data="sofia/${use_profile}/$1"/></condition></extension>`), false},
		{"dialplan", plans, "example gateway", known, none, extension("default", `<extension name="international.example.com"><condition field="${toll_allow}" expression="international"/><condition field="destination_number" expression="^(011\d+)$"><action application="bridge" data="sofia/gateway/${default_gateway}/$1"/></condition></extension>`), false},
		{"dialplan", plans, "stranger", known, none, extension("default", `<extension name="ClueCon"><condition field="destination_number" expression="^9191$"><action application="bridge" data="sofia/x/2000@bkw.org"/></condition></extension>`), false},
		{"dialplan", plans, "without a password", known, none, extension("public", `<extension name="public_extensions"><condition field="destination_number" expression="^(10[01][0-9])$"><action application="transfer" data="$1 XML default"/></condition></extension>`), false},

		{"advisories", dpkgStatus, "1.11.2-1 is installed, and of the advisories known on", known, none, text(dpkgStatus, installed("freeswitch", "1.11.2-1")), false},
		{"advisories", dpkgStatus, "freeswitch-mod-sofia 1.10.7~release~19~883d2cb662~bullseye-1~bullseye+1 is installed", known, none, text(dpkgStatus, installed("freeswitch", "1.11.3-1")+installed("freeswitch-mod-sofia", "1.10.7~release~19~883d2cb662~bullseye-1~bullseye+1")), false},
		{"advisories", dpkgStatus, "installed as 20.26.2-1", known, none, text(dpkgStatus, installed("freeswitch", "20.26.2-1")+installed("libfreeswitch1", "20.26.2-1")), false},
		{"advisories", dpkgStatus, "1073741824 bytes", known, none, func(tr tree) { tr.sparse(dpkgStatus, 1<<30) }, false},
		{"advisories", "/usr/local/freeswitch/lib/pkgconfig/freeswitch.pc", "CVE-2023-51443", known, none, func(tr tree) {
			tr.put("/usr/local/freeswitch/bin/freeswitch", "x")
			tr.put("/usr/local/freeswitch/lib/pkgconfig/freeswitch.pc", "prefix=/usr/local/freeswitch\n\nName: freeswitch\nVersion: 1.10.10-release\n")
		}, false},
		{"advisories", "/opt/fs/lib/pkgconfig/freeswitch.pc", "/opt/fs/bin/freeswitch 1.11.3-dev", known, none, func(tr tree) {
			tr.put(dropIn, "[Service]\nExecStart=\nExecStart=-/opt/fs/bin/freeswitch -nc\n")
			tr.put("/opt/fs/bin/freeswitch", "x")
			tr.put("/opt/fs/lib/pkgconfig/freeswitch.pc", "Version: 1.11.3-dev\n")
		}, false},

		{"ssh-host-keys", "/etc/ssh/ssh_host_ed25519_key", "host key", system, none, text("/etc/ssh/ssh_host_ed25519_key", "x"), true},
		{"authorized-keys", "/root/.ssh/authorized_keys", "key of the build", system, none, text("/root/.ssh/authorized_keys", "ssh-ed25519 AAAA packer\n"), true},
		{"authorized-keys", "/home/gone/.ssh/authorized_keys2", "key of the build", system, none, text("/home/gone/.ssh/authorized_keys2", "ssh-ed25519 AAAA packer\n"), true},
		{"ssh-passwords", "/etc/ssh/sshd_config.d/50-keys.conf", "takes passwords", system, none, text("/etc/ssh/sshd_config.d/50-keys.conf", "PasswordAuthentication yes\n"), false},
		{"ssh-passwords", sshd, "says nothing", known, none, text(sshd, "Port 22\n#PasswordAuthentication yes\n"), false},
		{"ssh-passwords", sshd, "Match block", system, none, text(sshd, "PasswordAuthentication no\nMatch User a\n PasswordAuthentication yes\n"), false},
		{"password-hashes", "/etc/shadow", "user packer", system, none, text("/etc/shadow", "packer:$6$abc$def:19000::::::\n"), false},
		{"password-hashes", "/etc/shadow", "hash of the user root", system, none, text("/etc/shadow", "root:!$y$j9T$x:19000::::::\n"), false},
		{"password-hashes", "/etc/shadow", "no password at all", system, none, text("/etc/shadow", "guest::19000::::::\n"), false},
		{"password-hashes", "/etc/shadow-", "copy", system, none, text("/etc/shadow-", "packer:$6$abc$def:19000::::::\n"), false},
		{"user-credentials", "/root/.aws/credentials", "other machines", system, none, text("/root/.aws/credentials", "[default]\naws_secret_access_key = x\n"), false},
		{"user-credentials", "/home/admin/.netrc", "other machines", system, none, text("/home/admin/.netrc", "machine m login l password p\n"), false},
		{"user-credentials", "/home/admin/.git-credentials", "other machines", system, none, text("/home/admin/.git-credentials", "https://u:p@example.net\n"), false},
		{"user-credentials", "/root/.docker/config.json", "other machines", system, none, text("/root/.docker/config.json", `{"auths":{"r":{"auth":"eA=="}}}`), false},
		{"user-credentials", "/root/.pgpass", "other machines", system, none, text("/root/.pgpass", "h:5432:d:u:p\n"), false},
		{"user-credentials", "/root/.my.cnf", "other machines", system, none, text("/root/.my.cnf", "[client]\npassword=p\n"), false},
		{"user-credentials", "/root/.vault-token", "other machines", system, none, text("/root/.vault-token", "s.x"), false},
		{"user-credentials", "/root/.config/gcloud/application_default_credentials.json", "other machines", system, none, text("/root/.config/gcloud/application_default_credentials.json", "{}"), false},
		{"user-credentials", "/root/.ssh/id_rsa", "other machines", system, none, text("/root/.ssh/id_rsa", self.key), false},
		{"histories", "/home/admin/.bash_history", "typed", system, remove, text("/home/admin/.bash_history", "ls\n"), false},
		{"histories", "/root/.fs_cli_history", "typed", system, remove, text("/root/.fs_cli_history", "status\n"), false},
		{"machine-id", "/etc/machine-id", "same machine", system, empty, text("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"), false},
		{"machine-id", "/var/lib/dbus/machine-id", "same machine", system, remove, func(tr tree) {
			tr.remove("/var/lib/dbus/machine-id")
			tr.put("/var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n")
		}, false},
		{"random-seeds", "/var/lib/systemd/random-seed", "seed", system, remove, text("/var/lib/systemd/random-seed", "x"), false},
		{"random-seeds", "/boot/efi/loader/random-seed", "seed", system, remove, text("/boot/efi/loader/random-seed", "x"), false},
		{"random-seeds", "/var/lib/systemd/credential.secret", "credentials", system, remove, text("/var/lib/systemd/credential.secret", "x"), false},
		{"cloud-init", "/var/lib/cloud/instances", "remembers", system, remove, func(tr tree) {
			tr.put("/var/lib/cloud/instances/i-1/user-data.txt", "x")
			tr.link("/var/lib/cloud/instance", "/var/lib/cloud/instances/i-1")
		}, false},
		{"cloud-init", "/var/lib/cloud/data", "remembers", system, remove, text("/var/lib/cloud/data/instance-id", "i-1\n"), false},
		{"cloud-init", "/var/lib/cloud/sem", "remembers", system, remove, text("/var/lib/cloud/sem/config.once", ""), false},
		{"cloud-init", "/var/lib/cloud/instance", "names the build", system, remove, func(tr tree) { tr.link("/var/lib/cloud/instance", "/var/lib/cloud/instances/i-1") }, false},
		{"cloud-init", "/var/lib/cloud/seed/nocloud/user-data", "this data", system, none, text("/var/lib/cloud/seed/nocloud/user-data", "#cloud-config\n"), false},
		{"swap", "/swap.img", "swap file", system, none, text("/swap.img", swapFile(4096)), false},
		{"swap", "/swapfile", "swap file", system, none, text("/swapfile", swapFile(65536)), false},
		{"swap", "/etc/fstab", "swaps to /dev/sda2", known, none, text("/etc/fstab", "/dev/sda2 none swap sw 0 0\n"), false},
	}
	return append(append(all, sitePoisons(self, issued)...), systemPoisons(self)...)
}

func tarball(name, content string) string {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	t := tar.NewWriter(zip)
	_ = t.WriteHeader(&tar.Header{Name: "freeswitch/", Mode: 0o700, Typeflag: tar.TypeDir, Format: tar.FormatPAX, ModTime: time.Unix(1, 5)})
	for _, member := range []struct{ name, content string }{{"freeswitch/first.xml", "no block's size"}, {name, content}} {
		_ = t.WriteHeader(&tar.Header{Name: member.name, Size: int64(len(member.content)), Mode: 0o600, Typeflag: tar.TypeReg})
		_, _ = t.Write([]byte(member.content))
	}
	_ = t.Close()
	_ = zip.Close()
	return b.String()
}
