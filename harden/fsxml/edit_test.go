package fsxml

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Where a value stands, and what its bytes become.
func TestSetParam(t *testing.T) {
	const in = "<settings>\n" // to make the cases short
	tests := []struct {
		name   string
		value  string
		before string
		after  string
	}{
		{"double quotes", "new", `<param name="p" value="old"/>`, `<param name="p" value="new"/>`},
		{"single quotes", "new", `<param name='p' value='old'/>`, `<param name='p' value='new'/>`},
		{"value first", "new", `<param value="old" name="p" />`, `<param value="new" name="p" />`},
		{"other attributes", "new", `<param x="old" value="old" name="p" y="old"/>`, `<param x="old" value="new" name="p" y="old"/>`},
		{"over lines", "new", "<param\r\n\tname\t=\t\"p\"\r\n\tvalue = \"old\"\r\n/>", "<param\r\n\tname\t=\t\"p\"\r\n\tvalue = \"new\"\r\n/>"},
		{"a value over lines", "new", "<param name=\"p\" value=\"o\nl\nd\"/>", `<param name="p" value="new"/>`},
		{"a byte order mark", "new", "\ufeff<param name=\"p\" value=\"old\"/>", "\ufeff<param name=\"p\" value=\"new\"/>"},
		{"entities in the old value", "new", `<param name="p" value="&lt;&#65;&foo;"/>`, `<param name="p" value="new"/>`},
		{"entities in the name", "new", `<param name="&#112;" value="old"/>`, `<param name="&#112;" value="new"/>`},
		{"escaped in double quotes", `<&>"'`, `<param name="p" value=""/>`, `<param name="p" value="&lt;&amp;&gt;&quot;'"/>`},
		{"escaped in single quotes", `<&>"'`, `<param name="p" value=''/>`, `<param name="p" value='&lt;&amp;&gt;"&#39;'/>`},
		{"the same already", "old", `<param name="p" value="old"/>`, `<param name="p" value="old"/>`},
		{"the same, written otherwise", "a b", `<param name="p" value="&#97;` + "\t" + `b"/>`, `<param name="p" value="&#97;` + "\t" + `b"/>`},
		{"to nothing", "", `<param name="p" value="old"/>`, `<param name="p" value=""/>`},
		{"a closing tag", "new", `<param name="p" value="old">old</param>`, `<param name="p" value="new">old</param>`},
		{"no value", "new", `<param name='p'/>`, `<param name='p' value='new'/>`},
		{"every occurrence, in any case", "new", `<param name="p" value="1"/><param name="P" value="2"/>`, `<param name="p" value="new"/><param name="P" value="new"/>`},
		{"not in a comment", "new", `<!-- <param name="p" value="old"/> --><param name="p" value="old"/>`, `<!-- <param name="p" value="old"/> --><param name="p" value="new"/>`},
		{"invalid UTF-8 beside it", "new", "<!-- \xff --><param name=\"p\" value=\"\xff\"/>", "<!-- \xff --><param name=\"p\" value=\"new\"/>"},
		{"a variable in it", "new", `<param name="p" value="a$${x}b"/>`, `<param name="p" value="new"/>`},
		{"nothing but a variable", "new", `<param name="p" value="$${x}"/>`, `<param name="p" value="new"/>`},
		{"an empty variable", "new", `<param name="p" value="$${e}"/>`, `<param name="p" value="new"/>`},
		{"an unknown variable", "new", `<param name="p" value="$${local_ip_v4}"/>`, `<param name="p" value="new"/>`},
		{"a variable beside it", "new", `<param name="p" x="$${x}" value="old" y="$${x}"/>`, `<param name="p" x="$${x}" value="new" y="$${x}"/>`},
		{"a variable has the value already", "X", `<param name="p" value="$${x}"/>`, `<param name="p" value="$${x}"/>`},
		{"words without a value", "new", `<param "q" name="p" value="old" a=<b&c d />`, `<param "q" name="p" value="new" a=<b&c d />`},
		{"a < in a value", "new", `<param x="<" name="p" value="old"/>`, `<param x="<" name="p" value="new"/>`},

		{"inserted after the last", "new", in + "  <param name=\"a\" value=\"1\"/>\n\n  <!-- c -->\n", in + "  <param name=\"a\" value=\"1\"/>\n  <param name=\"p\" value=\"new\"/>\n\n  <!-- c -->\n"},
		{"as its lines end", "new", "<settings>\r\n\t<param name='a' value='1'/>\r\n", "<settings>\r\n\t<param name='a' value='1'/>\r\n\t<param name=\"p\" value=\"new\"/>\r\n"},
		{"behind its comment", "new", in + " <param name='a'/> <!-- c --><!-- d -->\n", in + " <param name='a'/> <!-- c --><!-- d -->\n <param name=\"p\" value=\"new\"/>\n"},
		{"before a comment over lines", "new", in + " <param name='a'/> <!--\n c -->\n", in + " <param name='a'/>\n <param name=\"p\" value=\"new\"/> <!--\n c -->\n"},
		{"after the end of a long one", "new", in + " <param\n  name='a'\n />\n", in + " <param\n  name='a'\n />\n <param name=\"p\" value=\"new\"/>\n"},
		{"all on one line", "new", "<settings><param name='a'/><b/></settings>", "<settings><param name='a'/><param name=\"p\" value=\"new\"/><b/></settings>"},
		{"before text", "new", in + " <param name='a'/>\n text\n", in + " <param name='a'/>\n <param name=\"p\" value=\"new\"/>\n text\n"},
		{"into an empty element", "new", "  <settings>\n  </settings>", "  <settings>\n    <param name=\"p\" value=\"new\"/>\n  </settings>"},
		{"with tabs", "new", "\t<settings>\n\t</settings>", "\t<settings>\n\t\t<param name=\"p\" value=\"new\"/>\n\t</settings>"},
		{"on one line", "new", "  <settings></settings>", "  <settings>\n    <param name=\"p\" value=\"new\"/>\n  </settings>"},
		{"without a closing tag", "new", "  <settings a='b' />\n", "  <settings a='b'>\n    <param name=\"p\" value=\"new\"/>\n  </settings>\n"},
		{"of a row", "new", "<x/><settings/><y/>", "<x/><settings><param name=\"p\" value=\"new\"/></settings><y/>"},
		{"before what is not a parameter", "new", "<settings>\n<other/>\n</settings>", "<settings>\n  <param name=\"p\" value=\"new\"/>\n<other/>\n</settings>"},
		{"escaped", `"<`, "<settings/>", "<settings>\n  <param name=\"p\" value=\"&quot;&lt;\"/>\n</settings>"},

		{"in every settings", "new", "<settings>\n<param name='p' value='1'/>\n</settings><settings><param name='p' value='2'/></settings>", "<settings>\n<param name='p' value='new'/>\n</settings><settings><param name='p' value='new'/></settings>"},
		{"inserted into the first", "new", "<settings>\n<param name='a'/>\n</settings><settings><param name='p' value='2'/></settings><settings/>", "<settings>\n<param name='a'/>\n<param name=\"p\" value=\"new\"/>\n</settings><settings><param name='p' value='new'/></settings><settings/>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wrap := func(s string) string {
				switch {
				case strings.HasPrefix(s, in) && !strings.Contains(s, "</settings>"), strings.HasPrefix(s, "<settings>\r"):
					s += "</settings>"
				case !strings.Contains(s, "<settings"):
					s = "<settings>" + s + "</settings>"
				}
				return "<X-PRE-PROCESS cmd=\"set\" data=\"x=X\"/>\n<X-PRE-PROCESS cmd=\"set\" data=\"e=\"/>\n<c>\n" + s + "\n</c>\n"
			}
			c, err := Parse("/f.xml", []byte(wrap(tt.before)))
			ok(t, err)
			e := c.Edit()
			ok(t, e.SetParam("c/settings", "p", tt.value))
			if got := after(t, e); got != wrap(tt.after) {
				t.Errorf("got\n%q\nwant\n%q", got, wrap(tt.after))
			}
		})
	}
}

// after applies the edits of a single file.
func after(t testing.TB, e *Editor) string {
	t.Helper()
	changes, err := e.Changes()
	ok(t, err)
	if len(changes) == 0 {
		return string(e.c.files[0].data)
	}
	if len(changes) > 1 || string(changes[0].Before) != string(e.c.files[0].data) {
		t.Fatalf("changes of other files: %v", changes)
	}
	return string(changes[0].After)
}

func TestSetVar(t *testing.T) {
	tests := []struct{ name, before, after string }{
		{"a tag", `<X-PRE-PROCESS cmd="set" data="v=old"/>`, `<X-PRE-PROCESS cmd="set" data="v=new"/>`},
		{"another name, for its blank", `<X-PRE-PROCESS cmd="set" data=" v=old"/>`, ""},
		{"blanks", `<X-PRE-PROCESS cmd="set" data="v  =  old "/>`, `<X-PRE-PROCESS cmd="set" data="v  =  new"/>`},
		{"any case", `  <x-pre-process  CMD = "SET"  x='y' data = "V=old"/> b`, `  <x-pre-process  CMD = "SET"  x='y' data = "V=new"/> b`},
		{"in a comment", `<!-- <X-PRE-PROCESS cmd="set" data="v=old"/> -->` + "\n -->", `<!-- <X-PRE-PROCESS cmd="set" data="v=new"/> -->` + "\n -->"},
		{"a comment directive", `<!--#set "v=old"-->`, `<!--#set "v=new"-->`},
		{"without quotes", `<!--#set v=old-->`, `<!--#set v=new-->`},
		{"every one", "<X-PRE-PROCESS cmd=\"set\" data=\"v=1\"/>\n<X-PRE-PROCESS cmd=\"set\" data=\"v=2\"/>", "<X-PRE-PROCESS cmd=\"set\" data=\"v=new\"/>\n<X-PRE-PROCESS cmd=\"set\" data=\"v=new\"/>"},
		{"a variable in it", `<X-PRE-PROCESS cmd="set" data="v=a$${conf_dir}b"/>`, `<X-PRE-PROCESS cmd="set" data="v=new"/>`},
		{"set to nothing so far", `<X-PRE-PROCESS cmd="set" data="v="/>`, `<X-PRE-PROCESS cmd="set" data="v=new"/>`},
		{"used below", "<X-PRE-PROCESS cmd=\"set\" data=\"v=old\"/>\n<a b='$${v}'/>", "<X-PRE-PROCESS cmd=\"set\" data=\"v=new\"/>\n<a b='$${v}'/>"},
		{"used where it was empty", "<X-PRE-PROCESS cmd=\"set\" data=\"v=\"/>\n<a b='$${v}'/>", "<X-PRE-PROCESS cmd=\"set\" data=\"v=new\"/>\n<a b='$${v}'/>"},
		{"the same already", `<X-PRE-PROCESS cmd="set" data="v=new"/>`, `<X-PRE-PROCESS cmd="set" data="v=new"/>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse("/f.xml", []byte(tt.before))
			ok(t, err)
			e := c.Edit()
			if err = e.SetVar("v", "new"); tt.after == "" {
				if !errors.Is(err, ErrNotSet) {
					t.Error(err)
				}
				return
			}
			ok(t, err)
			if got := after(t, e); got != tt.after {
				t.Errorf("got\n%q\nwant\n%q", got, tt.after)
			}
		})
	}
}

func TestInsertVar(t *testing.T) {
	tests := []struct{ name, before, after string }{
		{"after the last", "<include>\r\n\t<X-PRE-PROCESS cmd=\"set\" data=\"a=1\"/> c\r\n <!--#set \"b=2\"-->\r\n", "<include>\r\n\t<X-PRE-PROCESS cmd=\"set\" data=\"a=1\"/> c\r\n\t<X-PRE-PROCESS cmd=\"set\" data=\"v=new\"/>\r\n <!--#set \"b=2\"-->\r\n"},
		{"at the end of the file", "<X-PRE-PROCESS cmd=\"set\" data=\"a=1\"/>", "<X-PRE-PROCESS cmd=\"set\" data=\"a=1\"/>\n<X-PRE-PROCESS cmd=\"set\" data=\"v=new\"/>"},
		{"the first one", "<include>\n</include>\n", "<include>\n  <X-PRE-PROCESS cmd=\"set\" data=\"v=new\"/>\n</include>\n"},
		{"now known", "<X-PRE-PROCESS cmd=\"set\" data=\"a=1\"/>\n<a b='$${v}'/>", "<X-PRE-PROCESS cmd=\"set\" data=\"a=1\"/>\n<X-PRE-PROCESS cmd=\"set\" data=\"v=new\"/>\n<a b='$${v}'/>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse("/f.xml", []byte(tt.before))
			ok(t, err)
			e := c.Edit()
			ok(t, e.InsertVar("/f.xml", "v", "old"))
			ok(t, e.InsertVar("/f.xml", "v", "new"))
			if got := after(t, e); got != tt.after {
				t.Errorf("got\n%q\nwant\n%q", got, tt.after)
			}
		})
	}
}

func TestLastRequestCounts(t *testing.T) {
	const before = "<s>\n<param name='a' value='1'/>\n</s>\n"
	c, err := Parse("/f.xml", []byte(before))
	ok(t, err)
	e := c.Edit()
	ok(t, e.SetParam("s", "a", "2"))
	ok(t, e.SetParam("s", "b", "2"))
	ok(t, e.SetParam("s", "a", "1"))
	ok(t, e.SetParam("s", "b", "3"))
	ok(t, e.SetParam("s", "c", "4"))
	want := "<s>\n<param name='a' value='1'/>\n<param name=\"b\" value=\"3\"/>\n<param name=\"c\" value=\"4\"/>\n</s>\n"
	if got := after(t, e); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// mod_event_socket wants the very name: another capitalisation is set, and the
// parameter put in all the same.
func TestCapitalPassword(t *testing.T) {
	const before = "<document><section name='configuration'><configuration name='event_socket.conf'><settings>\n<param name='PASSWORD' value='old'/>\n</settings></configuration></section></document>"
	c, err := Parse("/f.xml", []byte(before))
	ok(t, err)
	e := c.Edit()
	ok(t, e.SetParam(EventSocket(), "password", "new"))
	want := strings.Replace(before, "'old'/>", "'new'/>\n<param name=\"password\" value=\"new\"/>", 1)
	if got := after(t, e); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A shared file gives one profile the value already, the other not: the edit
// the other needs must stay.
func TestSharedFile(t *testing.T) {
	set := func(v string) string {
		return "<X-PRE-PROCESS cmd=\"set\" data=\"v=" + v + "\"/>\n<X-PRE-PROCESS cmd=\"include\" data=\"s.xml\"/>\n"
	}
	e := load(t, files{
		"freeswitch.xml": "<document><section name='configuration'><configuration name='sofia.conf'><profiles>\n" + set("1") + set("2") + "</profiles></configuration></section></document>",
		"s.xml":          "<profile name='$${v}'><settings><param name='p' value='$${v}'/></settings></profile>\n",
	}.under(conf)).Edit()
	ok(t, e.SetParam(Profile("1"), "p", "2"))
	ok(t, e.SetParam(Profile("2"), "p", "2"))
	changes, err := e.Changes()
	ok(t, err)
	if want := "<profile name='$${v}'><settings><param name='p' value='2'/></settings></profile>\n"; len(changes) != 1 || string(changes[0].After) != want {
		t.Errorf("got %s", changes)
	}
}

// Edits across files: what is shared, what is out of FreeSWITCH's sight.
func TestEditTree(t *testing.T) {
	c := load(t, sofia)
	e := c.Edit()
	ok(t, e.SetParam(EventSocket(), "password", "new"))
	ok(t, e.SetParam(Profile("a"), "context", "safe"))
	ok(t, e.SetParam(Profile("b"), "context", "safe"))
	ok(t, e.SetParam(Profile("b"), "sip-port", "5080"))
	ok(t, e.SetVar("port", "5070"))
	changes, err := e.Changes()
	ok(t, err)
	tree := files{}
	for name, text := range sofia {
		tree[name] = text
	}
	old := map[string][]string{}
	for _, ch := range changes {
		tree[ch.Path] = string(ch.After)
		old[ch.Path] = ch.Old
	}
	if got, want := old[conf+"/conf/event_socket.xml"], []string{"a&amp;b", "a&b", "capital", "second configuration", "second settings", "x"}; !slices.Equal(got, want) {
		t.Errorf("replaced %q, want %q", got, want)
	}
	now := load(t, tree)
	if got, _ := now.Value(EventSocket(), "password"); got != "new" {
		t.Errorf("the password is %q", got)
	}
	if left := strings.Count(tree[conf+"/conf/event_socket.xml"], "new"); left != 5 {
		t.Errorf("the password stands %d times, want 5:\n%s", left, tree[conf+"/conf/event_socket.xml"])
	}
	for _, name := range []string{"a", "b"} {
		if got, _ := now.Value(Profile(name), "context"); got != "safe" {
			t.Errorf("context of %s: %q", name, got)
		}
	}
	if got, _ := now.Value(Profile("a"), "sip-port"); got != "5070" {
		t.Errorf("the port of a is %q", got)
	}
	if got, _ := now.Value(Profile("b"), "sip-port"); got != "5080" {
		t.Errorf("the port of b is %q", got)
	}
}

func TestRefused(t *testing.T) {
	const vars = `<document>
<X-PRE-PROCESS cmd="set" data="attr=value='1'"/>
<X-PRE-PROCESS cmd="set" data="tag=<settings></settings>"/>
<X-PRE-PROCESS cmd="set" data="open=cut
<X-PRE-PROCESS cmd="exec-set" data="run=date"/>
<X-PRE-PROCESS cmd="set" data="port=1"/>
<X-PRE-PROCESS cmd="set" data="file=b.xml"/>
<section name="configuration"><configuration name="sofia.conf"><profiles>
`
	src := files{
		"freeswitch.xml": vars + `<profile name="tag">$${tag}</profile>
<profile name="attr"><settings><param name="p" $${attr}/></settings></profile>
<profile name="bare"><settings><param name="p" value=1/></settings></profile>
<profile name="pieces"><settings><param name="p" value="
<X-PRE-PROCESS cmd="include" data="b.xml"/>
"/></settings></profile>
<profile name="one"><X-PRE-PROCESS cmd="include" data="$${file}"/>
<X-PRE-PROCESS cmd="include" data="shared.xml"/>
</profile><profile name="two">
<X-PRE-PROCESS cmd="include" data="shared.xml"/>
</profile>
</profiles></configuration></section></document>
`,
		"b.xml":      "b",
		"shared.xml": "<settings>\n<param name='p' value='1'/>\n</settings>\n",
	}
	// The line of profile one is a directive, so the profile needs its tag.
	src["freeswitch.xml"] = strings.Replace(src["freeswitch.xml"], `<profile name="one"><X`, "<profile name=\"one\">\n<X", 1)
	tests := []struct {
		name string
		edit func(*Editor) error
		want string
		late bool // found by Changes
	}{
		{"no such profile", func(e *Editor) error { return e.SetParam(Profile("none"), "p", "2") }, "no such place", false},
		{"no place", func(e *Editor) error { return e.SetParam("", "p", "2") }, "no such place", false},
		{"settings out of a variable", func(e *Editor) error { return e.SetParam(Profile("tag"), "p", "2") }, "freeswitch.xml:9: the tag <settings> is made by", false},
		{"a value out of a variable", func(e *Editor) error { return e.SetParam(Profile("attr"), "p", "2") }, "freeswitch.xml:10: the tag <param> is made by", false},
		{"no quotes", func(e *Editor) error { return e.SetParam(Profile("bare"), "p", "2") }, "freeswitch.xml:11: the value stands without quotes", false},
		{"pieces of several files", func(e *Editor) error { return e.SetParam(Profile("pieces"), "p", "2") }, "freeswitch.xml:12: the tag <param> is made", false},
		{"a file that another profile shares", func(e *Editor) error { return e.SetParam(Profile("one"), "p", "2") }, "would change too, as the same file is included twice", true},
		{"an insertion into a shared file", func(e *Editor) error { return e.SetParam(Profile("one"), "q", "2") }, "would appear here too", true},
		{"two values for one place", func(e *Editor) error {
			return errors.Join(e.SetParam(Profile("one"), "p", "2"), e.SetParam(Profile("two"), "p", "3"))
		}, "another value than asked", true},
		{"a newline", func(e *Editor) error { return e.SetParam(Profile("two"), "p", "a\nb") }, "control character", false},
		{"a reference", func(e *Editor) error { return e.SetParam(Profile("two"), "p", "$${x}") }, "$${", false},
		{"a directive", func(e *Editor) error { return e.SetParam(Profile("two"), "p", "x-Pre-Process") }, "x-pre-process", false},
		{"an <include>", func(e *Editor) error { return e.SetParam(Profile("two"), "p", "<include>") }, "<include>", false},
		{"invalid UTF-8", func(e *Editor) error { return e.SetParam(Profile("two"), "p", "\xff") }, "UTF-8", false},
		{"no name", func(e *Editor) error { return e.SetParam(Profile("two"), "", "1") }, "no name for a parameter", false},

		{"not set", func(e *Editor) error { return e.SetVar("nothing", "1") }, "not set anywhere", false},
		{"a command", func(e *Editor) error { return e.SetVar("run", "1") }, "freeswitch.xml:5: exec-set gives the value", false},
		{"no closing quote", func(e *Editor) error { return e.SetVar("open", "1") }, "freeswitch.xml:4: the value is made by", false},
		{"a quote", func(e *Editor) error { return e.SetVar("port", `a"b`) }, "which would end it", false},
		{"an end", func(e *Editor) error { return e.SetVar("port", "a/>b") }, "which would end it", false},
		{"a blank", func(e *Editor) error { return e.SetVar("port", " a") }, "begins with a blank", false},
		{"a run-time reference", func(e *Editor) error { return e.SetVar("port", "${a}") }, "holds ${", false},
		{"other files", func(e *Editor) error { return e.SetVar("file", "shared.xml") }, "would", true},
		{"other elements", func(e *Editor) error { return e.SetVar("tag", "<settings><q></q></settings>") }, "would", true},
		{"a broken document", func(e *Editor) error { return e.SetVar("tag", "<settings>") }, "FreeSWITCH would no longer read it: " + conf + "/freeswitch.xml:9", true},
		{"a bad name", func(e *Editor) error { return e.InsertVar(conf+"/b.xml", "a=b", "1") }, "no name for a variable", false},
		{"an unknown file", func(e *Editor) error { return e.InsertVar("/none", "a", "1") }, "not part of the configuration", false},
		{"a file without a place", func(e *Editor) error { return e.InsertVar(conf+"/b.xml", "a", "1") }, "no </include>", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := load(t, src.under(conf)).Edit()
			err := tt.edit(e)
			if tt.late {
				ok(t, err)
			}
			changes, late := e.Changes()
			if tt.late {
				err = late
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if changes != nil {
				t.Errorf("an error, and changes: %v", changes)
			}
		})
	}
}
