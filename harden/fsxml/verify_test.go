package fsxml

import (
	"slices"
	"strings"
	"testing"
)

// Were an edit wrong, both proofs would see it, each by itself: the one of the
// file, with another parser, and the one of the whole configuration.
func TestProofs(t *testing.T) {
	tests := []struct {
		name string
		text string // what is written in place of new
	}{
		{"another value", `other`},
		{"an attribute more", `new" more="1`},
		{"an element more", `new"/><param name="more" value="1`},
		{"an element gone", `new"/><!-- `},
		{"a tag broken", `new<`},
		{"a quote", `new"`},
		{"an entity", `new&amp;`},
		{"a line dropped", `new<?`},
		{"a directive more", "new\"/>\n<X-PRE-PROCESS cmd=\"set\" data=\"v=2\"/>\n<param value=\""},
		{"a variable", `$${v}`},
	}
	before := files{
		"freeswitch.xml": `<document>
<X-PRE-PROCESS cmd="set" data="v=1"/>
<section name="configuration">
<X-PRE-PROCESS cmd="include" data="f.xml"/>
</section>
</document>`,
		"f.xml": `<configuration name="event_socket.conf"><settings>
<param name="a" value="old"/>
<param name="b" value="--> "/>
</settings></configuration>
`,
	}.under(conf)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := load(t, before).Edit()
			ok(t, e.SetParam(EventSocket(), "a", "new"))
			if changes, err := e.Changes(); len(changes) != 1 || err != nil {
				t.Fatalf("the right edit: %v, %v", changes, err)
			}
			for where, ed := range e.edits {
				ed.text = tt.text
				e.edits[where] = ed
			}
			patches := e.patches()
			ch := Change{Path: conf + "/f.xml", Before: []byte(before[conf+"/f.xml"])}
			ch.After = apply(ch.Before, patches[1])
			if err := verifyFile(ch, patches[1]); err == nil {
				t.Errorf("the file is taken for right:\n%s", ch.After)
			}
			if err := e.verify([]Change{ch}, patches); err == nil {
				t.Errorf("the configuration is taken for right:\n%s", ch.After)
			}
			if changes, err := e.Changes(); changes != nil || err == nil {
				t.Errorf("changes %v, %v", changes, err)
			}
		})
	}
}

// The same for directives, and for what is put in.
func TestProofsOfDirectives(t *testing.T) {
	const before = "<X-PRE-PROCESS cmd=\"set\" data=\"v=old\"/>\n<X-PRE-PROCESS cmd=\"set\" data=\"w=old\"/>\n<s>\n<param name=\"a\" value=\"1\"/>\n</s>\n"
	edits := func() *Editor {
		c, err := Parse("/f.xml", []byte(before))
		ok(t, err)
		e := c.Edit()
		ok(t, e.SetVar("v", "new"))
		ok(t, e.InsertVar("/f.xml", "x", "1"))
		ok(t, e.SetParam("s", "b", "2"))
		if changes, err := e.Changes(); len(changes) != 1 || err != nil {
			t.Fatalf("the right edit: %v, %v", changes, err)
		}
		return e
	}
	tests := []struct {
		name   string
		tamper func(*edit, *insertion)
	}{
		{"another value", func(ed *edit, _ *insertion) { ed.text = "other" }},
		{"an early end", func(ed *edit, _ *insertion) { ed.text = `ne"w` }},
		{"a line more", func(ed *edit, _ *insertion) { ed.text = "new\"/>\n<X-PRE-PROCESS cmd=\"set\" data=\"w=2" }},
		{"a parameter more", func(_ *edit, in *insertion) { in.tail = "\n" + `<param name="c" value="3"/>` }},
		{"a comment opened", func(_ *edit, in *insertion) { in.tail = "\n" + "<!--" }},
		{"a comment directive opened", func(_ *edit, in *insertion) { in.tail = "\n" + "<!--#" }},
		{"nothing put in", func(_ *edit, in *insertion) { in.sep, in.items[0].text = "", "" }},
		{"another one put in", func(_ *edit, in *insertion) {
			in.items[0].text = `<X-PRE-PROCESS cmd="set" data="w=2"/><param name="c" value="2"/>`
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, lines := range []string{"<X-PRE", "<param"} {
				e := edits()
				for where, ed := range e.edits {
					for _, in := range e.inserts {
						if in.items[0].text[:6] == lines {
							tt.tamper(&ed, in)
							e.edits[where] = ed
						}
					}
				}
				if changes, err := e.Changes(); changes != nil || err == nil {
					t.Errorf("taken for right: %s", changes[0].After)
				}
			}
		})
	}
}

// What is asked may be asked of places that overlap, with two values: only one of
// them can be in force, and the other is told.
func TestWhatWasAskedIsProven(t *testing.T) {
	c := load(t, files{
		"freeswitch.xml": "<document><section name=\"configuration\"><configuration name=\"event_socket.conf\"><settings>\n<param name=\"a\" value=\"old\"/>\n</settings></configuration></section></document>",
	}.under(conf))
	e := c.Edit()
	ok(t, e.SetParam(EventSocket(), "a", "one"))
	ok(t, e.SetParam("section/configuration/settings", "a", "two"))
	if changes, err := e.Changes(); changes != nil || err == nil || !strings.Contains(err.Error(), "the parameter a at section[configuration]/configuration[event_socket.conf]/settings would not have the new value") {
		t.Errorf("changes %v, %v", changes, err)
	}
}

// A variable in the path of an include decides what FreeSWITCH reads.
func TestOtherFilesAreNotRead(t *testing.T) {
	before := files{
		"freeswitch.xml": `<document>
<X-PRE-PROCESS cmd="set" data="site=a"/>
<section name="configuration">
<X-PRE-PROCESS cmd="include" data="$${site}/*.xml"/>
</section>
</document>`,
		"a/f.xml": "<configuration name=\"f.conf\"/>\n",
		"b/f.xml": "<configuration name=\"f.conf\"/>\n",
	}.under(conf)
	e := load(t, before).Edit()
	ok(t, e.SetVar("site", "b"))
	if changes, err := e.Changes(); changes != nil || err == nil || !strings.Contains(err.Error(), "would read other files than before") {
		t.Errorf("changes %v, %v", changes, err)
	}
}

// An edit that leaves all that was there as it is, and puts something behind it,
// is seen too: by the one proof behind the last element, by the other behind the
// last token.
func TestNothingAppearsBehindTheLast(t *testing.T) {
	const before = "<s>\n<param name=\"a\" value=\"old\"/>\n</s>\n"
	e := func() *Editor {
		c, err := Parse("/f.xml", []byte(before))
		ok(t, err)
		e := c.Edit()
		ok(t, e.SetParam("s", "a", "new"))
		return e
	}
	right := e()
	changes, err := right.Changes()
	if err != nil || len(changes) != 1 {
		t.Fatalf("the right edit: %v, %v", changes, err)
	}
	for name, after := range map[string]string{
		"an element":  "<s>\n<param name=\"a\" value=\"new\"/>\n<param name=\"b\" value=\"1\"/></s>\n",
		"one in it":   "<s>\n<param name=\"a\" value=\"new\"><x/></param>\n</s>\n",
		"two of them": "<s>\n<param name=\"a\" value=\"new\"/>\n<x/><y/></s>\n",
	} {
		ch := changes[0]
		ch.After = []byte(after)
		if err := right.verify([]Change{ch}, right.patches()); err == nil || !strings.Contains(err.Error(), "would appear") {
			t.Errorf("%s appears: %v", name, err)
		}
		if err := verifyFile(ch, right.patches()[0]); err == nil {
			t.Errorf("%s is taken for right in the file", name)
		}
	}
	for name, more := range map[string]string{"a comment": "<!-- x -->\n", "an element": "<t/>\n", "text": "x\n"} {
		ch := changes[0]
		ch.After = append(slices.Clone(ch.After), more...)
		if err := verifyFile(ch, right.patches()[0]); err == nil || !strings.Contains(err.Error(), "the XML would go on otherwise than asked") {
			t.Errorf("%s goes on: %v", name, err)
		}
	}
}
