package fsxml

import (
	"strings"
	"testing"
)

// ours are the parameters that carry our mark.
func ours(c *Config) []Spot {
	var out []Spot
	for _, s := range c.Spots("settings/param") {
		if s.Attr("by") == "us" {
			out = append(out, s)
		}
	}
	return out
}

// What InsertElement puts in, Without takes out again, and not a byte more.
func TestWithoutUndoesInsertElement(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"behind the last":       "<settings>\n  <param name=\"a\" value=\"1\"/>\n</settings>\n",
		"with a comment behind": "<settings>\n  <param name=\"a\" value=\"1\"/> <!-- c -->\n\n</settings>",
		"as its lines end":      "<settings>\r\n\t<param name='a' value='1'/>\r\n</settings>\r\n",
		"all on one line":       "<settings><param name='a'/></settings>",
		"before text":           "<settings>\n <param name='a'/>\n text\n</settings>",
		"into an empty one":     "  <settings>\n  </settings>",
		"variables beside it":   "<settings>\n<X-PRE-PROCESS cmd=\"set\" data=\"x=1\"/>\n<param name=\"$${x}\" value=\"$${y}\"/>\n</settings>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, err := Parse("/a.xml", []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			e := before.Edit()
			for _, text := range []string{`<param name="p" value="none" by="us"/>`, `<param name="p" value="q" by="us"/>`} {
				if err := e.InsertElement("settings", text); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := e.Changes(); err != nil {
				t.Fatal(err)
			}
			in := e.After()
			if n := len(ours(in)); n != 2 {
				t.Fatalf("%d are in:\n%s", n, in.files[0].data)
			}
			out, changes, err := in.Without(ours(in))
			if err != nil {
				t.Fatal(err)
			}
			if len(changes) != 1 || string(changes[0].After) != body || len(ours(out)) != 0 {
				t.Errorf("%d changes, left is\n%q\nwant\n%q", len(changes), changes[0].After, body)
			}
			again, none, err := out.Without(ours(out))
			if err != nil || again != out || none != nil {
				t.Errorf("a second time: %v, %v", none, err)
			}
		})
	}
}

// What stands beside it stays; an element goes with all below it.
func TestWithoutTakesNothingElse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`<settings><param by="us"/><!-- c --><param name="a"/></settings>`:                       `<settings><!-- c --><param name="a"/></settings>`,
		"<settings>\n  <param by=\"us\"/> <param name=\"a\"/>\n</settings>":                      "<settings>\n   <param name=\"a\"/>\n</settings>",
		"<settings>\n  <param by=\"us\"/> <!-- c -->\n</settings>":                               "<settings>\n   <!-- c -->\n</settings>",
		"<settings>\n  <param by=\"us\">\n    <x/>\n  </param>\n  <y/>\n</settings>":             "<settings>\n  <y/>\n</settings>",
		"<settings>\n  <param by=\"us\"/>\n  <param\n by='us'></param>\n  <param/>\n</settings>": "<settings>\n  <param/>\n</settings>",
	} {
		c, err := Parse("/a.xml", []byte(in))
		if err != nil {
			t.Fatal(err)
		}
		_, changes, err := c.Without(ours(c))
		if err != nil || len(changes) != 1 || string(changes[0].After) != want {
			t.Errorf("%q: %v, %q, want %q", in, err, changes, want)
		}
	}
}

func TestWithoutRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files files
		only  int // which of those that match goes
		want  string
	}{
		"what a variable makes": {files{"/etc/freeswitch/freeswitch.xml": "<document>\n<settings>\n<X-PRE-PROCESS cmd=\"set\" data=\"x=<param by='us'/>\"/>\n$${x}\n</settings>\n</document>"}, 0, "comes out of a $${variable}"},
		"one place of a file that is read twice": {files{
			"/etc/freeswitch/freeswitch.xml": "<document>\n<settings>\n<X-PRE-PROCESS cmd=\"include\" data=\"p.xml\"/>\n<X-PRE-PROCESS cmd=\"include\" data=\"p.xml\"/>\n</settings>\n</document>",
			"/etc/freeswitch/p.xml":          "<param by=\"us\"/>\n",
		}, 1, "included twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := Load(tt.files, "/etc/freeswitch")
			if err != nil {
				t.Fatal(err)
			}
			all := ours(c)
			if len(all) <= tt.only {
				t.Fatalf("%d match", len(all))
			}
			if _, _, err := c.Without(all[tt.only : tt.only+1]); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// encoding/xml is asked too, and sees what was cut out beside what was meant.
func TestCutsHaveASecondOpinion(t *testing.T) {
	t.Parallel()
	const before = "<a>\n text <p x='1'/> more <!-- c -->\n<q/></a>"
	for name, tt := range map[string]struct {
		after string
		want  bool
	}{
		"the element alone":           {"<a>\n text  more <!-- c -->\n<q/></a>", true},
		"a byte of the text":          {"<a>\n tex  more <!-- c -->\n<q/></a>", false},
		"the comment":                 {"<a>\n text  more \n<q/></a>", false},
		"an element that was to stay": {"<a>\n text  more <!-- c -->\n</a>", false},
		"one more":                    {"<a>\n text  more <!-- c -->\n<q/><q/></a>", false},
	} {
		start := int32(strings.Index(before, "<p"))
		cuts := []span{{0, start, start + int32(len("<p x='1'/>"))}}
		if err := verifyCuts(Change{Path: "/a.xml", Before: []byte(before), After: []byte(tt.after)}, cuts); (err == nil) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
