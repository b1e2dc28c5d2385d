package fakeswitch_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// profile puts a second log profile into the configuration, as a hardened
// machine has one.
func (in *installation) profile(t *testing.T, settings, mappings string) string {
	t.Helper()
	path := filepath.Join(in.LogDir, "second.log")
	in.edit(t, "autoload_configs/logfile.conf.xml", "</profiles>",
		`<profile name="second"><settings><param name="logfile" value="$${log_dir}/second.log"/>`+settings+
			`</settings><mappings>`+mappings+`</mappings></profile></profiles>`)
	return path
}

// A profile holds what its mappings ask for by file, function and level, while
// SIP traces and SDP go to those that ask for all.
func TestLogProfiles(t *testing.T) {
	const byFile, byFunction = "SIP auth challenge (REGISTER)", "receiving invite from"
	for mappings, want := range map[string]map[string]bool{
		`<map name="sofia_reg.c" value="warning,err"/>`:                                                {byFile: true, byFunction: false},
		`<map name="sofia_reg.c" value="err"/>`:                                                        {byFile: false},
		`<map name="sofia_handle_sip_i_invite" value="warning"/>`:                                      {byFile: false, byFunction: false},
		`<map name="sofia_handle_sip_i_invite" value="info"/>`:                                         {byFile: false, byFunction: true},
		`<map name="sofia.c:sofia_handle_sip_i_invite" value="all"/>`:                                  {byFunction: true},
		`<map name="sofia_reg.c" value="all"/><map name="sofia_reg.c" value="err"/>`:                   {byFile: false},
		`<map name="all" value="info"/><map name="all" value="WARNING"/>`:                              {byFile: true, byFunction: true},
		`<map name="all" value="console,debug,info,notice,warning,err,crit,alert"/>`:                   {byFile: true, byFunction: true, "   forged": true, "m=forged": true},
		`<map name="sofia_reg.c" value="all"/><map name="sofia_handle_sip_i_invite" value="warning"/>`: {"forged": false},
	} {
		t.Run(mappings, func(t *testing.T) {
			in := install(t)
			in.logAuthFailures(t)
			path := in.profile(t, "", mappings)
			in.start(t)
			if _, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), "sofia global siptrace on"); err != nil {
				t.Fatal(err)
			}
			call(t, in, "internal").send("REGISTER", "1001", "X-Header: x\r\n forged")
			p := call(t, in, "external")
			p.body = "v=0\r\nm=forged\r\n"
			p.send("INVITE", "1001")
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for text, there := range want {
				if strings.Contains(string(content), text) != there {
					t.Errorf("%q there: %t, want %t, in\n%s", text, !there, there, content)
				}
				if !strings.Contains(in.log(t), text) {
					t.Errorf("the log of everything lacks %q", text)
				}
			}
		})
	}
}

// Old files are put aside as .1, .2 and so on: at a length, at SIGHUP and by
// command. A reload opens the file that stands there.
func TestLogRotates(t *testing.T) {
	in := install(t)
	in.logAuthFailures(t)
	path := in.profile(t, `<param name="maximum-rotate" value="2"/>`, `<map name="sofia_reg.c" value="warning"/>`)
	s := in.start(t)
	p, conn := call(t, in, "internal"), connect(t, in.eventSocket, "ClueCon")
	users := func(name string) string {
		content, err := os.ReadFile(name)
		if err != nil {
			return "-"
		}
		var found []string
		for line := range strings.Lines(string(content)) {
			_, user, _ := strings.Cut(line, "for [")
			user, _, _ = strings.Cut(user, "@")
			found = append(found, user)
		}
		return strings.Join(found, ",")
	}
	command := func(text string) {
		t.Helper()
		if _, err := conn.API(bounded(t), text); err != nil {
			t.Fatal(err)
		}
	}
	p.send("REGISTER", "a")
	s.HangUp()
	p.send("REGISTER", "b")
	command("fsctl send_sighup")
	eventually(t, "the second rotation", func() bool { return users(path) == "" })
	p.send("REGISTER", "c")
	s.HangUp()
	if got := users(path) + " " + users(path+".1") + " " + users(path+".2") + " " + users(path+".3"); got != " c b -" {
		t.Errorf("the files hold %q", got)
	}

	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	p.send("REGISTER", "d")
	command("reload mod_logfile")
	p.send("REGISTER", "e")
	if got := users(path+".moved") + " " + users(path); got != "d e" {
		t.Errorf("after it was moved away, and a reload: %q", got)
	}
}

func TestLogRollsOver(t *testing.T) {
	in := install(t)
	in.logAuthFailures(t)
	path := in.profile(t, `<param name="maximum-rotate" value="3"/><param name="rollover" value="100"/>`, `<map name="sofia_reg.c" value="warning"/>`)
	in.start(t)
	p := call(t, in, "internal")
	for range 6 {
		p.send("REGISTER", "1001") // a line of more than 100 bytes
	}
	paths, err := filepath.Glob(path + "*")
	if err != nil || len(paths) != 4 {
		t.Errorf("files: %v, %v", paths, err)
	}
}
