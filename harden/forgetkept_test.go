package harden

import (
	"context"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// What becomes of an original when an instance becomes an image.
func TestOriginalsWithoutPasswords(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.apply()
	images, _ := tr.secrets()
	const vars = "/etc/freeswitch/vars.xml"
	set := func(value string) string {
		return "<include>\n<X-PRE-PROCESS cmd=\"set\" data=\"default_password=" + value + "\"/>\n</include>\n"
	}
	for name, tt := range map[string]struct {
		before host.Node
		want   string // "-": there is no original any more
	}{
		"FreeSWITCH's":       {host.NewFile([]byte(set("1234")), 0o640), set("1234")},
		"the image's":        {host.NewFile([]byte(set(images)), 0o640), set(images)},
		"somebody's":         {host.NewFile([]byte(set("somebodys-own")), 0o640), set(images)},
		"of no XML":          {host.NewFile([]byte("a=b\n"), 0o640), "a=b\n"},
		"what nobody reads":  {host.NewFile([]byte("<include default_password=somebodys-own"), 0o640), "-"},
		"nothing was there":  {host.Node{Kind: host.Absent}, ""},
		"a link stood there": {host.NewSymlink("/etc/default_password"), ""},
	} {
		m := tr.runner().start("forget", nil).m
		m.ConfDir = "/etc/freeswitch"
		entries := []journal.Entry{{Path: "/etc/first", Before: host.NewFile([]byte("first"), 0o644)}, {Path: vars, Before: tt.before}}
		got, err := withoutPasswords(m, entries)
		if err != nil || len(got) == 0 || string(got[0].Before.Data) != "first" {
			t.Fatalf("%s: %v, %+v", name, err, got)
		}
		if tt.want == "-" {
			if len(got) != 1 {
				t.Errorf("%s: is kept", name)
			}
			continue
		}
		if len(got) != 2 || string(got[1].Before.Data) != tt.want || got[1].Before.Kind != tt.before.Kind || got[1].Before.Mode != tt.before.Mode {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// fs_cli's files, and a person's edit of the credentials, hold the passwords in lines
// of their own: a copy, a record for rollback and what was set aside lose them too.
func TestForgetKnowsFilesOfLines(t *testing.T) {
	t.Parallel()
	const own = "an-operators-own-of-before"
	tr := newTree(t)
	tr.write("/etc/fs_cli.conf", "[default]\npassword => "+own+"\n")
	mustApply(t, tr)
	if _, err := tr.here(false).FirstBoot(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, esl := tr.secrets()
	tr.write("/root/.fs_cli_conf", "[default]\npassword => "+esl+"\n") // by hand
	mustRun(tr, report.Rotate)
	sip2, esl2 := tr.secrets()
	tr.write("/root/fs-harden-recovered-20260101-000000/etc/fs_cli.conf", "[default]\npassword => "+esl2+"\n")
	tr.write("/root/fs-harden-recovered-20260101-000000/root/freeswitch-credentials.txt", "sip_default_password = "+sip2+"\n")
	all := []string{own, esl, sip2, esl2}
	for _, s := range all {
		if len(tr.holdsAnywhere(s)) == 0 {
			t.Fatalf("%q is nowhere: this tests nothing", s)
		}
	}
	tr.forget()
	for i, s := range all {
		if where := tr.holdsAnywhere(s); len(where) > 0 {
			t.Errorf("password %d is still in %s", i, where)
		}
	}
}

// A damaged record of the bake is removed, as its error says. The originals lose their
// passwords all the same.
func TestForgetWithoutTheBakesRecord(t *testing.T) {
	t.Parallel()
	const vars, own = "/etc/freeswitch/vars.xml", "the-sites-own-before-the-bake"
	tr := newTree(t)
	tr.write(vars, strings.Replace(tr.read(vars), "default_password=1234", "default_password="+own, 1))
	tr.apply()
	tr.firstboot()
	tr.remove(state.BakedPath)
	tr.forget()
	if where := tr.holdsAnywhere(own); len(where) > 0 {
		t.Errorf("still in %s", where)
	}
}
