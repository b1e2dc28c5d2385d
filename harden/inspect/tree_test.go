package inspect_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
)

// confDir is where the trees of these tests have FreeSWITCH's configuration.
const confDir = "/etc/freeswitch"

// clean is a machine on which nothing is to be found, with everything in it that
// looks almost like a finding. It is as small as it can be: a test of one
// finding is to see that one alone.
var clean = map[string]string{
	"/etc/freeswitch/freeswitch.xml": `<?xml version="1.0"?>
<document type="freeswitch/xml">
<X-PRE-PROCESS cmd="include" data="vars.xml"/>
<section name="configuration">
<X-PRE-PROCESS cmd="include" data="autoload_configs/*.xml"/>
</section>
<section name="dialplan">
<X-PRE-PROCESS cmd="include" data="dialplan/*.xml"/>
</section>
<section name="directory">
<X-PRE-PROCESS cmd="include" data="directory/*.xml"/>
</section>
</document>
`,
	"/etc/freeswitch/vars.xml": `<include>
<!-- default_password=1234 -->
<X-PRE-PROCESS cmd="set" data="default_password=Xq7Zp2Lm9Kd4Rt6Vw8Yb3Nc5Hj1G"/>
</include>
`,
	"/etc/freeswitch/vars.xml.bak": `<X-PRE-PROCESS cmd="set" data="default_password=1234"/>`,
	"/etc/freeswitch/autoload_configs/event_socket.conf.xml": `<configuration name="event_socket.conf"><settings>
<!-- <param name="password" value="ClueCon"/> -->
<param name="listen-ip" value="127.0.0.1"/>
<param name="password" value="Zp2Lm9Kd4Rt6Vw8Yb3Nc5Hj1GXq7"/>
</settings></configuration>
`,
	"/etc/freeswitch/autoload_configs/modules.conf.xml": `<configuration name="modules.conf"><modules>
<load module="mod_sofia"/>
<!-- <load module="mod_xml_rpc"/> <load module="mod_verto"/> -->
</modules></configuration>
`,
	"/etc/freeswitch/autoload_configs/voicemail.conf.xml": `<configuration name="voicemail.conf"><profiles><profile name="default">
<param name="allow-empty-password-auth" value="false"/>
</profile></profiles></configuration>
`,
	"/etc/freeswitch/autoload_configs/acl.conf.xml": `<configuration name="acl.conf"><network-lists>
<list name="lan" default="deny"/><list name="mine" default="allow"/>
</network-lists></configuration>
`,
	"/etc/freeswitch/autoload_configs/sofia.conf.xml": `<configuration name="sofia.conf"><profiles><profile name="internal"><settings>
<param name="enable-chat" value="false"/>
</settings></profile></profiles></configuration>
`,
	"/etc/freeswitch/autoload_configs/logfile.conf.xml": `<configuration name="logfile.conf"><profiles><profile name="a"><settings>
<param name="logfile" value="/srv/logs/fs.log"/>
</settings></profile></profiles></configuration>
`,
	"/etc/freeswitch/directory/default.xml": `<include>
<domain name="example.net">
<params><param name="dial-string" value="x"/></params>
<groups><group name="all"><users>
<user id="1000"><params><param name="password" value="$${default_password}"/><param name="vm-password" value="836154"/></params>
<variables><variable name="toll_allow" value="domestic,international"/><variable name="effective_caller_id_name" value="Ada"/></variables></user>
<user id="carrier" cidr="198.51.100.7/32"><params><param name="a1-hash" value="$${carrier_hash}"/></params></user>
<user id="nobody"><params><param name="allow-empty-password" value="false"/></params></user>
<!-- <user id="9999"/> -->
</users></group><group name="sales"><users><user id="1000" type="pointer"/></users></group></groups>
</domain>
</include>
`,
	"/etc/freeswitch/dialplan/default.xml": `<include>
<context name="default">
<extension name="guarded"><condition field="${is_boss}" expression="^true$"/><condition field="destination_number" expression="^88(\d+)$">
<action application="eavesdrop" data="$1"/></condition></extension>
<extension name="out"><condition field="destination_number" expression="^(\d+)$"><action application="bridge" data="sofia/gateway/carrier/$1"/></condition></extension>
</context><context name="public">
<extension name="did"><condition field="destination_number" expression="^\+4930123456$"><action application="transfer" data="1000 XML default"/></condition></extension>
</context>
</include>
`,
	// What FreeSWITCH would not read.
	"/etc/freeswitch/vars.xml~":                  `<X-PRE-PROCESS cmd="set" data="default_password=1234"/>`,
	"/etc/freeswitch/.vars.xml.swp":              "b0VIM\x00<param name=\"password\" value=\"ClueCon\"/>\x00",
	"/etc/freeswitch/scripts/x.lua":              "local password = session:getVariable('pin')\n",
	"/etc/freeswitch/ca/root.pem":                "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
	"/etc/freeswitch/moh.wav":                    "RIFF\x00\x00\x00\x00WAVE" + strings.Repeat("\x00", 2<<20),
	"/etc/freeswitch/directory/default.xml.orig": `<user id="1"/>`,
	"/etc/freeswitch/tls/cafile.pem":             "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",

	"/etc/passwd":      "root:x:0:0:root:/root:/bin/bash\nadmin:x:1000:1000::/home/admin:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/false\nno:x:2:2::/nonexistent:/bin/false\n",
	"/etc/shadow":      "root:*:19000:0:99999:7:::\nadmin:!:19000:0:99999:7:::\ndaemon:!*:19000::::::\nx:!!:19000::::::\n",
	"/etc/shadow-":     "root:*:19000:0:99999:7:::\n",
	"/etc/fstab":       "UUID=1 / ext4 defaults 0 1\n# /swapfile none swap sw 0 0\n",
	"/etc/machine-id":  "",
	"/etc/fs_cli.conf": "[default]\nhost => 127.0.0.1\n#password => ClueCon\n",

	"/etc/ssh/sshd_config":                "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\n",
	"/etc/ssh/sshd_config.d/50-keys.conf": "PasswordAuthentication no\n",
	"/etc/ssh/moduli":                     "2026 2 6\n",

	// What every machine has, and holds nothing.
	"/etc/sudoers":                          "# %x ALL=(ALL) NOPASSWD: ALL\nDefaults env_reset\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
	"/etc/sudoers.d/90-cloud-init-users":    "# Created by cloud-init v. 22.4.2\ndebian ALL=(ALL) NOPASSWD:ALL\n",
	"/etc/sudoers.d/README.md":              "x ALL=(ALL) NOPASSWD: ALL\n",
	"/etc/ipsec.secrets":                    "# This file holds shared secrets.\ninclude /var/lib/strongswan/ipsec.secrets.inc\n",
	"/etc/swanctl/swanctl.conf":             "# secret = x1x1\ninclude conf.d/*.conf\n",
	"/etc/ppp/pap-secrets":                  "# me * x *\n*\thostname\t\"\"\t*\nguest\thostname\t\"*\"\t-\n",
	"/etc/wireguard/publickey.txt":          "",
	"/etc/systemd/network/eth0.network":     "[Match]\nName=eth0\n[WireGuard]\nPrivateKeyFile=/etc/wireguard/key\n",
	"/etc/netplan/50-cloud-init.yaml":       "network:\n  ethernets:\n    eth0:\n      dhcp4: true\n",
	"/etc/letsencrypt/live/README":          "This directory contains your keys and certificates.\n",
	"/etc/ssl/private/ca.pem":               "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
	"/etc/apt/sources.list":                 "deb [signed-by=/usr/share/keyrings/x.gpg] https://freeswitch.signalwire.com/repo/deb/debian-release/ bookworm main\n",
	"/etc/apt/auth.conf.d/freeswitch.conf":  "# machine freeswitch.signalwire.com login signalwire password x\n",
	"/etc/apt/apt.conf.d/90proxy":           "// Acquire::http::Proxy \"http://me:x1x1@10.0.0.1/\";\nAcquire::http::Proxy \"http://10.0.0.1:3128/\";\n",
	"/etc/cloud/cloud.cfg":                  "users:\n  - default\ndisable_root: true\ncloud_config_modules:\n  - set-passwords\nsystem_info:\n  default_user:\n    lock_passwd: True\n    sudo: [\"ALL=(ALL) NOPASSWD:ALL\"]\n",
	"/etc/cloud/cloud.cfg.d/05_logging.cfg": "# passwd: x1x1\n_log:\n  - &log_base |\n    [loggers]\n    keys=root,cloudinit\n",
	"/var/cache/debconf/passwords.dat":      "Name: x/password\nTemplate: x/password\nValue: \n",
	"/var/lib/dhcp/dhclient.leases":         "",
	"/var/log/auth.log":                     "",
	"/var/log/apt/history.log":              "",
	"/var/log/journal/x/system.journal":     "",
	"/var/log/cloud-init.log":               "",
	"/root/.npmrc":                          "registry=https://registry.npmjs.org/\n",
	"/root/.kube/config":                    "apiVersion: v1\nusers: []\n",
	"/root/.config/gh/hosts.yml":            "github.com:\n    user: me\n",
	"/root/site.pem":                        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
	"/home/admin/.ssh/known_hosts":          "example.net ssh-ed25519 AAAA\n",
	"/home/admin/.ssh/config":               "Host *\n  IdentityFile ~/.ssh/x\n",
	"/home/admin/.zsh_history":              "",

	"/root/.ssh/authorized_keys":      "# none\n\n",
	"/root/.docker/config.json":       `{"auths":{}}`,
	"/home/admin/.bash_history":       "",
	"/home/admin/.netrc":              "machine example.net login me\n",
	"/home/admin/.ssh/id_ed25519.pub": "ssh-ed25519 AAAA\n",

	"/var/log/freeswitch/fs-harden-auth.log": "",
	"/var/log/freeswitch/freeswitch.log":     "",
	"/var/log/freeswitch/cdr-csv/Master.csv": "",
	"/var/lib/freeswitch/db/README":          "a text\n",
	"/var/lib/freeswitch/db/core.db":         "",
	"/var/lib/freeswitch/recordings/.keep":   "",
	"/var/lib/fs-harden/report-bake.json":    "{}\n",
	"/var/lib/fs-harden/originals.json":      `[{"path":"/etc/freeswitch/vars.xml","before":{"kind":"file","data":"MTIzNA=="}}]`,
	"/var/lib/systemd/random-seed":           "",
	"/var/lib/cloud/scripts/per-boot/x.sh":   "#!/bin/sh\n",
	"/swapfile":                              strings.Repeat("x", 5000),
	"/tmp/other":                             "x",

	// Debian's own unit, with what does not count.
	unitFile: `; ExecStart=/usr/bin/freeswitch -log /srv/fs/log
[Unit]
ExecStart=/usr/bin/freeswitch -log /srv/fs/log

[Service]
; service
Type=forking
PIDFile=/run/freeswitch/freeswitch.pid
Environment="DAEMON_OPTS=-nonat"
Environment="USER=freeswitch"
Environment="GROUP=freeswitch"
EnvironmentFile=-/etc/default/freeswitch
ExecStartPre=/bin/chown -R ${USER}:${GROUP} /var/lib/freeswitch /var/log/freeswitch /etc/freeswitch
ExecStart=/usr/bin/freeswitch -u ${USER} -g ${GROUP} -ncwait ${DAEMON_OPTS}
LimitCORE=infinity
; ExecStart=
; ExecStart=/usr/bin/freeswitch -ncwait -nonat -rp -log /srv/fs/log
`,
	"/etc/default/freeswitch":                "# /etc/default/freeswitch\n# DAEMON_OPTS=\"-log /srv/fs/log\"\nDAEMON_OPTS=\"-nonat -conf /etc/freeswitch -log /var/log/freeswitch -db /var/lib/freeswitch/db\"\n",
	"/srv/fs/log/a.log":                      "x",
	"/srv/fs/db/core.db":                     "x",
	"/srv/fs/run/core":                       core,
	"/srv/fs/recordings/a.wav":               "x",
	"/usr/bin/freeswitch":                    "\x7fELF",
	"/usr/local/bin/other":                   "x",
	"/usr/lib/pkgconfig/fs.pc":               "Version: 1.2.3\n",
	"/usr/local/lib/pkgconfig/freeswitch.pc": "Version: 1.10.1-release\n", // of a program that is gone

	dpkgStatus: installed("freeswitch", "1.11.3~release~1-0123456789~bookworm-1") +
		installed("libfreeswitch1", "1:1.11.3-1~bookworm+1") +
		installed("freeswitch-mod-sofia", "1.11.10-1") +
		"Package: freeswitch-mod-verto\nStatus: deinstall ok config-files\nSource: freeswitch\nVersion: 1.10.3-1\n\n" +
		"Package: freeswitch-mod-bcg729\nStatus: install ok installed\nSource: bcg729\nVersion: 1.0.4-1\nDescription: another's\n Version: 1.0\n\n" +
		"Package: freeswitch-sounds-en-us-callie\nStatus: install ok installed\nVersion: 1.0.53-1\n\n",

	// No core dumps: a text, a program, something short.
	"/core":                                "a text, as long as the header of a core dump is\n",
	"/root/core.sh":                        "#!/bin/sh\n",
	"/root/core.1":                         strings.Replace(core, "\x04", "\x03", 1),
	"/var/lib/freeswitch/core":             "\x7fELF",
	"/var/crash/kexec_cmd":                 "/sbin/kexec -p /boot/vmlinuz and so on",
	"/var/crash/_usr_bin_x.0.upload":       "",
	"/var/crash/_usr_bin_x.0.crash":        "",
	"/var/lib/systemd/coredump/core.empty": "",
}

const (
	unitFile   = "/lib/systemd/system/freeswitch.service"
	dropIn     = "/etc/systemd/system/freeswitch.service.d/own.conf"
	dpkgStatus = "/var/lib/dpkg/status"

	// core is the head of a core dump of amd64 or arm64, and some memory.
	core = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x3e\x00 memory"
)

// units are FreeSWITCH's unit and its drop-in.
var units = []string{unitFile, dropIn}

// installed is a package in dpkg's record, built from FreeSWITCH's source.
func installed(name, version string) string {
	source := ""
	if name != "freeswitch" {
		source = "Source: freeswitch (" + version + ")\n"
	}
	return "Package: " + name + "\nStatus: install ok installed\nPriority: optional\n" + source + "Version: " + version + "\nDescription: it\n for calls\n\n"
}

// tree is a machine's file system, unpacked. Making one costs more than looking
// at it, so whoever needs many undoes what was done to one.
type tree struct {
	t    testing.TB
	dir  string
	undo *[]func()
}

func newTree(t testing.TB) tree {
	t.Helper()
	tr := tree{t, t.TempDir(), new([]func())}
	for p, text := range clean {
		tr.put(p, text)
	}
	tr.link("/etc/systemd/system/multi-user.target.wants/fs-harden-firstboot.service", "/etc/systemd/system/fs-harden-firstboot.service")
	tr.link("/root/.bash_history", "/dev/null")
	tr.link("/var/lib/dbus/machine-id", "/etc/machine-id")
	tr.link("/home/admin/.viminfo", "/home/admin/gone")
	tr.folder("/var/lib/cloud/instances")
	tr.folder("/root/core")
	*tr.undo = nil
	return tr
}

// clean makes the tree what it was when it was new.
func (tr tree) clean() {
	for _, undo := range slices.Backward(*tr.undo) {
		undo()
	}
	*tr.undo = nil
}

func (tr tree) at(p string) string { return filepath.Join(tr.dir, p) }

// must ends the test where the tree cannot be made.
func (tr tree) must(err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatal(err)
	}
}

func (tr tree) put(p, text string) {
	tr.t.Helper()
	tr.remove(p)
	tr.folder(filepath.Dir(p))
	tr.must(os.WriteFile(tr.at(p), []byte(text), 0o644))
	*tr.undo = append(*tr.undo, func() { tr.must(os.RemoveAll(tr.at(p))) })
}

func (tr tree) folder(p string) {
	tr.t.Helper()
	if _, err := os.Stat(tr.at(p)); err == nil {
		return
	}
	tr.folder(filepath.Dir(p))
	tr.must(os.Mkdir(tr.at(p), 0o755))
	*tr.undo = append(*tr.undo, func() { tr.must(os.RemoveAll(tr.at(p))) })
}

func (tr tree) link(p, target string) {
	tr.t.Helper()
	tr.remove(p)
	tr.folder(filepath.Dir(p))
	tr.must(os.Symlink(target, tr.at(p)))
	*tr.undo = append(*tr.undo, func() { tr.must(os.RemoveAll(tr.at(p))) })
}

// remove takes away a file, a link or an empty folder, if one is there.
func (tr tree) remove(p string) {
	tr.t.Helper()
	info, err := os.Lstat(tr.at(p))
	if err != nil {
		return
	}
	aside := filepath.Join(tr.dir, ".aside", strconv.Itoa(len(*tr.undo))+info.Name())
	tr.must(os.MkdirAll(filepath.Dir(aside), 0o755))
	tr.must(os.Rename(tr.at(p), aside))
	*tr.undo = append(*tr.undo, func() {
		tr.must(os.MkdirAll(filepath.Dir(tr.at(p)), 0o755))
		tr.must(os.Rename(aside, tr.at(p)))
	})
}

// edit replaces a piece of a file.
func (tr tree) edit(p, old, text string) {
	tr.t.Helper()
	b, err := os.ReadFile(tr.at(p))
	tr.must(err)
	if !strings.Contains(string(b), old) {
		tr.t.Fatalf("%s does not hold %q", p, old)
	}
	tr.put(p, strings.Replace(string(b), old, text, 1))
}

// sparse makes a file of so many bytes that takes none of the disk.
func (tr tree) sparse(p string, size int64) {
	tr.t.Helper()
	tr.put(p, "")
	tr.must(os.Truncate(tr.at(p), size))
}

func (tr tree) host() *host.Host {
	tr.t.Helper()
	h, err := host.Open(tr.dir, nil)
	if err != nil {
		tr.t.Fatal(err)
	}
	return h
}

func (tr tree) look(o inspect.Options) []inspect.Found {
	tr.t.Helper()
	if o.ConfDir == "" {
		o.ConfDir = confDir
	}
	if o.Unit == nil {
		o.Unit = units
	}
	found, err := inspect.Look(context.Background(), tr.host(), o)
	if err != nil {
		tr.t.Fatal(err)
	}
	return found
}

// list is what was found, one a line.
func list(found []inspect.Found) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "\n  %s %s %s %s: %s; %s", f.Severity, f.Owner, f.Look, f.Path, f.Why, f.Remedy)
	}
	return b.String()
}
