package fsxml

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// fuzzTree puts a fuzzed file into a small configuration that includes it.
func fuzzTree(data []byte) files {
	return files{
		"freeswitch.xml": `<document>
<X-PRE-PROCESS cmd="set" data="x=X"/>
<X-PRE-PROCESS cmd="include" data="f.xml"/>
</document>
`,
		"f.xml": string(data),
	}.under(conf)
}

func addSeeds(f *testing.F, add func(data []byte)) {
	for name, text := range vanilla(f) {
		if strings.HasSuffix(name, ".xml") {
			add([]byte(text))
		}
	}
	for _, s := range []string{
		"<a><param name='p' value='$${x}'/>\r\n</a>",
		"<a>\n\t<param\n name=\"p\"\n value='&amp;$${y}'>\n</param>\n</a><a/>",
		"<a\n/><a></a><param name='p'/>",
		"<include>\n<a> <param name=p value=\"1\"/> <!-- c --> <!--#set \"y=1\"-->\n</a></include>",
		"<!--#comment\n--> <a><param name='p' value='$${x}'/></a>",
		"<a><param name='p' value='1'/><X-PRE-PROCESS cmd=\"set\" data=\"y = 1\"/>\n</a>",
		"<X-PRE-PROCESS cmd=\"set\" data=\"a=$${x}\"/>\n<X-PRE-PROCESS cmd=\"set\" data=\"b=$${a}\"/>\n<c d='$${b}'/>",
	} {
		add([]byte(s))
	}
}

// FuzzSetParam edits whatever holds parameters. Either there is an error and no
// change, or the value reads as it was asked and no other byte is different.
func FuzzSetParam(f *testing.F) {
	addSeeds(f, func(data []byte) { f.Add(data, "s3cret", "p") })
	f.Add([]byte("<a/>"), `<'"&>`, "")
	f.Fuzz(func(t *testing.T, data []byte, value, name string) {
		if checkSetParam(t, fuzzTree(data), name, value) == 0 {
			t.Skip()
		}
	})
}

// checkSetParam edits a configuration in several places, each time from the
// beginning, and returns how many edits went through.
func checkSetParam(t *testing.T, tree files, name, value string) int {
	c, err := Load(tree, conf)
	if err != nil {
		return 0
	}
	done := 0
	for _, place := range fuzzPlaces(c) {
		for _, name := range fuzzNames(c, place, name) {
			e := c.Edit()
			err := e.SetParam(place, name, value)
			changes, late := e.Changes()
			if err != nil || late != nil {
				if changes != nil {
					t.Fatalf("%v, %v, and changes", err, late)
				}
				continue
			}
			done++
			now := load(t, overlay(t, tree, changes))
			if got, _ := now.Value(place, name); got != value && now.first(place) != 0 {
				t.Fatalf("%s at %s reads %q, want %q", name, place, got, value)
			}
			for _, ch := range changes {
				before, elements := c.rest(ch.Path, place, name)
				after, left := now.rest(ch.Path, place, name)
				same := within(before, after) && (len(after)-len(before))%len(` value=""`) == 0
				if len(now.nodes) > len(c.nodes) { // a blank before /> goes with it
					same = within(bytes.Join(bytes.Fields(before), nil), after)
				}
				if !same || elements != left {
					t.Fatalf("%s at %s: other bytes differ\n%q\n%q", name, place, ch.Before, ch.After)
				}
			}
		}
	}
	return done
}

// fuzzPlaces returns the paths of some elements, those with parameters first.
func fuzzPlaces(c *Config) []Place {
	var places []Place
	for i := len(c.nodes) - 1; i > 1 && len(places) < 4; i-- {
		var tags []string
		n := c.nodes[i]
		if string(n.tag(c.doc)) == "param" {
			n = c.nodes[n.parent]
		}
		for ; n.parent != 0; n = c.nodes[n.parent] {
			tags = append(tags, string(n.tag(c.doc)))
		}
		slices.Reverse(tags)
		place := Place(strings.Join(tags, "/"))
		if !strings.ContainsAny(strings.Join(tags, ""), "/[") && !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	return places
}

// fuzzNames returns the name of a parameter that is there, and one that may not be.
func fuzzNames(c *Config, place Place, name string) []string {
	names := []string{name}
	if params := c.Params(place); len(params) > 0 {
		names = append(names, params[len(params)-1].Name)
	}
	return names
}

func overlay(t *testing.T, tree files, changes []Change) files {
	now := files{}
	for name, text := range tree {
		now[name] = text
	}
	for _, ch := range changes {
		if now[ch.Path] != string(ch.Before) {
			t.Fatalf("%s was not %q", ch.Path, ch.Before)
		}
		now[ch.Path] = string(ch.After)
	}
	return now
}

// rest returns what an edit must leave: the file without the values of a
// parameter, and the elements of the whole document without the parameter.
func (c *Config) rest(name string, place Place, param string) (text []byte, elements string) {
	f := int32(slices.Index(c.Files(), name))
	var spans []span
	edited := map[int32]bool{}
	for _, i := range c.all(place.steps()) {
		for _, j := range c.children(i, step{tag: "param"}) {
			n := &c.nodes[j]
			if lower(n.value(c.doc, "name")) != lower(param) {
				continue
			}
			edited[j] = true
			if a, ok := n.attr(c.doc, "value"); ok && a.quote != 0 {
				if s, ok := c.segs.between(a.lo, a.hi); ok && s.file == f && !slices.Contains(spans, s) {
					spans = append(spans, s)
				}
			}
		}
	}
	var b strings.Builder
	for i := range c.nodes[1:] {
		if n := c.nodes[i+1]; !edited[int32(i+1)] {
			b.Write(bytes.TrimRight(c.doc[n.start:n.open], "/> \t\r\n"))
		}
	}
	return without(c.files[f].data, spans), b.String()
}

// without cuts spans out of a file.
func without(data []byte, spans []span) []byte {
	slices.SortFunc(spans, func(a, b span) int { return int(a.start - b.start) })
	var out []byte
	from := int32(0)
	for _, s := range spans {
		out = append(out, data[from:s.start]...)
		from = s.end
	}
	return append(out, data[from:]...)
}

// within tells whether b is a with more put in.
func within(a, b []byte) bool {
	for _, c := range b {
		if len(a) > 0 && a[0] == c {
			a = a[1:]
		}
	}
	return len(a) == 0
}

// FuzzSetVar sets every variable a file sets. Either there is an error and no
// change, or it has the value and no other byte is different.
func FuzzSetVar(f *testing.F) {
	addSeeds(f, func(data []byte) { f.Add(data, "s3cret") })
	f.Add([]byte("<X-PRE-PROCESS cmd='' cmd=\"set\" data=\"a=<b>\"/>"), "<a>")
	f.Fuzz(func(t *testing.T, data []byte, value string) {
		tree := fuzzTree(data)
		c, err := Load(tree, conf)
		if err != nil {
			t.Skip()
		}
		for k, d := range c.Directives() {
			if d.Cmd != "set" || k > 8 {
				continue
			}
			e := c.Edit()
			err := e.SetVar(d.Name, value)
			changes, late := e.Changes()
			if err != nil || late != nil {
				if changes != nil {
					t.Fatalf("%v, %v, and changes", err, late)
				}
				continue
			}
			now := load(t, overlay(t, tree, changes))
			if got, _ := now.Var(d.Name); got != value {
				t.Fatalf("%s reads %q, want %q", d.Name, got, value)
			}
			if len(now.Directives()) != len(c.Directives()) || len(now.nodes) != len(c.nodes) {
				t.Fatalf("%s: directives or elements came or went", d.Name)
			}
			for _, ch := range changes {
				if before, after := c.unset(ch.Path, d.Name), now.unset(ch.Path, d.Name); !bytes.Equal(before, after) {
					t.Fatalf("%s: other bytes differ\n%q\n%q", d.Name, ch.Before, ch.After)
				}
			}
		}
	})
}

// unset returns a file without the values of a variable.
func (c *Config) unset(name, variable string) []byte {
	f := int32(slices.Index(c.Files(), name))
	var spans []span
	for _, d := range c.directives {
		if lower(d.Name) == lower(variable) && d.editable && d.value.file == f && !slices.Contains(spans, d.value) {
			spans = append(spans, d.value)
		}
	}
	return without(c.files[f].data, spans)
}
