package trunk

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// vanilla is FreeSWITCH's own configuration, 1.10.12.
const vanilla = "../../../shared/data/vanilla-conf-1.10.12"

const (
	aclFile  = "/autoload_configs/acl.conf.xml"
	external = "/sip_profiles/external.xml"
	internal = "/sip_profiles/internal.xml"
)

// site is a configuration on its way.
type site struct {
	t *testing.T
	v *host.View
}

func newSite(t *testing.T) site {
	t.Helper()
	h, err := host.Open(vanilla, nil)
	if err != nil {
		t.Fatal(err)
	}
	return site{t, host.NewView(h)}
}

func (s site) read(path string) string {
	s.t.Helper()
	b, err := s.v.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s site) write(path, text string) {
	s.t.Helper()
	if err := s.v.Stage(path, host.NewFile([]byte(text), 0o640)); err != nil {
		s.t.Fatal(err)
	}
}

func (s site) edit(path, old, text string) {
	s.t.Helper()
	before := s.read(path)
	if !strings.Contains(before, old) {
		s.t.Fatalf("%s does not hold %q", path, old)
	}
	s.write(path, strings.Replace(before, old, text, 1))
}

func (s site) config() *fsxml.Config {
	s.t.Helper()
	c, err := fsxml.Load(s.v, "/")
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// set writes what Set proposes, and gives the paths.
func (s site) set(trunks []plan.ProfileTrunks) (changed string) {
	s.t.Helper()
	_, changes, err := Set(s.config(), trunks)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, ch := range changes {
		changed += ch.Path + " "
		s.write(ch.Path, string(ch.After))
	}
	return strings.TrimSpace(changed)
}

func trunks(profile string, from ...string) []plan.ProfileTrunks {
	var out []netip.Prefix
	for _, f := range from {
		out = append(out, netip.MustParsePrefix(f))
	}
	return []plan.ProfileTrunks{{Profile: profile, From: out}}
}

var carrier = trunks("external", "203.0.113.0/24", "198.51.100.7/32", "2001:db8::/32")

func TestWhatIsWritten(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if changed := s.set(carrier); changed != aclFile+" "+external && changed != external+" "+aclFile {
		t.Errorf("changed are %s", changed)
	}
	for path, want := range map[string]string{
		aclFile: `
    <list name="fs-harden-trunks-external" default="deny">
      <node type="allow" cidr="203.0.113.0/24"/>
      <node type="allow" cidr="198.51.100.7/32"/>
      <node type="allow" cidr="2001:db8::/32"/>
    </list>
    <list name="fs-harden-nobody" default="deny">
    </list>
`,
		external: `
    <param name="auth-calls" value="false" set-by="fs-harden trunk"/>
    <param name="apply-proxy-acl" value="none" set-by="fs-harden trunk"/>
    <param name="apply-inbound-acl" value="none" set-by="fs-harden trunk"/>
    <param name="apply-inbound-acl" value="fs-harden-trunks-external::" set-by="fs-harden trunk"/>
    <param name="apply-register-acl" value="none" set-by="fs-harden trunk"/>
    <param name="apply-register-acl" value="fs-harden-nobody" set-by="fs-harden trunk"/>
`,
	} {
		if text := s.read(path); !strings.Contains(text, want) {
			t.Errorf("%s lacks%s", path, want)
		}
	}
	if changed := s.set(carrier); changed != "" {
		t.Errorf("a second time, changed are %s", changed)
	}
}

// Whatever a plan had: the next one's is there, and nothing of it, and without trunks
// the files are what they were.
func TestTheWayBackIsByteForByte(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	before := map[string]string{aclFile: s.read(aclFile), external: s.read(external), internal: s.read(internal)}
	for _, step := range [][]plan.ProfileTrunks{
		carrier, trunks("external", "192.0.2.1/32"), trunks("internal", "192.0.2.1/32"),
		append(trunks("internal-ipv6", "2001:db8::1/128"), carrier...), nil,
	} {
		s.set(step)
		if err := Check(s.config(), step); err != nil {
			t.Error(err)
		}
	}
	for path, text := range before {
		if s.read(path) != text {
			t.Errorf("%s is not what it was:\n%s", path, s.read(path))
		}
	}
}

// What an operator has set before stands in the file, and has no effect.
func TestAnOperatorsOwnListsDoNotWiden(t *testing.T) {
	t.Parallel()
	for name, params := range map[string]string{
		"a list":                      `<param name="apply-inbound-acl" value="lan"/>`,
		"several, in any letters":     `<param name="Apply-Inbound-ACL" value="lan"/><param name="apply-inbound-acl" value="0.0.0.0/0"/>`,
		"a list with a way out":       `<param name="apply-inbound-acl" value="lan:public:default"/>`,
		"a list of who registers":     `<param name="apply-register-acl" value="lan"/>`,
		"proxies":                     `<param name="apply-proxy-acl" value="lan"/>`,
		"passwords":                   `<param name="auth-calls" value="true"/>`,
		"passwords by a variable":     `<param name="auth-calls" value="$${internal_auth_calls}"/>`,
		"a list that nobody can know": `<param name="apply-inbound-acl" value="$${which}"/>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.edit(external, "<settings>", "<settings>\n"+params)
			before := s.read(external)
			if err := Check(s.config(), carrier); err == nil {
				t.Error("before, nothing was found")
			}
			s.set(carrier)
			if err := Check(s.config(), carrier); err != nil {
				t.Error(err)
			}
			s.set(nil)
			if s.read(external) != before {
				t.Error("the way back is another")
			}
		})
	}
}

// What stands behind ours is found by the check, and the next apply comes behind it.
func TestWhatComesBehindIsFound(t *testing.T) {
	t.Parallel()
	const last = `<param name="apply-register-acl" value="fs-harden-nobody" set-by="fs-harden trunk"/>`
	const node = `<node type="allow" cidr="203.0.113.0/24"/>`
	for name, tt := range map[string]struct{ path, old, text, want string }{
		"another list":              {external, last, last + `<param name="apply-inbound-acl" value="lan"/>`, `apply-inbound-acl is "fs-harden-trunks-external::", "lan", not`},
		"a list with a way out":     {external, "external::", "external:public:default", `apply-inbound-acl is "fs-harden-trunks-external:public:default"`},
		"no list":                   {external, last, last + `<param name="apply-inbound-acl" value="none"/>`, "apply-inbound-acl is none, not"},
		"a list of who registers":   {external, last, last + `<param name="apply-register-acl" value="none"/><param name="apply-register-acl" value="lan"/>`, `apply-register-acl is "lan"`},
		"proxies":                   {external, last, last + `<param name="apply-proxy-acl" value="lan"/>`, `apply-proxy-acl is "lan"`},
		"passwords":                 {external, last, last + `<param name="auth-calls" value="true"/>`, `auth-calls is "true"`},
		"a network more":            {aclFile, node, node + `<node type="allow" cidr="192.0.2.0/24"/>`, `lets in "192.0.2.0/24"`},
		"a network less":            {aclFile, node, "", "does not let in 203.0.113.0/24"},
		"a network that is refused": {aclFile, node, strings.Replace(node, "allow", "deny", 1), "is not as it was written"},
		"a domain's users":          {aclFile, node, node + `<node type="allow" domain="x" cidr="203.0.113.0/24"/>`, "is not as it was written"},
		"another default":           {aclFile, `external" default="deny"`, `external" default="allow"`, `has the default "allow"`},
		"no default":                {aclFile, `external" default="deny"`, `external"`, `has the default ""`},
		"somebody may register":     {aclFile, `nobody" default="deny">`, `nobody" default="deny"><node type="allow" cidr="192.0.2.1/32"/>`, `fs-harden-nobody lets in`},
		"the list gone":             {aclFile, `name="fs-harden-trunks-external"`, `name="other"`, "lacks the access list fs-harden-trunks-external"},
		"a list of the same name":   {aclFile, "</network-lists>", `<list name="fs-harden-trunks-external" default="allow"/></network-lists>`, `has the default "allow"`},
		"the profile gone":          {external, `<profile name="external">`, `<profile name="outside">`, "does not have"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.set(carrier)
			s.edit(tt.path, tt.old, tt.text)
			err := Check(s.config(), carrier)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			if strings.HasPrefix(name, "the ") {
				return
			}
			s.set(carrier)
			if err := Check(s.config(), carrier); err != nil {
				t.Errorf("after the next apply: %v", err)
			}
		})
	}
}

func TestWhatCannotBeSet(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil  func(s site)
		trunks []plan.ProfileTrunks
		want   string
	}{
		"no such profile": {func(site) {}, trunks("carriers", "192.0.2.1/32"), `the SIP profile "carriers", which this FreeSWITCH does not have: name one of "external-ipv6", "external"`},
		"two of the name": {func(s site) { s.write("/sip_profiles/more.xml", s.read(external)) }, carrier, "has 2 of that name"},
		"a program's output in the profile": {func(s site) {
			s.edit(external, "</settings>", "<X-PRE-PROCESS cmd=\"exec\" data=\"params.sh\"/>\n</settings>")
		}, carrier, `external.xml:`},
		"files by a running FreeSWITCH's variable in the lists": {func(s site) {
			s.edit(aclFile, "</network-lists>", "<X-PRE-PROCESS cmd=\"include\" data=\"$${base_dir}/*.xml\"/>\n</network-lists>")
		}, carrier, `include "$${base_dir}/*.xml" gives what only a running FreeSWITCH knows`},
		"no lists": {func(s site) { s.write(aclFile, "<configuration name=\"acl.conf\"/>\n") }, carrier, "has no <network-lists>"},
		"settings in a file behind it": {func(s site) {
			s.edit(external, "</settings>", "<X-PRE-PROCESS cmd=\"include\" data=\"more.inc\"/>\n</settings>")
			s.write("/sip_profiles/more.inc", "<param name=\"apply-inbound-acl\" value=\"lan\"/>\n")
		}, carrier, "comes after what is put in here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			tt.spoil(s)
			if _, changes, err := Set(s.config(), tt.trunks); err == nil || !strings.Contains(err.Error(), tt.want) || changes != nil {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestGatewaysThatNoTrunkHas(t *testing.T) {
	t.Parallel()
	const gateway = `<gateway name="%"><param name="username" value="u"/>`
	p := func(name, value string) string { return `<param name="` + name + `" value="` + value + `"/>` }
	many := ""
	for i := range 20 {
		for _, at := range []string{"2001:db8::%x", "host-%x"} {
			many += strings.Replace(gateway, "%", "c", 1) + p("proxy", fmt.Sprintf(at, i+1)) + "</gateway>"
		}
	}
	for name, tt := range map[string]struct {
		gateways string
		trunks   []plan.ProfileTrunks
		want     []string // pieces of what is told; nil: nothing is
	}{
		"none":                     {"", nil, nil},
		"an address":               {strings.Replace(gateway, "%", "c", 1) + p("proxy", "203.0.113.7") + "</gateway>", nil, []string{`"external" has gateways at 203.0.113.7,`, `name = "external-carriers"`, `from = ["203.0.113.7"]`}},
		"one that a trunk has":     {strings.Replace(gateway, "%", "c", 1) + p("proxy", "203.0.113.7") + "</gateway>", carrier, nil},
		"one of another profile's": {strings.Replace(gateway, "%", "c", 1) + p("proxy", "203.0.113.7") + "</gateway>", trunks("internal", "203.0.113.0/24"), []string{`from = ["203.0.113.7"]`}},
		"all that it speaks with": {
			strings.Replace(gateway, "%", "192.0.2.1", 1) + p("realm", "sip:x@192.0.2.2:5070;transport=tcp") + p("outbound-proxy", "SIPS:[2001:db8::9]:5061") + p("register-proxy", "192.0.2.3;lr") + "</gateway>", nil,
			[]string{`from = ["192.0.2.2", "2001:db8::9", "192.0.2.3"]`},
		},
		"its name stands in":      {strings.Replace(gateway, "%", "192.0.2.1", 1) + "</gateway>", nil, []string{`from = ["192.0.2.1"]`}},
		"its realm does not":      {strings.Replace(gateway, "%", "c", 1) + p("proxy", "192.0.2.9") + p("realm", "192.0.2.1") + "</gateway>", nil, []string{`from = ["192.0.2.9"]`}},
		"a host name":             {strings.Replace(gateway, "%", "c", 1) + p("proxy", "sip.example.net:5060") + "</gateway>", nil, []string{`the host names "sip.example.net" (not looked up`, "give it a trunk"}},
		"a host name, and trunks": {strings.Replace(gateway, "%", "c", 1) + p("proxy", "sip.example.net") + "</gateway>", carrier, []string{`the host names "sip.example.net", which are not looked up: see that its trunks`}},
		"a host name, trunks and an address that none has": {strings.Replace(gateway, "%", "c", 1) + p("proxy", "sip.example.net") + p("outbound-proxy", "192.0.2.99") + "</gateway>", carrier, []string{`at 192.0.2.99 and the host names "sip.example.net" (not looked up`, `from = ["192.0.2.99"]`}},
		"a name to fool a person":                          {strings.Replace(gateway, "%", "c", 1) + p("proxy", "x&#10;warning &#27;[2J"+strings.Repeat("y", 500)) + "</gateway>", nil, []string{`"x\nwarning \x1b[2Jyy`, `...`}},
		"within params":                                    {`<gateway name="c"><params>` + p("proxy", "192.0.2.1") + "</params></gateway>", nil, []string{`from = ["192.0.2.1"]`}},
		"very many":                                        {many, nil, []string{"4 more and the host names", "4 more (not"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.edit(external, "<gateways>", "<gateways>"+tt.gateways)
			all, _ := Untold(s.config(), tt.trunks)
			var lines []string
			for _, g := range all {
				lines = append(lines, g.Proposal()...)
			}
			text := strings.Join(lines, "\n")
			if (tt.want == nil) != (text == "") {
				t.Fatalf("told is %q", text)
			}
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			if len(text) > 2500 {
				t.Errorf("%d bytes are told", len(text))
			}
		})
	}
}

// A trunk of one profile leaves the others as they were.
func TestProfilesThatTakeCallsFromAnybody(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	check := func(trunks []plan.ProfileTrunks, want ...string) {
		t.Helper()
		if got := Open(s.config(), trunks); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	check(nil, "external-ipv6", "external")
	check(trunks("EXTERNAL", "192.0.2.1/32"), "external-ipv6")
	s.edit(external, "</settings>", `<param name="apply-inbound-acl" value="carriers"/></settings>`)
	check(nil, "external-ipv6")
	s.edit(internal, "</settings>", `<param name="auth-calls" value="no"/></settings>`)
	check(nil, "external-ipv6") // it has a list
	s.edit(internal, "</settings>", `<param name="apply-inbound-acl" value="none"/></settings>`)
	check(nil, "external-ipv6", "internal")
}

// In HCL, "${...}" is more than a text.
func TestAProfileThatNoPlanTakesIsNotPutIntoABlock(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{`${file("/etc/shadow")}`, "a\"b", "", strings.Repeat("x", 65)} {
		g := Gateways{Profile: profile, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
		if got := g.Proposal(); len(got) != 1 {
			t.Errorf("%q: %q", profile, got)
		}
	}
}

// What is proposed can be pasted: it is a block that a plan takes.
func TestTheProposalIsABlock(t *testing.T) {
	t.Parallel()
	g := Gateways{Profile: "My_Profile.2", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}}
	got := strings.Join(g.Proposal()[1:], "\n")
	const want = "trunk {\n  name = \"my-profile-2-carriers\"\n  from = [\"192.0.2.1\", \"2001:db8::1\"]\n  profile = \"My_Profile.2\"\n}"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	p := plan.Default()
	p.Trunks["my-profile-2-carriers"] = plan.Trunk{From: []string{"192.0.2.1", "2001:db8::1"}, Profile: "My_Profile.2"}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
}
