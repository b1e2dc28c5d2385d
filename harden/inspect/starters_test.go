package inspect_test

import (
	"os"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// What looks like a second start of FreeSWITCH and is none.
func TestNoOtherStarter(t *testing.T) {
	const unit, wants = "/lib/systemd/system/pbx.service", "/etc/systemd/system/multi-user.target.wants/"
	const starts = "[Service]\nExecStart=/usr/bin/freeswitch -nc\n"
	tr := newTree(t)
	for name, put := range map[string]func(tree){
		"a unit that nobody enables": text(unit, starts),
		"its own unit": func(tr tree) {
			tr.link(wants+"freeswitch.service", unitFile)
		},
		"an alias of its own unit": func(tr tree) {
			tr.link("/etc/systemd/system/telephony.service", unitFile)
			tr.link(wants+"telephony.service", unitFile)
		},
		"a masked unit": func(tr tree) {
			tr.put(unit, starts)
			tr.link(wants+"pbx.service", unit)
			tr.link("/etc/systemd/system/pbx.service", "/dev/null")
		},
		"a masked unit with a drop-in": func(tr tree) {
			tr.link(wants+"pbx.service", unit)
			tr.link("/etc/systemd/system/pbx.service", "/dev/null")
			tr.put("/etc/systemd/system/pbx.service.d/own.conf", starts)
		},
		"a unit that an empty file masks": func(tr tree) {
			tr.put(unit, starts)
			tr.link(wants+"pbx.service", unit)
			tr.put("/etc/systemd/system/pbx.service", "")
		},
		"what a masked unit wants": func(tr tree) {
			tr.put(unit, starts)
			tr.put("/lib/systemd/system/office.service", "[Unit]\nWants=pbx.service\n")
			tr.link(wants+"office.service", "/lib/systemd/system/office.service")
			tr.link("/etc/systemd/system/office.service", "/dev/null")
		},
		"one that asks the gate": enabled("pbx.service", "[Service]\nExecStartPre=+"+state.HelperPath+" gate\nExecStart=/usr/bin/freeswitch -nc\n"),
		"one that has the gate's drop-in too": func(tr tree) {
			enabled("pbx.service", starts)(tr)
			tr.put("/etc/systemd/system/freeswitch.service.d/50-fs-harden.conf", "[Service]\nExecStartPre=+"+state.HelperPath+" gate\n")
			tr.link("/etc/systemd/system/pbx.service.d/50-fs-harden.conf", "../freeswitch.service.d/50-fs-harden.conf")
		},
		"a drop-in that starts another": func(tr tree) {
			enabled("pbx.service", starts)(tr)
			tr.put("/etc/systemd/system/pbx.service.d/own.conf", "[Service]\nExecStart=\nExecStart=/bin/true\n")
		},
		"its folders": enabled("backup.service", "[Service]\nExecStart=/bin/tar cf /srv/b.tar /etc/freeswitch /var/lib/freeswitch\n"),
		"its name":    enabled("note.service", "[Service]\nExecStart=/usr/bin/logger freeswitch\n"),
		"its console": enabled("ask.service", "[Service]\nExecStart=/usr/bin/fs_cli -x status\n"),
		"a script that a unit replaces": func(tr tree) {
			tr.put("/etc/init.d/pbx", "#!/bin/sh\nDAEMON=/usr/bin/freeswitch\n")
			tr.link("/etc/rc2.d/S01pbx", "../init.d/pbx")
			tr.put(unit, starts)
		},
		"a script of its unit's name": func(tr tree) {
			tr.put("/etc/init.d/freeswitch", "#!/bin/sh\nDAEMON=/usr/bin/freeswitch\n")
			tr.link("/etc/rc2.d/S01freeswitch", "../init.d/freeswitch")
		},
		"a script that is not enabled": text("/etc/init.d/pbx", "#!/bin/sh\nDAEMON=/usr/bin/freeswitch\n"),
		"rc.local that is not run":     text("/etc/rc.local", "#!/bin/sh\n/usr/bin/freeswitch\n"),
		"a comment in rc.local": func(tr tree) {
			tr.put("/etc/rc.local", "#!/bin/sh\n# /usr/bin/freeswitch\n")
			tr.must(os.Chmod(tr.at("/etc/rc.local"), 0o755))
		},
		"not at a boot": text("/etc/cron.d/pbx", "5 4 * * * root /usr/bin/freeswitch -version\n"),
		"a user's":      text("/var/spool/cron/crontabs/admin", "@reboot /home/admin/bin/freeswitch\n"),
	} {
		put(tr)
		if found := inspect.Starters(tr.host(), "freeswitch", units); len(found) > 0 {
			t.Errorf("%s: %+v", name, found)
		}
		tr.clean()
	}
}

// Units that want each other end a look all the same.
func TestStartersOfUnitsInACircle(t *testing.T) {
	tr := newTree(t)
	enabled("a.service", "[Unit]\nWants=b.service a.service\n[Service]\nExecStart=/bin/true\n")(tr)
	tr.put("/lib/systemd/system/b.service", "[Unit]\nRequires=a.service c.service\n")
	tr.put("/lib/systemd/system/c.service", "[Unit]\nBindsTo="+strings.Repeat("b.service ", 5000)+"\n[Service]\nExecStart=/usr/bin/freeswitch\n")
	if found := inspect.Starters(tr.host(), "freeswitch", units); len(found) != 1 || found[0].Path != "/lib/systemd/system/c.service" {
		t.Errorf("%+v", found)
	}
}
