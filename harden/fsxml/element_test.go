package fsxml

import (
	"errors"
	"strings"
	"testing"
)

const wholeProfile = "<profile name=\"own\">\n  <settings>\n    <param name=\"a\" value=\"1 &amp; 2\"/>\n  </settings>\n</profile>"

// Where a whole element is put, and how its lines are indented.
func TestInsertElement(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"behind the last": {
			"<profiles>\n  <profile name=\"default\">\n    <settings/>\n  </profile>\n</profiles>\n",
			"<profiles>\n  <profile name=\"default\">\n    <settings/>\n  </profile>\n  <profile name=\"own\">\n    <settings>\n      <param name=\"a\" value=\"1 &amp; 2\"/>\n    </settings>\n  </profile>\n</profiles>\n",
		},
		"behind one without a closing tag, as its lines end": {
			"<profiles>\r\n\t<profile name='default'/> <!-- c -->\r\n</profiles>\r\n",
			"<profiles>\r\n\t<profile name='default'/> <!-- c -->\r\n\t<profile name=\"own\">\r\n\t  <settings>\r\n\t    <param name=\"a\" value=\"1 &amp; 2\"/>\r\n\t  </settings>\r\n\t</profile>\r\n</profiles>\r\n",
		},
		"into an empty one": {
			"  <profiles></profiles>",
			"  <profiles>\n    <profile name=\"own\">\n      <settings>\n        <param name=\"a\" value=\"1 &amp; 2\"/>\n      </settings>\n    </profile>\n  </profiles>",
		},
		"into one without a closing tag": {
			"<profiles/>\n",
			"<profiles>\n  <profile name=\"own\">\n    <settings>\n      <param name=\"a\" value=\"1 &amp; 2\"/>\n    </settings>\n  </profile>\n</profiles>\n",
		},
		"on one line": {
			"<x><profiles><profile/></profiles></x>",
			"<x><profiles><profile/><profile name=\"own\">\n  <settings>\n    <param name=\"a\" value=\"1 &amp; 2\"/>\n  </settings>\n</profile></profiles></x>",
		},
	} {
		t.Run(name, func(t *testing.T) {
			place := Place("profiles")
			if strings.HasPrefix(c.before, "<x>") {
				place = "x/profiles"
			}
			e := alone(t, c.before).Edit()
			if err := e.InsertElement(place, wholeProfile); err != nil {
				t.Fatal(err)
			}
			changes, err := e.Changes()
			if err != nil {
				t.Fatal(err)
			}
			if len(changes) != 1 || string(changes[0].After) != c.after {
				t.Fatalf("got  %q\nwant %q", changes[0].After, c.after)
			}
			if v, _ := e.After().Value(place+"/profile[own]/settings", "a"); v != "1 & 2" {
				t.Errorf("FreeSWITCH would read %q", v)
			}
		})
	}
}

func alone(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("a.xml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestInsertElementBesideOtherEdits(t *testing.T) {
	e := alone(t, "<profiles>\n  <profile name=\"default\">\n    <settings>\n      <param name=\"b\" value=\"1\"/>\n    </settings>\n  </profile>\n</profiles>\n").Edit()
	for name, err := range map[string]error{
		"a value":     e.SetParam("profiles/profile[default]/settings", "b", "2"),
		"a parameter": e.SetParam("profiles/profile[default]/settings", "c", "3"),
		"an element":  e.InsertElement("profiles", wholeProfile),
	} {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := e.Changes(); err != nil {
		t.Fatal(err)
	}
	if v, _ := e.After().Value("profiles/profile[default]/settings", "c"); v != "3" {
		t.Errorf("c is %q", v)
	}
}

// What would not be read back as it is written never gets as far as a file.
func TestInsertElementRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"a variable":       `<profile name="$${x}"/>`,
		"a directive":      "<profile>\n<!-- X-PRE-PROCESS cmd=\"set\" data=\"a=b\" -->\n</profile>",
		"an include":       "<profile>\n<include>\n</profile>",
		"two elements":     "<profile/><profile/>",
		"an open one":      "<profile><settings></profile>",
		"no element":       "profile",
		"white space":      " <profile/>",
		"something behind": "<profile/>\n",
	} {
		e := alone(t, "<profiles/>").Edit()
		if err := e.InsertElement("profiles", text); err == nil {
			t.Errorf("%s was let through", name)
		}
		if _, err := e.Changes(); err == nil {
			t.Errorf("%s: changes after an error", name)
		}
	}
	if err := alone(t, "<x/>").Edit().InsertElement("profiles", wholeProfile); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such place: %v", err)
	}
}

// A file that FreeSWITCH reads twice would get the element twice.
func TestInsertElementWhereAFileIsReadTwice(t *testing.T) {
	c := load(t, files{
		conf + "/freeswitch.xml": "<document>\n<section name=\"a\">\n<X-PRE-PROCESS cmd=\"include\" data=\"p.xml\"/>\n</section>\n<section name=\"b\">\n<X-PRE-PROCESS cmd=\"include\" data=\"p.xml\"/>\n</section>\n</document>\n",
		conf + "/p.xml":          "<include>\n<profiles>\n</profiles>\n</include>\n",
	})
	e := c.Edit()
	if err := e.InsertElement("section[a]/profiles", wholeProfile); err != nil {
		t.Fatal(err)
	}
	if changes, err := e.Changes(); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("changes %v, error %v", changes, err)
	}
}

// The proof is not led by the hand that wrote: an element that stands there
// otherwise than asked is found.
func TestAnElementOtherThanAskedIsFound(t *testing.T) {
	whole, err := parseElement(wholeProfile)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		strings.Replace(wholeProfile, "1 &amp; 2", "3", 1),
		strings.Replace(wholeProfile, "<settings>\n    <param name=\"a\" value=\"1 &amp; 2\"/>\n  </settings>", "<settings/><param name=\"a\" value=\"1 &amp; 2\"/>", 1),
		"<profile name=\"own\"/>",
	} {
		if whole.standsAt(alone(t, text), 1) {
			t.Errorf("taken for the same: %s", text)
		}
	}
	if !whole.standsAt(alone(t, wholeProfile), 1) {
		t.Error("not taken for itself")
	}
}
