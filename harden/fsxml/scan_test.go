package fsxml

import (
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/beevik/etree"
)

// show writes elements in one line: tag{attr=value}(children)"text".
func show(list []*etree.Element) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString(e.FullTag())
		for _, a := range e.Attr {
			fmt.Fprintf(&b, "{%s=%s}", a.FullKey(), a.Value)
		}
		var text strings.Builder
		for _, c := range e.Child {
			if t, ok := c.(*etree.CharData); ok {
				text.WriteString(t.Data)
			}
		}
		if text.Len() > 0 {
			fmt.Fprintf(&b, "%q", text.String())
		}
		if kids := e.ChildElements(); len(kids) > 0 {
			b.WriteString("(" + show(kids) + ")")
		}
	}
	return b.String()
}

// What FreeSWITCH's parser makes of a document.
func TestParser(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		{"either quote", `<d a="1" b='2'/>`, "d{a=1}{b=2}"},
		{"quotes in quotes", `<d a='"' b="'"/>`, `d{a="}{b='}`},
		{"any spacing", "<d\n\ta\n=\t'1'  b = '2'c='3'\n/>", "d{a=1}{b=2}{c=3}"},
		{"< and > in a value", `<d a="<e>"/>`, "d{a=<e>}"},
		{"no value, no quotes", `<d a b=c e=""/>`, "d{a=}{b=}{c=}{e=}"},
		{"the first of two", `<d a="1" a="2"/>`, "d{a=1}"},
		{"entities", `<d a="&amp;lt;&lt;&gt;&quot;&apos;&#65;&#x42;&#xe9;&#x1F600;"/>`, `d{a=&lt;<>"'ABé😀}`},
		{"unknown entities stay", `<d a="&foo; & &#; &#x; &#0; &#65 &#12a;"/>`, "d{a=&foo; & &#; &#x; &#0; &#65 &#12a;}"},
		{"white space in a value", "<d a=\"1\r\n2\t3&#10;4\"/>", "d{a=1 2 3\n4}"},
		{"text", "<d> a&amp;b\r\nc<e/>d</d>", `d" a&b\ncd"(e)`},
		{"CDATA", "<d><![CDATA[<a>&amp;]]></d>", `d"<a>&amp;"`},
		{"comments", "<!-- <x> --><d><!-- <e/> --><f/></d><!-- -->", "d(f)"},
		{"document type", "<!DOCTYPE d><d/>", "d"},
		{"text outside", "\ufeffa<d/>b", "d"},
		{"words in a closing tag", "<d><e></e f></d>", `d">"(e)`},
		{"its last byte is lost", "<d/> <", "d"},
		{"names", "<d><_a/><b:c/><é/></d>", "d(_ab:cé)"},
		{"invalid UTF-8", "<!-- \xff --><d a=\"\xfe\">\xfd</d>", "d{a=\xfe}\"\\xfd\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := load(t, files{conf + "/freeswitch.xml": tt.doc})
			if got := show(c.Elements("")); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// What FreeSWITCH refuses is refused, and the person is sent to the right line
// of the right file.
func TestParserRefuses(t *testing.T) {
	tests := []struct{ name, doc, want string }{
		{"nothing", "", "freeswitch.xml:1: there is no element"},
		{"text only", "a\nb\n", "freeswitch.xml:1: there is no element"},
		{"never closed", "<d>\n<e>\n</e>\n", "freeswitch.xml:1: the tag <d> is never closed"},
		{"wrong closing tag", "<d>\n<e>\n</d>\n", "freeswitch.xml:3: the tag </d> stands where </e> is due"},
		{"two roots", "<d/>\n<e/>\n", "freeswitch.xml:2: the tag <e> stands outside the outermost element"},
		{"closes nothing", "<d/>\n</d>\n", "freeswitch.xml:2: the tag </d> closes nothing"},
		{"no >", "<d>\n<e /f></d>", "freeswitch.xml:2: the tag <e> is not closed by >"},
		{"no quote", "<d>\n<e\na='1></d>", "freeswitch.xml:3: the value of a is not closed by '"},
		{"-- in a comment", "<d>\n<!-- a -- b --></d>", "freeswitch.xml:2: a comment holds --"},
		{"open comment", "<d>\n<!-- a </d>", "freeswitch.xml:2: the comment is not closed"},
		{"open CDATA", "<d>\n<![CDATA[ </d>", "freeswitch.xml:2: <![CDATA[ is not closed"},
		{"a bare <", "<d>\n< e/></d>", "freeswitch.xml:2: a < that begins nothing"},
		{"definitions", "<!DOCTYPE d [<!ENTITY e 'f'>]><d/>", "freeswitch.xml:1: a DOCTYPE with definitions"},
		{"UTF-16", "\xff\xfe<\x00d\x00", "freeswitch.xml:1: the configuration begins like UTF-16"},
		{"<?>", `<X-PRE-PROCESS cmd="set" data="q=?"/>` + "\n<d>\n<$${q}>\n</d>", "freeswitch.xml:3: <? is not closed"},
		{"opened in an included file", "<d>\n" + `<X-PRE-PROCESS cmd="include" data="b.xml"/>` + "\n</d>", "freeswitch.xml:3: the tag </d> stands where </e> is due, for the tag opened at " + conf + "/b.xml:2"},
		{"in an included file", "<d>\n" + `<X-PRE-PROCESS cmd="include" data="a.xml"/>` + "\n</d>", "a.xml:2: the tag </f> stands where </e> is due"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := files{"freeswitch.xml": tt.doc, "a.xml": "<e>\r\n</f>\r\n", "b.xml": "\n<e>\n"}
			_, err := Load(tree.under(conf), conf)
			if err == nil || !strings.HasPrefix(err.Error(), conf+"/"+tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// A file that is there and cannot be read must not be passed over; what
// FreeSWITCH opens in vain is.
func TestUnreadable(t *testing.T) {
	tree := files{
		"freeswitch.xml": "<d>\n<X-PRE-PROCESS cmd=\"include\" data=\"sub/../*.inc\"/>\n</d>",
		"a.inc":          "<a/>", "b.inc": "<b/>",
	}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"a folder", &fs.PathError{Op: "read", Path: "a.inc", Err: syscall.EISDIR}, ""},
		{"a dangling link", fs.ErrNotExist, ""},
		{"forbidden", fs.ErrPermission, conf + "/freeswitch.xml:2: read the configuration file " + conf + "/a.inc: permission denied"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Load(broken{tree.under(conf), tt.err}, conf)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				return
			}
			ok(t, err)
			if got := show(c.Elements("")); got != "d\"\\n\"(b)" {
				t.Errorf("read %s", got)
			}
		})
	}
	link := linked{tree.under(conf)}
	if _, err := Load(link, conf); err == nil || !strings.Contains(err.Error(), "a symbolic link stands before the `..`") {
		t.Errorf("a.inc is another file by its clean name: %v", err)
	}
}

// broken fails to read a.inc, linked knows it by the name with `..` only.
type broken struct {
	files
	err error
}

func (b broken) ReadFile(name string) ([]byte, error) {
	if strings.HasSuffix(name, "/a.inc") {
		return nil, b.err
	}
	return b.files.ReadFile(name)
}

type linked struct{ files }

func (l linked) ReadFile(name string) ([]byte, error) {
	switch name {
	case conf + "/a.inc":
		return nil, fs.ErrNotExist
	case conf + "/sub/../a.inc":
		name = conf + "/b.inc"
	}
	return l.files.ReadFile(name)
}
