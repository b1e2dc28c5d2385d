package fakeswitch

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPreprocess(t *testing.T) {
	tests := []struct {
		name string
		text string
		want string
		vars map[string]string
	}{
		{"set and use", `<X-PRE-PROCESS cmd="set" data="a=1"/>` + "\n<p v=\"$${a}$${a}\"/>\n", "<p v=\"11\"/>\n", map[string]string{"a": "1"}},
		{"the last set wins", `<X-PRE-PROCESS cmd="set" data="a=1"/>` + "\n" + `<X-PRE-PROCESS cmd="set" data="a=2"/>` + "\n", "", map[string]string{"a": "2"}},
		{"in a comment it works too", `<!-- <X-PRE-PROCESS cmd="set" data="a=1"/> -->` + "\n", "", map[string]string{"a": "1"}},
		{"the rest of the line is lost", `<X-PRE-PROCESS cmd="set" data="a=1"/><p/>` + "\n<q/>\n", "<q/>\n", map[string]string{"a": "1"}},
		{"one directive a line", `<X-PRE-PROCESS cmd="set" data="a=1"/><X-PRE-PROCESS cmd="set" data="b=2"/>` + "\n", "", map[string]string{"a": "1", "b": ""}},
		{"any case", `<x-pre-PROCESS CMD="SET" Data="a=1"/>` + "\n", "", map[string]string{"a": "1"}},
		{"another element", `<X-NO-PRE-PROCESS cmd="set" data="a=1"/>` + "\n", `<X-NO-PRE-PROCESS cmd="set" data="a=1"/>` + "\n", map[string]string{"a": ""}},
		{"the word without the bracket", `about X-PRE-PROCESS cmd="set" data="a=1"/>` + "\n", "", map[string]string{"a": ""}},
		{"data before cmd", `<X-PRE-PROCESS data="a=1" cmd="set"/>` + "\n", "", map[string]string{"a": ""}},
		{"single quotes", `<X-PRE-PROCESS cmd='set' data='a=1'/>` + "\n", "", map[string]string{"a": ""}},
		{"no entities", `<X-PRE-PROCESS cmd="set" data="a=&amp;"/>` + "\n", "", map[string]string{"a": "&amp;"}},
		{"the first equals sign", `<X-PRE-PROCESS cmd="set" data="a = b=c"/>` + "\n", "", map[string]string{"a": "b=c"}},
		{"comment directive", `<p/><!--#set "a=1"--><q/>` + "\n", "<p/><q/>\n", map[string]string{"a": "1"}},
		{"comment directive over lines", "<!--#comment\n<p/>\n--><q/>\n", "<q/>\n", nil},
		{"lines that are dropped", "<?xml version=\"1.0\"?>\n<include><p/>\n<q/>\n</include>\n", "<q/>\n", nil},
		{"dropped for what stands before a variable only", "<p>$${x}<include></p>\n", "<p><include></p>\n", nil},
		{"an unset variable is nothing", "<p v=\"$${nosuch}\"/>\n", "<p v=\"\"/>\n", nil},
		{"other variables stay", "<p v=\"${a} $${\"/>\n", "<p v=\"${a} $${\"/>\n", nil},
		{"a STUN server", `<X-PRE-PROCESS cmd="stun-set" data="a=stun:stun.freeswitch.org"/>` + "\n", "", map[string]string{"a": "198.51.100.7"}},
		{"include, sorted, relative to the file", `<X-PRE-PROCESS cmd="include" data="sub/*.xml"/>` + "\n", "<one/>\n<two/>\n", map[string]string{"deep": "1"}},
		{"include of nothing", `<X-PRE-PROCESS cmd="include" data="nosuch/*.xml"/>` + "\n<p/>\n", "<p/>\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "freeswitch.xml"), tt.text)
			write(t, filepath.Join(dir, "sub", "b.xml"), "<two/>\n")
			write(t, filepath.Join(dir, "sub", "a.xml"), "<X-PRE-PROCESS cmd=\"include\" data=\"deep/x.xml\"/>\n<one/>\n")
			write(t, filepath.Join(dir, "sub", "deep", "x.xml"), `<X-PRE-PROCESS cmd="set" data="deep=1"/>`)
			p := preprocessor{variables: map[string]string{"local_ip_v4": "198.51.100.7"}, log: &logger{}}
			if err := p.file(filepath.Join(dir, "freeswitch.xml"), 0); err != nil {
				t.Fatal(err)
			}
			if got := p.out.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			for name, want := range tt.vars {
				if got := p.variables[name]; got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestIncludeOfItselfEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "freeswitch.xml")
	write(t, path, "<p/>\n<X-PRE-PROCESS cmd=\"include\" data=\"freeswitch.xml\"/>\n")
	p := preprocessor{variables: map[string]string{}, log: &logger{}}
	if err := p.file(path, 0); err != nil {
		t.Fatal(err)
	}
	if got, want := p.out.Len(), (maxDepth+1)*len("<p/>\n"); got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

// The whole of vanilla parses once it is expanded, and holds what a real
// FreeSWITCH finds in it.
func TestVanilla(t *testing.T) {
	conf := filepath.Join("..", "..", "..", "..", "shared", "data", "vanilla-conf-1.10.12")
	p := preprocessor{variables: coreVariables(Options{ConfDir: conf}), log: &logger{}}
	p.variables["local_ip_v4"] = "10.77.0.2"
	if err := p.file(filepath.Join(conf, "freeswitch.xml"), 0); err != nil {
		t.Fatal(err)
	}
	d, err := parseDocument(p.out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got := len(d.profileNames()); got != 4 {
		t.Errorf("%d SIP profiles, want 4", got)
	}
	for user, password := range map[string]string{"1000": "1234", "1019": "1234", "brian": "1234", "default": ""} {
		params, found := d.user("10.77.0.2", user)
		if !found || params["password"] != password {
			t.Errorf("user %s: found %t, password %q, want %q", user, found, params["password"], password)
		}
	}
	if got, want := p.variables["bong-ring"], "v=-7;%(100,0,941.0,1477.0);v=-7;>=2;+=.1;%(1400,0,350,440)"; got != want {
		t.Errorf("bong-ring is %q, want %q", got, want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
