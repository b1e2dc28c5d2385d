package fsxml

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The rules of the line preprocessor, one by one. `main` is freeswitch.xml.
func TestPreprocess(t *testing.T) {
	const set = `<X-PRE-PROCESS cmd="set" data="x=1"/>` + "\n"
	long := strings.Repeat("v", 500)
	tests := []struct {
		name string
		main string
		want string // of the document, inside <d>
	}{
		{"text stays", "<a b='1'>\r\n text</a>\n", "<a b='1'>\r\n text</a>\n"},
		{"a variable", set + "<a b=\"$${x}\"/>\n", "<a b=\"1\"/>\n"},
		{"its name in any case", set + "$${X}\n", "1\n"},
		{"twice on a line", set + "$${x}-$${x}\n", "1-1\n"},
		{"not known before it is set", "$${x}\n" + set, "$${x}\n"},
		{"the last set wins", set + strings.Replace(set, "1", "2", 1) + "$${x}\n", "2\n"},
		{"set to nothing", `<X-PRE-PROCESS cmd="set" data="x="/>` + "\n[$${x}]\n", "[]\n"},
		{"values are not expanded again", set + "<X-PRE-PROCESS cmd=\"set\" data=\"y=a$${x}b\"/>\n$${y}\n", "a1b\n"},
		{"what is no name vanishes", "[$${a b}]\n", "[]\n"},
		{"known at run time only", "$${local_ip_v4}\n", "$${local_ip_v4}\n"},
		{"conf_dir is known", "$${conf_dir}\n", conf + "\n"},
		{"a reference without end", "a $${x <b/>\n", "a $${x <b/>\n"},
		{"run-time variables are disarmed", `<X-PRE-PROCESS cmd="set" data="x=${uuid} $5 {y}"/>` + "\n$${x}\n", "%{uuid} $5 {y}\n"},

		{"<include> drops the line", "a\n<include> b\n</include>\nc\n", "a\nc\n"},
		{"so does <?", "a <?xml?> b\nc\n", "c\n"},
		{"but not what differs in case", "<INCLUDE></INCLUDE>\n", "<INCLUDE></INCLUDE>\n"},
		{"nor <include with attributes", "<include a='1'></include >\n", "<include a='1'></include >\n"},
		{"<include> before a variable", set + "<include> $${x}\nb\n", "b\n"},
		{"<include> after a variable is not seen", set + "$${x} <!-- <include> -->\n", "1 <!-- <include> -->\n"},
		{"even after an unknown one", "$${y} <!-- <include> -->\n", "$${y} <!-- <include> -->\n"},
		{"<? out of a variable is not seen", `<X-PRE-PROCESS cmd="set" data="q=<"/>` + "\n$${q}?p?>\n", "<?p?>\n"},
		{"a carriage return ends a line", "a\r<include>\rb\r\n", "a\rb\r\n"},
		{"a zero byte ends what is read of it", "a\x00b\nc\n", "ac\n"},

		{"in any case", `<x-Pre-Process CMD="SET" dAta="x=1"/>` + "\n$${x}\n", "1\n"},
		{"inside an XML comment", "<!-- " + set + "-->\n$${x}\n", "-->\n1\n"},
		{"the rest of the line is lost", "a " + `<X-PRE-PROCESS cmd="set" data="x=1"/> <b/>` + "\n$${x}\n", "1\n"},
		{"one on a line", `<X-PRE-PROCESS cmd="set" data="x=1"/><X-PRE-PROCESS cmd="set" data="x=2"/>` + "\n$${x}\n", "1\n"},
		{"without < the line is lost", "see X-PRE-PROCESS here\nb\n", "b\n"},
		{"a space after < too", `< X-PRE-PROCESS cmd="set" data="x=1"/>` + "\n$${x}\n", "$${x}\n"},
		{"X-NO-PRE-PROCESS is another tag", "<X-NO-PRE-PROCESS cmd=\"set\" data=\"x=1\"/>\n", "<X-NO-PRE-PROCESS cmd=\"set\" data=\"x=1\"/>\n"},
		{"data before cmd", `<X-PRE-PROCESS data="x=1" cmd="set"/>` + "\n$${x}\n", "$${x}\n"},
		{"single quotes", `<X-PRE-PROCESS cmd='set' data='x=1'/>` + "\n$${x}\n", "$${x}\n"},
		{"an unknown command", `<X-PRE-PROCESS cmd="sets" data="x=1"/>` + "\n$${x}\n", "$${x}\n"},
		{"no entity is decoded", `<X-PRE-PROCESS cmd="set" data="x=&gt;2"/>` + "\n$${x}\n", "&gt;2\n"},
		{"the value ends at the first quote", `<X-PRE-PROCESS cmd="set" data="x=a"b"/>` + "\n$${x}\n", "a\n"},
		{"and at />", `<X-PRE-PROCESS cmd="set" data="x=a/>b"/>` + "\n$${x}\n", "a/>\n"},
		{"split at the first =", `<X-PRE-PROCESS cmd="set" data="x=a=b"/>` + "\n$${x}\n", "a=b\n"},
		{"blanks around the = do not count", `<X-PRE-PROCESS cmd="set" data="x  =  a "/>` + "\n[$${x}]\n", "[a ]\n"},
		{"blanks before the name do", `<X-PRE-PROCESS cmd="set" data=" x=a"/>` + "\n$${x}\n", "$${x}\n"},
		{"an open command", `<X-PRE-PROCESS cmd="set data=x=1/>` + "\n$${x}\n", "$${x}\n"},
		{"no = sets nothing", set + `<X-PRE-PROCESS cmd="set" data="x"/>` + "\n$${x}\n", "1\n"},
		{"a < never reaches the parser", `<X-PRE-PROCESS cmd="set" data="x=a<b"/>` + "\n", ""},
		{"the tag over two lines", "<X-PRE-PROCESS cmd=\"set\"\n data=\"x=1\"/>\n$${x}\n", " data=\"x=1\"/>\n$${x}\n"},

		{"exec-set is not run", `<X-PRE-PROCESS cmd="exec-set" data="x=echo 1"/>` + "\n$${x}\n", "$${x}\n"},
		{"and hides what was known", set + `<X-PRE-PROCESS cmd="stun-set" data="x=stun:a"/>` + "\n$${x}\n", "$${x}\n"},
		{"env-set needs a $", set + `<X-PRE-PROCESS cmd="env-set" data="x=HOME"/>` + "\n$${x}\n", "1\n"},
		{"env-set hides", set + `<X-PRE-PROCESS cmd="env-set" data="x=$HOME"/>` + "\n$${x}\n", "$${x}\n"},
		{"exec is not run", `<X-PRE-PROCESS cmd="exec" data="echo hi"/>` + "\n", ""},
		{"a list hides the variable", set + `<X-PRE-PROCESS cmd="set" data="x[1]=2"/>` + "\n$${x}\n", "$${x}\n"},

		{"#set", `a <!--#set "x=1"--> b` + "\n$${x}\n", "a  b\n1\n"},
		{"#set without quotes", "<!--#set x=1 -->[$${x}]\n[$${x}]\n", "[$${x}]\n[1 ]\n"},
		{"#SET", `<!--#SET "x = 1"-->` + "\n$${x}\n", "\n1\n"},
		{"#env-set does not exist", set + `<!--#env-set "x=$HOME"-->` + "\n$${x}\n", "\n1\n"},
		{"#comment over lines", "a <!--#comment b\nc\nd --> e\n", "a  e\n"},
		{"no directive in it", "<!--#comment\n" + set + "-->\n$${x}\n", "\n$${x}\n"},
		{"its end in a dropped line is not seen", "<!--#c\n<include> -->\nb\n-->c\n", "c\n"},
		{"what follows it is not expanded", set + "<!--#c\n--> $${x} b\nc\n", " $${xc\n"},
		{"the rest of the line goes before the file", "<!--#include \"none\"-->a\n", "a\n"},
		{"only the first on a line", `<!--#set "x=1"--><!--#set "x=2"-->` + "\n$${x}\n", "<!--#set \"x=2\"-->\n1\n"},
		{"as long as can be", "<X-PRE-PROCESS cmd=\"set\" data=\"x=" + strings.Repeat("v", 341) + "\"/>\n$${x}$${x}$${x}$${x}$${x}$${x}", strings.Repeat("v", 2046)},
		{"a long value", strings.ReplaceAll(set, "1", long) + "$${x}$${x}\n", long + long + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := preprocessor{
				src:    nowhere{},
				byName: map[string]int32{},
				vars:   map[string]string{"conf_dir": conf},
				refs:   map[string]bool{},
			}
			if err := p.run(p.add(conf+"/freeswitch.xml", []byte(tt.main)), conf, 0); err != nil {
				t.Fatal(err)
			}
			if string(p.out) != tt.want {
				t.Errorf("got  %q\nwant %q", p.out, tt.want)
			}
			checkSegments(t, &p)
		})
	}
}

// checkSegments proves the map: literal runs are what they say they are.
func checkSegments(t *testing.T, p *preprocessor) {
	t.Helper()
	for k, g := range p.segs {
		end := int32(len(p.out))
		if k+1 < len(p.segs) {
			end = p.segs[k+1].out
		}
		src := p.files[g.file].data[g.src : g.src+g.n]
		if g.literal && string(p.out[g.out:end]) != string(src) {
			t.Errorf("segment %d: %q is not %q", k, p.out[g.out:end], src)
		}
		if !g.literal && !strings.HasPrefix(string(src), "$${") {
			t.Errorf("segment %d: %q is no reference", k, src)
		}
	}
	if len(p.out) > 0 && (len(p.segs) == 0 || p.segs[0].out != 0) {
		t.Error("the map does not cover the document")
	}
}

func TestIncludes(t *testing.T) {
	include := func(what string) string { return `<X-PRE-PROCESS cmd="include" data="` + what + `"/>` + "\n" }
	tests := []struct {
		name string
		tree files
		want string
		read []string
	}{
		{"sorted, without hidden files", files{
			"freeswitch.xml": "<d>\n" + include("a/*.xml") + "</d>\n",
			"a/2.xml":        "<two/>\n", "a/1.xml": "<one/>\n", "a/.0.xml": "<zero/>\n", "a/3.txt": "<three/>\n",
		}, "<d>\n<one/>\n<two/>\n</d>\n", []string{"freeswitch.xml", "a/1.xml", "a/2.xml"}},
		{"relative to the including file", files{
			"freeswitch.xml": "<d>\n" + include("a/b.xml") + "</d>\n",
			"a/b.xml":        include("c.xml") + include("../e.xml"),
			"a/c.xml":        "<c/>\n", "e.xml": "<e/>\n",
		}, "<d>\n<c/>\n<e/>\n</d>\n", []string{"freeswitch.xml", "a/b.xml", "a/c.xml", "e.xml"}},
		{"absolute", files{
			"freeswitch.xml": "<d>\n" + include(conf+"/a/b.xml") + include("$${conf_dir}/a/b.xml") + "</d>\n",
			"a/b.xml":        "<b/>\n",
		}, "<d>\n<b/>\n<b/>\n</d>\n", []string{"freeswitch.xml", "a/b.xml"}},
		{"missing is no error", files{
			"freeswitch.xml": "<d>\n" + include("none.xml") + include("") + include("x/*.xml") + "</d>\n",
		}, "<d>\n</d>\n", []string{"freeswitch.xml"}},
		{"as a comment", files{
			"freeswitch.xml": "<d>\na<!--#include \"b.xml\"-->c\n</d>\n",
			"b.xml":          "<b/>\n",
		}, "<d>\nac\n<b/>\n</d>\n", []string{"freeswitch.xml", "b.xml"}},
		{"a variable set by an included file", files{
			"freeswitch.xml": "<d>\n" + include("b.xml") + "$${x}</d>\n",
			"b.xml":          `<X-PRE-PROCESS cmd="set" data="x=1"/>`,
		}, "<d>\n1</d>\n", []string{"freeswitch.xml", "b.xml"}},
		{"a comment left open ends with its file", files{
			"freeswitch.xml": "<d>\n" + include("b.xml") + "c</d>\n",
			"b.xml":          "<!--#comment\n",
		}, "<d>\nc</d>\n", []string{"freeswitch.xml", "b.xml"}},
		{"what includes itself stops at a hundred", files{
			"freeswitch.xml": "<d>\n" + include("b.xml") + "</d>\n",
			"b.xml":          "b\n" + include("b.xml"),
		}, "<d>\n" + strings.Repeat("b\n", 100) + "</d>\n", []string{"freeswitch.xml", "b.xml"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := load(t, tt.tree.under(conf))
			if string(c.Expanded()) != tt.want {
				t.Errorf("got  %q\nwant %q", c.Expanded(), tt.want)
			}
			for i := range tt.read {
				tt.read[i] = conf + "/" + tt.read[i]
			}
			if !slices.Equal(c.Files(), tt.read) {
				t.Errorf("read %v, want %v", c.Files(), tt.read)
			}
		})
	}
}

// under moves a tree below a folder.
func (f files) under(dir string) files {
	tree := files{}
	for name := range maps.Keys(f) {
		tree[dir+"/"+name] = f[name]
	}
	return tree
}

func TestRefusedByPreprocessor(t *testing.T) {
	tests := []struct{ name, main, want string }{
		{"grows too long", "<d>\n<X-PRE-PROCESS cmd=\"set\" data=\"x=" + strings.Repeat("v", 900) + "\"/>\n$${x}$${x}$${x}</d>", "freeswitch.xml:3: the line grows to 2704 bytes once its variables are expanded, and FreeSWITCH cuts it at 2046"},
		{"grows by one too much", "<d/>\n<X-PRE-PROCESS cmd=\"set\" data=\"x=" + strings.Repeat("v", 341) + "\"/>\n$${x}$${x}$${x}$${x}$${x}$${x}\n", "freeswitch.xml:3: the line grows to 2047 bytes"},
		{"too long", "<d>\n\n" + strings.Repeat("v", 1<<20), "freeswitch.xml:3: the line is longer"},
		{"brace", "<d>\n<X-PRE-PROCESS cmd=\"include\" data=\"{a\"/>\n</d>", "freeswitch.xml:2: include of \"{a\": FreeSWITCH misreads"},
		{"endless", "<d>\n<X-PRE-PROCESS cmd=\"include\" data=\"twice.xml\"/>\n</d>", "does a file include itself?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			twice := strings.Repeat("<X-PRE-PROCESS cmd=\"include\" data=\"twice.xml\"/>\n", 2)
			_, err := Load(files{"freeswitch.xml": tt.main, "twice.xml": twice}.under(conf), conf)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	if _, err := Load(files{}, conf); err == nil || !strings.Contains(err.Error(), conf+"/freeswitch.xml") {
		t.Errorf("no configuration at all: %v", err)
	}
}

func TestDirectives(t *testing.T) {
	c, err := Parse("/x/vars.xml", []byte(`<include>
<X-PRE-PROCESS cmd="set" data="a=1"/>
<!-- <X-PRE-PROCESS cmd="Exec-Set" data="b=uname -n"/> -->
<X-PRE-PROCESS cmd="include" data="$${sounds_dir}/*.xml"/>
<!--#set "a = $${a}2"-->
<X-PRE-PROCESS cmd="exec" data="make me"/>
</include>
`))
	if err != nil {
		t.Fatal(err)
	}
	show := func(list []Directive) string {
		var b strings.Builder
		for _, d := range list {
			fmt.Fprintf(&b, "%s:%d %s %q=%q %q\n", d.File, d.Line, d.Cmd, d.Name, d.Value, d.Arg)
		}
		return b.String()
	}
	want := `/x/vars.xml:2 set "a"="1" "a=1"
/x/vars.xml:3 exec-set "b"="uname -n" "b=uname -n"
/x/vars.xml:4 include ""="" "$${sounds_dir}/*.xml"
/x/vars.xml:5 set "a"="12" "a = 12"
/x/vars.xml:6 exec ""="" "make me"
`
	if got := show(c.Directives()); got != want {
		t.Errorf("directives\n%swant\n%s", got, want)
	}
	unread := "/x/vars.xml:4 include \"\"=\"\" \"$${sounds_dir}/*.xml\"\n/x/vars.xml:6 exec \"\"=\"\" \"make me\"\n"
	if got := show(Spot{c: c}.Unread()); got != unread {
		t.Errorf("unread\n%swant\n%s", got, unread)
	}
	if v, ok := c.Var("A"); v != "12" || !ok {
		t.Errorf("a is %q, %v", v, ok)
	}
	if v, ok := c.Var("b"); ok {
		t.Errorf("b is known as %q", v)
	}
	if !c.References("Sounds_Dir") || c.References("b") {
		t.Error("References does not tell what is expanded")
	}
}
