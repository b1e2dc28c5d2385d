package fsxml

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestVanilla(t *testing.T) {
	c := load(t, vanilla(t))
	if n := len(c.Files()); n != 172 {
		t.Errorf("%d files read, FreeSWITCH reads 172", n)
	}
	if got, want := c.Profiles(), []string{"external-ipv6", "external", "internal-ipv6", "internal"}; !slices.Equal(got, want) {
		t.Errorf("profiles %v, want %v", got, want)
	}
	values := []struct {
		place       Place
		name, value string
		set         bool
	}{
		{EventSocket(), "password", "ClueCon", true},
		{EventSocket(), "listen-ip", "::", true},
		{EventSocket(), "apply-inbound-acl", "", false}, // only in a comment
		{Profile("internal"), "sip-port", "5060", true},
		{Profile("INTERNAL"), "Sip-Port", "5060", true},
		{Profile("external"), "sip-port", "5080", true},
		{Profile("internal"), "auth-calls", "true", true},
		{Profile("internal"), "log-auth-failures", "false", true},
		{Profile("external"), "log-auth-failures", "", false},
		{Profile("internal"), "rtp-ip", "$${local_ip_v4}", true},
		{Profile("none"), "sip-port", "", false},
		{"section[directory]/domain[$${local_ip_v4}]/params", "jsonrpc-allowed-methods", "verto", true},
		{"section[directory]/domain/groups/group[default]/users/user[1007]/params", "password", "1234", true},
	}
	for _, tt := range values {
		if value, set := c.Value(tt.place, tt.name); value != tt.value || set != tt.set {
			t.Errorf("%s at %s is %q, %v; want %q, %v", tt.name, tt.place, value, set, tt.value, tt.set)
		}
	}
	if p := c.Params(EventSocket())[3]; p != (Param{"password", "ClueCon", conf + "/autoload_configs/event_socket.conf.xml", 6}) {
		t.Errorf("the password is %+v", p)
	}
	vars := map[string]string{
		"default_password": "1234",
		"sound_prefix":     "$${sounds_dir}/en/us/callie",
		"bong-ring":        "v=-7;%(100,0,941.0,1477.0);v=-7;>=2;+=.1;%(1400,0,350,440)",
	}
	for name, want := range vars {
		if got, known := c.Var(name); got != want || !known {
			t.Errorf("%s is %q, %v", name, got, known)
		}
	}
	if got, known := c.Var("external_sip_ip"); known {
		t.Errorf("external_sip_ip, asked of a STUN server, is known as %q", got)
	}
	if n := len(c.Elements("section[directory]/domain/groups/group/users/user")); n != 39 {
		t.Errorf("%d users", n)
	}
	lists := show(c.Elements("section[configuration]/configuration[acl.conf]/network-lists/list[domains]"))
	if want := `list{name=domains}{default=deny}`; !strings.HasPrefix(lists, want) {
		t.Errorf("got %s, want %s", lists, want)
	}
}

// Every file of the vanilla configuration can be read by itself, and edits of
// nothing give nothing.
func TestVanillaFiles(t *testing.T) {
	n := 0
	for name, text := range vanilla(t) {
		if !strings.HasSuffix(name, ".xml") {
			continue
		}
		n++
		c, err := Parse(name, []byte(text))
		if err != nil {
			t.Error(err)
			continue
		}
		e := c.Edit()
		for _, d := range c.Directives() {
			if d.Cmd == "set" && !strings.Contains(d.Value, "$${") {
				value, _ := c.Var(d.Name)
				ok(t, e.SetVar(d.Name, value))
			}
		}
		if changes, err := e.Changes(); changes != nil || err != nil {
			t.Errorf("%s: %v, %v", name, changes, err)
		}
	}
	if n != 199 {
		t.Errorf("%d files, want 199", n)
	}
}

// sofia is a configuration with settings in unusual places.
var sofia = files{
	"freeswitch.xml": `<document>
<X-PRE-PROCESS cmd="set" data="port=5060"/>
<section name="configuration">
<X-PRE-PROCESS cmd="include" data="conf/*.xml"/>
</section>
<section name="CONFIGURATION"><configuration name="late.conf"><settings/></configuration></section>
</document>`,
	"conf/event_socket.xml": `<include>
<configuration name="Event_Socket.conf">
<settings>
<!-- <param name="password" value="comment"/> -->
<param value='x' name='password'/>
<param
  name  = "password"
  value = "a&amp;b"
/>
<param name="Password" value="capital"/>
<param name="apply-inbound-acl" value="one"/>
<param name="Apply-Inbound-ACL" value="two"/>
</settings>
<settings><param name="password" value="second settings"/></settings>
</configuration>
<configuration name="event_socket.conf"><settings><param name="password" value="second configuration"/></settings></configuration>
</include>
`,
	"conf/sofia.xml": `<configuration name="sofia.conf"><profiles>
<profile name="a"><settings>
<X-PRE-PROCESS cmd="include" data="shared.inc"/>
<param name="sip-port" value="$${port}"/>
</settings></profile>
<profile name="b"><gateways/><settings>
<X-PRE-PROCESS cmd="include" data="shared.inc"/>
</settings></profile>
<profile name="A"><settings/></profile>
</profiles></configuration>
`,
	"conf/shared.inc": "<param name=\"Context\" value=\"public\"/>\n",
}.under(conf)

func TestWhichElementWins(t *testing.T) {
	c := load(t, sofia)
	tests := []struct {
		place Place
		want  string
	}{
		{EventSocket(), "[{password x 5} {password a&b 6} {Password capital 10} {apply-inbound-acl one 11} {Apply-Inbound-ACL two 12}]"},
		{Profile("a"), "[{Context public 1} {sip-port 5060 4}]"},
		{Profile("b"), "[{Context public 1}]"},
		{"section[configuration]/configuration[late.conf]/settings", "[]"},
		{"section[configuration]", "[]"},
		{"section[configuration", "[]"},
		{"", "[]"},
	}
	for _, tt := range tests {
		type short struct {
			Name, Value string
			Line        int
		}
		got := []short{}
		for _, p := range c.Params(tt.place) {
			got = append(got, short{p.Name, p.Value, p.Line})
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s: got %v, want %s", tt.place, got, tt.want)
		}
	}
	if v, _ := c.Value(EventSocket(), "password"); v != "a&b" {
		t.Errorf("the password is %q: mod_event_socket wants the very name, and the last one", v)
	}
	if v, _ := c.Value(EventSocket(), "apply-inbound-acl"); v != "two" {
		t.Errorf("the last ACL is %q", v)
	}
	if v, _ := c.Value(Profile("b"), "context"); v != "public" {
		t.Errorf("context is %q: mod_sofia does not care for case", v)
	}
	if got := c.Profiles(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("profiles %v", got)
	}
	if n := len(c.Elements("section[configuration]/configuration/settings/param")); n != 7 {
		t.Errorf("%d parameters in all settings", n)
	}
}

func TestParsePlaces(t *testing.T) {
	for doc, place := range map[string]Place{
		`<document><a name="x"><b/></a></document>`:      "a[x]/b",
		`<include>` + "\n" + `<a name="x"><b/></a><c/>`:  "a[x]/b",
		`<document><a name="x"><b/></a></document> <c/>`: "document/a[x]/b",
	} {
		c, err := Parse("a.xml", []byte(doc))
		ok(t, err)
		if got := show(c.Elements(place)); got != "b" {
			t.Errorf("%s of %s: %q", place, doc, got)
		}
	}
}
