package inspect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// sceneOf is the scene of a tree with these files.
func sceneOf(t *testing.T, files map[string]string) *scene {
	t.Helper()
	dir := t.TempDir()
	for p, text := range files {
		write(t, dir+p, text)
	}
	h, err := host.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return newScene(h, Options{ConfDir: "/etc/freeswitch", Unit: []string{"/lib/u.service", "/etc/u.service.d/a.conf", "/etc/u.service.d/b.conf"}})
}

func write(t *testing.T, p, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What systemd would start, and where that has FreeSWITCH keep what.
func TestFoldersOfTheUnit(t *testing.T) {
	const unit, env = "[Service]\nEnvironment=\"DAEMON_OPTS=-nonat\" USER=freeswitch\nEnvironmentFile=-/etc/default/freeswitch\nExecStart=/usr/bin/freeswitch -u ${USER} -ncwait ${DAEMON_OPTS}\n", "/etc/default/freeswitch"
	logs := func(dir string) layout { return layout{logs: dir, run: dir} }
	started := func(options string) string { return "[Service]\nExecStart=/usr/bin/freeswitch " + options + "\n" }
	for name, c := range map[string]struct {
		unit, a, b, env, passwd string

		want layout
		conf string
		told string // of the one finding; of none, if empty
	}{
		"Debian's":                          {unit: unit},
		"Debian's, with another option":     {unit: unit, env: "DAEMON_OPTS=\"-nonat -log /srv/log\"\n", want: logs("/srv/log")},
		"without quotes":                    {unit: unit, env: "DAEMON_OPTS=-nonat -log /srv/log\n", want: logs("/srv/log")},
		"single quotes":                     {unit: unit, env: "DAEMON_OPTS='-log /srv/log'\n", want: logs("/srv/log")},
		"over several lines":                {unit: unit, env: "DAEMON_OPTS=\"-nonat \\\n  -log /srv/log\"\n", want: logs("/srv/log")},
		"not set, not asked for":            {unit: started("-nc $MORE")},
		"the last assignment":               {unit: unit, env: "DAEMON_OPTS=\"-log /a\"\nDAEMON_OPTS=\"-log /b\"\n", want: logs("/b")},
		"the environment file is forgotten": {unit: unit, a: "[Service]\nEnvironmentFile=\n", env: "DAEMON_OPTS=\"-log /srv/log\"\n"},
		"a pattern of files":                {unit: unit, a: "[Service]\nEnvironmentFile=\nEnvironmentFile=/etc/default/free*\n", env: "DAEMON_OPTS=\"-log /srv/log\"\n", want: logs("/srv/log")},
		"FREESWITCH_OPTS":                   {unit: started("-nc") + "Environment=\"FREESWITCH_OPTS=-log /srv/log\"\n", want: logs("/srv/log")},

		"all of them": {unit: started("-conf /c -log /l -db /d -run /r -certs /k -recordings /rec -storage /s"),
			want: layout{logs: "/l", databases: "/d", run: "/r", keys: "/k", recordings: "/rec", storage: "/s"}, conf: "/c"},
		"-base": {unit: started("-base /b"), conf: "/b/conf",
			want: layout{logs: "/b/log", databases: "/b/db", run: "/b/run", keys: "/b/cert", recordings: "/b/recordings", storage: "/b/storage"}},
		"-base and one else": {unit: started("-log /l -base /b"), conf: "/b/conf",
			want: layout{logs: "/l", databases: "/b/db", run: "/l", keys: "/b/cert", recordings: "/b/recordings", storage: "/b/storage"}},
		"fs-harden's own configuration":  {unit: started("-conf /etc/freeswitch/")},
		"the last one counts":            {unit: started("-log /a -log /b"), want: logs("/b")},
		"nothing behind it":              {unit: started("-nc -log")},
		"a name with a blank":            {unit: started(`-log "/srv/my log"`), want: logs("/srv/my log")},
		"a variable with a blank":        {unit: started(`-log ${L}`) + "Environment='L=/srv/my log'\n", want: logs("/srv/my log")},
		"a variable in a name":           {unit: started(`-log ${L}/log`) + "Environment=L=/srv\n", want: logs("/srv/log")},
		"over several lines of the unit": {unit: "[Service]\nExecStart = /usr/bin/freeswitch -nc \\\n  -log \\\n  /srv/log\n", want: logs("/srv/log")},
		"below the working folder":       {unit: started("-log log") + "WorkingDirectory=-/srv\n", want: layout{logs: "/srv/log", run: "/srv/log", work: "/srv"}},
		"below the root":                 {unit: started("-log log"), want: logs("/log")},

		"a drop-in starts another":     {unit: started("-log /a"), a: "[Service]\nExecStart=\nExecStart=/usr/bin/freeswitch -log /b\n", want: logs("/b")},
		"the later drop-in":            {unit: started("-log /a"), a: "[Service]\nExecStart=\nExecStart=/usr/bin/freeswitch -log /b\n", b: "[Service]\nExecStart=\nExecStart=/usr/bin/freeswitch -log /c\n", want: logs("/c")},
		"a comment between the pieces": {unit: "[Service]\nExecStart=/usr/bin/freeswitch -nc \\\n# -log /a \\\n; -log /b\n  -log /c\n", want: logs("/c")},
		"a comment is not continued":   {unit: "[Service]\n# why \\\nExecStart=/usr/bin/freeswitch -log /a\n", want: logs("/a")},
		"broken at the end":            {unit: "[Service]\nExecStart=/usr/bin/freeswitch -log /a \\", want: logs("/a")},
		"another section":              {unit: "[Unit]\nExecStart=/usr/bin/freeswitch -log /a\n"},
		"commented out":                {unit: started("-nc"), a: "[Service]\n#ExecStart=\n;ExecStart=/usr/bin/freeswitch -log /a\n"},
		"nothing is started":           {unit: started("-log /a"), a: "[Service]\nExecStart=\n"},
		"nothing but a variable":       {unit: "[Service]\nEnvironment=X=\nExecStart=$X\n"},
		"no unit":                      {},
		"behind another program":       {unit: "[Service]\nExecStart=-/usr/bin/chrt -f 50 /usr/bin/freeswitch -log /a\n", want: logs("/a")},
		"with another name":            {unit: "[Service]\nExecStart=@/opt/bin/freeswitch freeswitch -log /a\n", want: logs("/a")},

		"a script":                     {unit: "[Service]\nExecStart=/srv/start -log /a\n", told: "starts FreeSWITCH by /srv/start"},
		"a shell":                      {unit: "[Service]\nExecStart=/bin/sh -c 'exec /usr/bin/freeswitch -log /a'\n", told: "starts FreeSWITCH by /bin/sh"},
		"a variable not set":           {unit: started("-log ${NONE}"), told: "names the folder ${NONE}"},
		"a specifier":                  {unit: started("-log %L/fs"), told: "names the folder %L/fs"},
		"a home":                       {unit: started("-nc") + "WorkingDirectory=~\n", told: "names the folder ~"},
		"an escape":                    {unit: started(`-log /srv/my\x20log`), told: "names the folder /srv/my"},
		"logs beside its own folders":  {unit: started("-log /usr/local/freeswitch -run /r"), want: layout{run: "/r"}, told: "write into /usr/local/freeswitch"},
		"logs above its program":       {unit: "[Service]\nExecStart=/opt/fs/bin/freeswitch -log /opt/fs -run /r\n", want: layout{run: "/r"}, told: "write into /opt/fs"},
		"logs among the configuration": {unit: started("-log /etc/freeswitch/ -run /r"), want: layout{run: "/r"}, told: "write into /etc/freeswitch"},
		"logs among the keys":          {unit: started("-log /k -certs /k/k -run /r"), want: layout{keys: "/k/k", run: "/r"}, told: "write into /k"},
		"logs beside recordings":       {unit: started("-log /srv/fs -recordings /srv/fs/rec -run /r"), want: layout{recordings: "/srv/fs/rec", run: "/r"}, told: "write into /srv/fs"},
		"logs in a home":               {unit: started("-log /home/admin -run /r"), passwd: "admin:x:1:1::/home/admin:/bin/sh\n", want: layout{run: "/r"}, told: "write into /home/admin"},
		"logs in the root":             {unit: started("-log / -run /r"), want: layout{run: "/r"}, told: "write into /, "},
		"a folder of all":              {unit: started("-log /var/log/ -run /r"), want: layout{run: "/r"}, told: "write into /var/log"},
		"keys of all":                  {unit: started("-certs /etc/ssl/private"), told: "write into /etc/ssl/private"},
		"another file":                 {unit: started("-cfgname other.xml"), told: "read other.xml in place"},
		"the file it reads":            {unit: started("-cfgname freeswitch.xml")},
		"another configuration":        {unit: started("-conf /srv/conf"), conf: "/srv/conf", told: "read its configuration in /srv/conf, and fs-harden takes the one in /etc/freeswitch"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for p, text := range map[string]string{"/lib/u.service": c.unit, "/etc/u.service.d/a.conf": c.a, "/etc/u.service.d/b.conf": c.b, env: c.env, "/etc/passwd": c.passwd} {
				if text != "" {
					files[p] = text
				}
			}
			s := sceneOf(t, files)
			unitFolders(s)
			var got layout
			if len(s.layouts) > len(layouts) {
				got = s.layouts[len(layouts)]
			}
			if got != c.want {
				t.Errorf("got %+v", got)
			}
			if c.conf == "" {
				c.conf = "/etc/freeswitch"
			}
			if c.conf != "/etc/freeswitch" && c.told == "" {
				c.told = "read its configuration in " + c.conf
			}
			if s.ConfDir != c.conf {
				t.Errorf("the configuration is looked for in %s", s.ConfDir)
			}
			switch {
			case c.told == "" && len(s.found) > 0, c.told != "" && len(s.found) != 1:
				t.Errorf("%d findings: %+v", len(s.found), s.found)
			case c.told != "" && (!strings.Contains(s.found[0].Why, c.told) || !strings.Contains("/lib/u.service /etc/u.service.d/a.conf", s.found[0].Path)):
				t.Errorf("want %q, got %+v", c.told, s.found[0])
			}
		})
	}
}

// counting counts what is asked of a tree.
type counting struct {
	Tree
	globs, peeks *int
}

func (c counting) Peek(p string, from int64, n int) ([]byte, error) {
	*c.peeks++
	return c.Tree.Peek(p, from, n)
}

func (c counting) Glob(pattern string) ([]string, error) {
	*c.globs++
	return c.Tree.Glob(pattern)
}

// A unit that was made to cost memory or time costs little.
func TestUnitThatMultiplies(t *testing.T) {
	files := map[string]string{
		"/lib/u.service": "[Service]\n" + strings.Repeat("EnvironmentFile=/e/*\n", 1000) + "ExecStart=/usr/bin/freeswitch" + strings.Repeat(" ${X}", 100) + "\n",
		"/e/0":           "X=-" + strings.Repeat("x", 1<<20) + "\n",
	}
	for _, n := range "abcdefghijklmnopqrstuvwxyz" {
		files["/e/"+string(n)] = "Y=\n"
	}
	s := sceneOf(t, files)
	c := counting{s.Tree, new(int), new(int)}
	s.Tree = c
	size := 0
	for _, w := range s.unit().command {
		size += len(w)
	}
	if size < 1<<20 || size > 4<<20 {
		t.Errorf("the command has %d bytes", size)
	}
	if *c.globs > 20 || *c.peeks > 23 {
		t.Errorf("%d folders are listed, %d files are read", *c.globs, *c.peeks)
	}
}

func TestConfDir(t *testing.T) {
	s := sceneOf(t, map[string]string{"/lib/u.service": "[Service]\nExecStart=/usr/bin/freeswitch -conf /srv/conf\n"})
	if got := ConfDir(s.Tree, s.Unit); got != "/srv/conf" {
		t.Errorf("got %q", got)
	}
	if got := ConfDir(s.Tree, nil); got != "" {
		t.Errorf("without a unit: got %q", got)
	}
}
