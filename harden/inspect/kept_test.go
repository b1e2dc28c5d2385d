package inspect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// kept is what the look at kept passwords finds, of all looks.
func (tr tree) kept() (found []inspect.Found) {
	for _, f := range tr.look(inspect.Options{}) {
		if f.Look == inspect.KeptPasswords {
			found = append(found, f)
		}
	}
	return found
}

// What a recovery has set aside of a person's edits.
func TestPasswordsThatWereSetAside(t *testing.T) {
	tr := newTree(t)
	const at = "/root/fs-harden-recovered-20260101-000000/etc/freeswitch/vars.xml"
	tr.put(at, setSIP("the-sites-own"))
	found := tr.kept()
	wantOne(t, found, at, "had before")
	if found[0].Fix != inspect.Remove {
		t.Error("a forget leaves it")
	}
}

// Whose a password is says how heavy it weighs: the instance's goes before all, also
// where a record of the bake takes it for its own.
func TestWhosePasswordIsKept(t *testing.T) {
	const own, images = "instances-own", "images-own"
	instance := secret.Pair{SIP: secret.Of(own), ESL: secret.Of("instances-other")}
	for name, tt := range map[string]struct {
		baked secret.Pair
		text  string
		owner inspect.Owner // empty: nothing is said
	}{
		"the instance's":                       {secret.NewPair(), setSIP(own), inspect.Image},
		"the instance's, by a poisoned record": {instance, setSIP(own), inspect.Image},
		"the instance's, of the other":         {secret.NewPair(), setESL("instances-other"), inspect.Image},
		"the instance's, for the other":        {secret.NewPair(), setESL(own), inspect.Known},
		"somebody's":                           {secret.NewPair(), setSIP("somebodys"), inspect.Known},
		"the image's":                          {secret.Pair{SIP: secret.Of(images), ESL: secret.Of(images)}, setSIP(images), ""},
		"shipped":                              {secret.NewPair(), setSIP("1234"), ""},
		"short, and somebody's":                {secret.NewPair(), setSIP("short"), inspect.Known},
	} {
		tr := newTree(t)
		tr.put(state.CommittedPath, string(state.Committed{Digests: state.NewDigests(instance)}.Node().Data))
		tr.put(state.BakedPath, string(state.Baked{Digests: state.NewDigests(tt.baked)}.Node().Data))
		tr.put(vars+".bak", tt.text)
		tr.put(tgz, tarball("freeswitch/vars.xml", tt.text))
		found := tr.kept()
		if tt.owner == "" && len(found) > 0 || tt.owner != "" && len(found) != 2 {
			t.Errorf("%s:%s", name, list(found))
		}
		for _, f := range found {
			if f.Owner != tt.owner || f.Fix != inspect.Remove {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

// FreeSWITCH's user has the configuration include a file elsewhere: what stands beside
// that is told, and no run removes it for him.
func TestACopyElsewhereIsNotRemoved(t *testing.T) {
	for _, include := range []string{"/opt/other/app.xml", "../../opt/other/app.xml"} {
		tr := newTree(t)
		tr.put("/opt/other/app.xml", "<include/>")
		tr.put("/opt/other/app.xml.bak", setSIP("somebodys"))
		tr.put(vars, "<include>\n<X-PRE-PROCESS cmd=\"include\" data=\""+include+"\"/>\n"+setSIP("the-images")+"\n</include>")
		found := tr.kept()
		wantOne(t, found, "/opt/other/app.xml.bak", "had before")
		if found[0].Fix != inspect.None {
			t.Errorf("%s: a forget removes what FreeSWITCH's user names", include)
		}
	}
}

// A configuration in one large file is in its backup as it is.
func TestALargeMemberOfABackup(t *testing.T) {
	tr := newTree(t)
	tr.put(tgz, tarball("freeswitch/freeswitch.xml", strings.Replace(setSIP("somebodys"), "<include>", "<include>\n"+strings.Repeat("<a/>\n", 400000), 1)))
	wantOne(t, tr.kept(), tgz, "had before")
}

// FreeSWITCH's user may leave as many copies as he likes: what is too much to look at
// is told.
func TestTooManyCopies(t *testing.T) {
	tr := newTree(t)
	large := "<include>\n" + strings.Repeat("<!-- "+strings.Repeat("x", 1000)+" -->\n", 3<<10) + "</include>\n"
	for i := range 22 {
		file := fmt.Sprintf("/etc/freeswitch/dialplan/default/many%02d.xml", i)
		tr.put(file, "<include/>\n")
		tr.put(file+".bak", large)
	}
	tr.put(vars, "<include>\n<X-PRE-PROCESS cmd=\"include\" data=\"dialplan/default/many*.xml\"/>\n"+setSIP("the-images")+"</include>\n")
	wantOne(t, tr.kept(), "/etc/freeswitch", "more than 64 MiB")
}
