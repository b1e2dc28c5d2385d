package inspect

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"time"
)

const vanilla = "../../../shared/data/vanilla-conf-1.10.12"

// What FreeSWITCH ships is published: no file of it, comments and all, holds a
// secret of a site.
func TestVanillaHoldsNoSecretOfASite(t *testing.T) {
	n := 0
	err := fs.WalkDir(os.DirFS(vanilla), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path.Join(vanilla, p))
		if n++; err != nil {
			return err
		}
		for _, m := range secretsIn(p, data) {
			line := strings.Count(string(data[:m.at]), "\n") + 1
			t.Errorf("%s:%d: %s is %q", p, line, m.name, m.value)
		}
		return nil
	})
	if err != nil || n < 200 {
		t.Errorf("%d files, %v", n, err)
	}
}

// Each line holds a secret, of that name, or none.
func TestWhatHoldsASecret(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"a.xml", `<param name="password" value="Hunter2Hunter2"/>`, "password"},
		{"a.xml", `<!-- <param name="password" value="Hunter2Hunter2"/> -->`, "password"},
		{"a.xml", `<param value='Hunter2Hunter2' name='Auth-Pass'/>`, "Auth-Pass"},
		{"a.xml", `<param name="gateway-credentials" value="me:Hunter2Hunter2"/>`, "gateway-credentials"},
		{"a.xml", `<param name="odbc-dsn" value="db:me:Hunter2Hunter2"/>`, "odbc-dsn"},
		{"a.xml", `<param name="core-db-dsn" value="pgsql://hostaddr=10.0.0.1 dbname=fs user=fs password='Hunter2' options=''"/>`, "password"},
		{"a.xml", `<param name="core-db-dsn" value="postgresql://fs:Hunter2@10.0.0.1/fs"/>`, "a URL"},
		{"a.xml", `<param name="core-db-dsn" value="mariadb://Server=h;Uid=fs;Pwd=Hunter2;"/>`, "Pwd"},
		{"a.xml", `<param name="url" value="https://x/?api_key=Hunter2&amp;number=${n}"/>`, "api_key"},
		{"a.xml", `<remote name="x" password="Hunter2"/>`, "password"},
		{"a.xml", `<X-PRE-PROCESS cmd="set" data="carrier_password=Hunter2"/>`, "carrier_password"},
		{"a.xml", `<action application="bridge" data="{sip_auth_username=me,sip_auth_password=Hunter2}sofia/x/1"/>`, "sip_auth_password"},
		{"a.xml", `<param name="a1-hash" value="00112233445566778899aabbccddeeff"/>`, "a1-hash"},
		{"a.xml", `<param name="token" value="eyJhbGciOi"/>`, "token"},
		{".a.xml.swp", "b0VIM 8.2\x00\x00\x00<param name=\"password\" value=\"Hunter2\"/>\x00", "password"},
		{"a.xml.rej", "@@ -1 +1 @@\n-<param name=\"password\" value=\"Hunter2\"/>\n", "password"},
		{"a.conf", "user = me\npassword = Hunter2\n", "password"},
		{"a.conf", "password=\"Hunter2\"\n", "password"},
		{"a.yaml", "db:\n  secret: Hunter2\n", "secret"},
		{"a.json", `{"auth": {"token": "Hunter2"}}`, "token"},
		{"a.lua", `local password = "Hunter2"`, "password"},
		{"a.conf", "proxy https://me:Hunter2@10.0.0.1:3128/\n", "a URL"},

		{"a.xml", `<param name="password" value=""/>`, ""},
		{"a.xml", `<param name="password" value="$${default_password}"/>`, ""},
		{"a.xml", `<param name="password" value="${caller_pin}"/>`, ""},
		{"a.xml", `<param name="allow-empty-password" value="true"/>`, ""},
		{"a.xml", `<user id="1001"><param name="password" value="1001"/>`, ""},
		{"a.xml", `<param name="vm-password" value="836154"/>`, ""},
		{"a.xml", `<param name="inbound-bypass" value="Hunter2"/>`, ""},
		{"a.xml", `<param name="a1-hash" value="Hunter2"/>`, ""},
		{"a.xml", `<param name="gateway-credentials" value="/etc/fs/credentials"/>`, ""},
		{"a.xml", `<param name="odbc-dsn" value="bandwidth.com"/>`, ""},
		{"a.xml", `<param name="url" value="https://x@h/?a=b"/>`, ""},
		{"a.xml", `<param name="password"`, ""},
		{"a.xml", `<param name="password" value="Hunter2`, ""},
		{"a.conf", "# password = Hunter2\n", ""},
		{"a.txt", "password: this is what opens it\n", ""},
		{"a.lua", "local password = params:getHeader('x')\n", ""},
		{"a.lua", "if password == \"Hunter2\" then\n", ""},
		{"a.sh", "password=$PASSWORD\npassword=$(pass x)\n", ""},
	} {
		got := ""
		for _, m := range secretsIn(c.file, []byte(c.text)) {
			got = m.name
		}
		if got != c.want {
			t.Errorf("%s %q: want %q, got %q", c.file, c.text, c.want, got)
		}
	}
}

// FreeSWITCH's user writes what is read here. A text of nothing but signs is gone
// through once, and not once for each of them, which took minutes.
func TestATextOfSignsTakesNoLonger(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	for _, sign := range []string{"://", "pass=", "pass:", "a://b:"} {
		secretsIn("a.conf", []byte("x "+strings.Repeat(sign, (1<<20)/len(sign))))
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}
