package fsxml

import (
	"strings"
	"testing"
)

// What goes with a parameter, and what stays.
func TestRemoveParam(t *testing.T) {
	tests := []struct{ name, before, after, fault string }{
		{"with its line", "\n  <param name=\"a\" value=\"1\"/>\n  <param name=\"p\" value=\"old\"/>\n  <!-- c -->\n", "\n  <param name=\"a\" value=\"1\"/>\n  <!-- c -->\n", ""},
		{"as its lines end", "\r\n\t<param name='a'/>\r\n\t<param name='p' value='old'/>\r\n", "\r\n\t<param name='a'/>\r\n", ""},
		{"blanks behind it", "\n<param name=\"p\" value=\"old\"/>  \n<param name='a'/>\n", "\n<param name='a'/>\n", ""},
		{"a tag over lines", "\n<param\n name=\"p\"\n value=\"old\"\n/>\n<param name='a'/>\n", "\n<param name='a'/>\n", ""},
		{"not what shares its line", "<param name='a'/><param name='p' value='old'/> <b/>", "<param name='a'/> <b/>", ""},
		{"not a comment behind it", "\n<param name='p' value='old'/> <!-- c -->\n", "\n <!-- c -->\n", ""},
		{"every occurrence, in any case", "\n<param name='p' value='old'/>\n<param name='a'/>\n<param name='P' value='old'/>\n", "\n<param name='a'/>\n", ""},
		{"written otherwise", "<param value=\"&#111;ld\" name='&#112;'/>", "", ""},
		{"a variable has the value", "<param name='p' value='$${o}'/>", "", ""},
		{"not another value", "<param name='p' value='other'/>", "<param name='p' value='other'/>", ""},
		{"not another parameter", "<param name='q' value='old'/>", "<param name='q' value='old'/>", ""},
		{"not in a comment", "<!-- <param name='p' value='old'/> -->", "<!-- <param name='p' value='old'/> -->", ""},
		{"a closing tag", "<param name='p' value='old'>text</param>", "", "f.xml:4: the tag <param> is not closed by />; remove it by hand"},
		{"made by a variable", "$${tag}", "", "made by a $${variable}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wrap := func(s string) string {
				return "<X-PRE-PROCESS cmd=\"set\" data=\"o=old\"/>\n<X-PRE-PROCESS cmd=\"set\" data=\"tag=<param name='p' value='old'/>\"/>\n<c>\n<settings>" + s + "</settings>\n</c>\n"
			}
			c, err := Parse("/f.xml", []byte(wrap(tt.before)))
			ok(t, err)
			e := c.Edit()
			err = e.RemoveParam("c/settings", "p", "old")
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("got %v, want %s", err, tt.fault)
				}
				if _, err := e.Changes(); err == nil {
					t.Error("there are changes after the error")
				}
				return
			}
			ok(t, err)
			if got := after(t, e); got != wrap(tt.after) {
				t.Errorf("got\n%q\nwant\n%q", got, wrap(tt.after))
			}
		})
	}
}

// What SetParam puts in, RemoveParam takes out again, byte for byte.
func TestRemoveWhatWasSet(t *testing.T) {
	for _, before := range []string{
		"<c><settings>\n  <param name='a' value='1'/>\n\n  <!-- b -->\n</settings></c>",
		"<c>\r\n\t<settings>\r\n\t\t<param name='a'/> <!-- b -->\r\n\t</settings>\r\n</c>",
		"<c><settings><param name='a'/><b/></settings></c>",
	} {
		c, err := Parse("/f.xml", []byte(before))
		ok(t, err)
		e := c.Edit()
		ok(t, e.SetParam("c/settings", "p", "new"))
		set := after(t, e)
		e = e.After().Edit()
		ok(t, e.RemoveParam("c/settings", "p", "new"))
		if got := after(t, e); got != before || set == before {
			t.Errorf("got %q by way of %q, want %q", got, set, before)
		}
	}
}

// A file that stands in two places loses nothing where nobody asked for it.
func TestRemoveFromAFileReadTwice(t *testing.T) {
	src := files{
		"/c/freeswitch.xml": "<d><a>\n<X-PRE-PROCESS cmd=\"include\" data=\"p.xml\"/>\n</a><b>\n<X-PRE-PROCESS cmd=\"include\" data=\"p.xml\"/>\n</b></d>\n",
		"/c/p.xml":          "<settings><param name='p' value='old'/></settings>\n",
	}
	c, err := Load(src, "/c")
	ok(t, err)
	e := c.Edit()
	ok(t, e.RemoveParam("a/settings", "p", "old"))
	if _, err := e.Changes(); err == nil {
		t.Error("the other place lost it too")
	}
	ok(t, e.RemoveParam("b/settings", "p", "old"))
	changes, err := e.Changes()
	if err != nil || len(changes) != 1 || string(changes[0].After) != "<settings></settings>\n" {
		t.Errorf("got %v, %v", changes, err)
	}
}
