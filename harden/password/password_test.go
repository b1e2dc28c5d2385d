package password_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/password"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

const vanilla = "../../../shared/data/vanilla-conf-1.10.12"

func file(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(vanilla + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const socket = `<configuration name="event_socket.conf"><settings><param name="password" value="ClueCon"/></settings></configuration>`

func TestIn(t *testing.T) {
	whole := `<document><section name="configuration">` + socket + `</section></document>`
	for name, tt := range map[string]struct {
		text string
		want string
	}{
		"vanilla's variables":    {file(t, "vars.xml"), "sip:1234"},
		"vanilla's event socket": {file(t, "autoload_configs/event_socket.conf.xml"), "esl:ClueCon"},
		"the whole document":     {whole, "esl:ClueCon"},
		"set twice": {"<include>\n" + `<X-PRE-PROCESS cmd="set" data="default_password=one"/>
<X-PRE-PROCESS cmd="set" data="default_password=two"/>` + "\n</include>", "sip:one sip:two"},
		"set twice to the same": {"<include>\n" + `<X-PRE-PROCESS cmd="set" data="default_password=one"/>
<X-PRE-PROCESS cmd="set" data="default_password=one"/>` + "\n</include>", "sip:one"},
		"in a comment":              {"<include>\n" + `<!--<X-PRE-PROCESS cmd="set" data="default_password=one"/>-->` + "\n</include>", "sip:one"}, // as the preprocessor does
		"in capitals":               {strings.Replace(socket, `"password"`, `"Password"`, 1), "esl:ClueCon"},
		"an entity":                 {strings.Replace(socket, "ClueCon", "a&amp;b", 1), "esl:a&b"},
		"another variable's":        {"<include>\n" + `<X-PRE-PROCESS cmd="set" data="default_password=$${other}"/>` + "\n</include>", ""},
		"nothing":                   {"<include>\n" + `<X-PRE-PROCESS cmd="set" data="default_password="/>` + "\n</include>", ""},
		"a user who refers to it":   {file(t, "directory/default/1000.xml"), ""},
		"of another module":         {strings.Replace(socket, "event_socket.conf", "xml_rpc.conf", 1), ""},
		"no XML, and no password":   {"\x00\x01", ""},
		"speaks of it, and no more": {`<include><!-- default_password --></include>`, ""},
	} {
		found, err := password.In("/etc/freeswitch/x.xml", []byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, f := range found {
			got = append(got, map[password.Which]string{password.SIP: "sip:", password.ESL: "esl:"}[f.Which]+f.Value.Reveal())
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
	if _, err := password.In("x.xml", []byte(`<include default_password`)); err == nil {
		t.Error("a file that cannot be read says nothing")
	}
}

func TestReplace(t *testing.T) {
	with := secret.Pair{SIP: secret.Of("sipsipsip"), ESL: secret.Of("eslesl")}
	for _, text := range []string{file(t, "vars.xml"), socket, `<document><section name="configuration">` + socket + `</section></document>`} {
		b, err := password.Replace("/x.xml", []byte(text), with)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.NewReplacer("default_password=1234", "default_password=sipsipsip", `"ClueCon"`, `"eslesl"`).Replace(text)
		if string(b) != want || want == text {
			t.Errorf("got %s", b)
		}
	}
	other := file(t, "directory/default/1000.xml")
	if b, err := password.Replace("/x.xml", []byte(other), with); err != nil || string(b) != other {
		t.Errorf("a file that sets none was changed: %v", err)
	}
}

// Files of lines hold them as well: fs_cli's, and the one that a first boot leaves.
func TestFilesOfLines(t *testing.T) {
	const creds = "# Secrets of this FreeSWITCH.\n\nsip_default_password = one\nevent_socket_password = two\n"
	with := secret.Pair{SIP: secret.Of("sipsipsip"), ESL: secret.Of("eslesl")}
	for _, tt := range []struct{ name, text, found, replaced string }{
		{"/root/freeswitch-credentials.txt", creds, "0:one 1:two", strings.NewReplacer("one", "sipsipsip", "two", "eslesl").Replace(creds)},
		{"/etc/fs_cli.conf", "[a]\npassword => a=b \nhost => x\n#password=\told", "1:a=b 1:old", "[a]\npassword => eslesl \nhost => x\n#password=\teslesl"},
		{"/home/admin/.fs_cli_conf", "password => password\n", "1:password", "password => eslesl\n"},
		{"/home/admin/.fs_cli_conf", "[default]\npassword =>\nno password\n", "", "[default]\npassword =>\nno password\n"},
		{"/etc/other.conf", "password => one\n", "", "password => one\n"},
	} {
		found, err := password.In(tt.name, []byte(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range found {
			got = append(got, strconv.Itoa(int(f.Which))+":"+f.Value.Reveal())
		}
		if strings.Join(got, " ") != tt.found {
			t.Errorf("%s: found %q, want %q", tt.name, got, tt.found)
		}
		if b, err := password.Replace(tt.name, []byte(tt.text), with); err != nil || string(b) != tt.replaced {
			t.Errorf("%s: %q, %v", tt.name, b, err)
		}
	}
}
