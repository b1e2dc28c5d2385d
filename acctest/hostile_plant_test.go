//go:build linux && acceptance

package acctest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// planter is a user who puts what he likes into what is his. Root does it for him
// here, and gives it to him: no folder of others is ever written into.
type planter struct {
	t      *testing.T
	random *rand.Rand
	tr     tree
	uid    int
	tops   []string // that are his, as seen on the machine
	names  []string
	did    []string
}

// switchNames and homeNames are those of what the helper looks for, and of what it
// writes.
var (
	switchNames = []string{
		"vars.xml", "freeswitch.xml", "a.xml", "evil.sh", "x", "y", "tls", "ssl", "CA", "wss.pem", "dtls-srtp.pem", "k.pem", "vars.xml.bak",
		"autoload_configs", "sip_profiles", "event_socket.conf.xml", "internal.xml",
		"freeswitch.log", "fs-harden-auth.log", "zz.log", "xml_cdr", "freeswitch.xml.fsxml", "freeswitch.xml.fsxml.tmp", "core.123", "core", "freeswitch.pid",
		"db", "core.db", "a.db", "a.db-wal", "recordings", ".fs-harden-aside-ABCDEFGHIJ", ".vars.xml.fs-harden-tmp-ABCDEFGHIJ",
	}
	homeNames = []string{
		".fs_cli_conf", ".fs_cli_conf", ".fs_cli_conf", ".bash_history", ".fs_cli_history", ".local", ".ssh", ".netrc", ".aws", "packer-fs-harden-1",
		".fs-harden-aside-ABCDEFGHIJ", "..fs_cli_conf.fs-harden-tmp-ABCDEFGHIJ", "core.db", "x",
	}
)

// targets are where links lead to: to what is root's and others', to each other's,
// to nothing, and round in circles. With ".." before it, out of the machine.
var targets = []string{
	"/etc/shadow", "/etc/passwd", "/etc/profile.d", "/etc/profile.d/lang.sh", "/etc/cron.d", "/etc/cron.d/root.xml", "/etc/cron.d/new.xml",
	"/etc/ssh/keys", "/etc/ssh/keys/host.pem", "/etc/letsencrypt/live/x", "/var/lib/mysql", "/var/lib/mysql/core.db", "/var/lib/pg",
	"/root", "/etc", "/", "/dev", "/dev/zero", "/var/lib/fs-harden", "/var/lib/fs-harden/baked.json", "/etc/fs-harden/plan.json",
	"/usr/local/sbin/fs-harden", "/root/freeswitch-credentials.txt", "/etc/fs_cli.conf",
	adminHome, adminHome + "/papers", adminHome + "/papers/k.pem", adminHome + "/.fs_cli_conf",
	"/etc/freeswitch", "/etc/freeswitch/vars.xml", "/var/lib/freeswitch/storage", "/var/lib/freeswitch/storage/core.db",
	"/nowhere", "/etc/nothing/here", ".", "..", "../x", "/../../outside", "/../../outside/k.pem",
}

// likely are targets that the helper, if it followed a link of that name, would
// write to or remove.
var likely = []struct {
	name    string // a pattern
	targets []string
}{
	{"[xy]", []string{"/etc/cron.d"}},
	{"autoload_configs", []string{"/etc/cron.d"}},
	{"*.sh", []string{"/etc/cron.d/evil.sh", "/etc/cron.d/root.xml"}},
	{"*.xml", []string{"/etc/cron.d/root.xml", "/etc/cron.d/evil.sh", adminHome + "/papers/a.xml"}},
	{"tls", []string{"/etc/ssh/keys", "/etc/letsencrypt/live/x", adminHome + "/papers", "/var/lib/freeswitch/storage"}},
	{"*.pem", []string{"/etc/ssh/keys/host.pem", adminHome + "/papers/k.pem", "/var/lib/freeswitch/storage/k.pem", "/../../outside/k.pem"}},
	{"db", []string{"/var/lib/mysql", adminHome + "/papers", "/var/lib/freeswitch/storage", "/../../outside"}},
	{"*.db*", []string{"/var/lib/mysql/core.db", adminHome + "/papers/core.db"}},
	{"*.log", []string{"/etc/passwd", "/var/lib/pg/fs.log", "/var/lib/mysql"}},
	{"*.fsxml*", []string{"/etc/passwd", "/etc/fs-harden/plan.json"}},
	{".fs_cli_conf", []string{adminHome + "/papers/fs.log", "/etc/shadow", "/etc/fs_cli.conf"}},
	{".*_history", []string{"/etc/shadow", "/var/lib/freeswitch/storage/core.db"}},
}

// plant puts some things in place.
func (p *planter) plant() {
	for range 2 + p.random.IntN(10) {
		dir := pick(p.random, p.folders())
		name := pick(p.random, p.names)
		if entries, err := os.ReadDir(p.tr.dir + dir); err == nil && len(entries) > 0 && p.random.IntN(2) == 0 {
			name = entries[p.random.IntN(len(entries))].Name()
		}
		at := path.Join(dir, name)
		if isKept(at) || at == adminHome+"/papers" {
			continue
		}
		if err := p.makeRoom(at); err != nil {
			p.t.Fatal(err)
		}
		what, err := p.place(at)
		if errors.Is(err, unix.EPERM) && what == "device" {
			continue // this machine lets nobody make one
		}
		if err != nil {
			p.t.Fatalf("placing %s at %s: %v", what, at, err)
		}
		if err := give(p.tr.dir+at, p.uid); err != nil {
			p.t.Fatal(err)
		}
		p.did = append(p.did, at+": "+what)
	}
}

// folders are all real ones that are his.
func (p *planter) folders() []string {
	var out []string
	for _, top := range p.tops {
		if err := filepath.WalkDir(p.tr.dir+top, func(at string, d fs.DirEntry, err error) error {
			if at = strings.TrimPrefix(at, p.tr.dir); err == nil && d.IsDir() && !isKept(at) {
				out = append(out, at)
			}
			return err
		}); err != nil {
			p.t.Fatal(err)
		}
	}
	return out
}

// makeRoom takes away what stands there, or moves it aside.
func (p *planter) makeRoom(at string) error {
	if p.random.IntN(2) == 0 || strings.HasSuffix(at, "/storage") {
		err := os.Rename(p.tr.dir+at, p.tr.dir+at+".was")
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	return os.RemoveAll(p.tr.dir + at)
}

// place makes one thing, and tells what it is.
func (p *planter) place(at string) (string, error) {
	full := p.tr.dir + at
	switch kind := p.random.IntN(16); kind {
	case 0:
		return "FIFO", unix.Mkfifo(full, 0o644)
	case 1:
		return "socket", unix.Mknod(full, unix.S_IFSOCK|0o644, 0)
	case 2:
		return "device", unix.Mknod(full, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5)))
	case 3:
		return "file of 40 GB", errors.Join(os.WriteFile(full, nil, 0o644), os.Truncate(full, 40<<30))
	case 4:
		return "folder", os.Mkdir(full, 0o755)
	case 5:
		return "folder with a link in it", errors.Join(os.Mkdir(full, 0o755), os.Symlink("/etc/shadow", full+"/"+pick(p.random, p.names)))
	case 6:
		return "link to itself", os.Symlink(path.Base(at), full)
	case 7, 8, 9:
		text := pick(p.random, []string{
			"", "password = x\n", "a call\n", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n", "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x04\x00",
			"<include>\n  <X-PRE-PROCESS cmd=\"set\" data=\"default_password=1234\"/>\n</include>\n", "<include>", "<!DOCTYPE x [<!ENTITY a SYSTEM \"/etc/shadow\">]><include>&a;</include>",
		})
		return fmt.Sprintf("file %q", text), os.WriteFile(full, []byte(text), 0o644)
	case 10, 11, 12:
		target := p.target(at)
		if path.IsAbs(target) { // on the way through the machine's root
			target = strings.Repeat("../", strings.Count(path.Dir(at), "/")) + target[1:]
		}
		return "link to " + target, os.Symlink(target, full)
	default:
		target := p.target(at)
		return "link to " + target, os.Symlink(target, full)
	}
}

// target is where a link there is to lead.
func (p *planter) target(at string) string {
	for _, l := range likely {
		if matches(l.name, path.Base(at)) && p.random.IntN(2) == 0 {
			return pick(p.random, l.targets)
		}
	}
	return pick(p.random, targets)
}

// configure has FreeSWITCH's configuration lead elsewhere, where its files are
// still there.
func (p *planter) configure() {
	edit := func(name, before, text string) {
		at := p.tr.dir + "/etc/freeswitch/" + name
		b, err := os.ReadFile(at)
		if err != nil {
			p.t.Fatal(err)
		}
		if err := os.WriteFile(at, bytes.Replace(b, []byte(before), []byte(text+before), 1), 0o640); err != nil {
			p.t.Fatal(err)
		}
		p.did = append(p.did, "/etc/freeswitch/"+name+" with "+text)
	}
	switch p.random.IntN(6) {
	case 0:
		log := pick(p.random, []string{"/var/lib/pg/fs.log", adminHome + "/papers/fs.log", "/etc/cron.d/fs.log", "/var/lib/freeswitch/storage/fs.log"})
		text := `<configuration name="logfile.conf"><profiles><profile name="default"><settings><param name="logfile" value="` + log + `"/></settings></profile></profiles></configuration>`
		if err := os.WriteFile(p.tr.dir+"/etc/freeswitch/autoload_configs/logfile.conf.xml", []byte(text), 0o640); err != nil {
			p.t.Fatal(err)
		}
		p.did = append(p.did, "/etc/freeswitch/autoload_configs/logfile.conf.xml: "+text)
	case 1:
		dir := pick(p.random, []string{"/etc/letsencrypt/live/x", "/etc/ssh/keys", adminHome + "/papers", "/var/lib/freeswitch/storage"})
		edit("sip_profiles/internal.xml", "</settings>", `<param name="tls-cert-dir" value="`+dir+`"/>`)
	case 2:
		edit("vars.xml", "</include>", `<X-PRE-PROCESS cmd="include" data="`+pick(p.random, targets)+`"/>`)
	case 3:
		edit("vars.xml", "</include>", `<X-PRE-PROCESS cmd="include" data="*/*"/>`)
	case 4:
		edit("vars.xml", "</include>", `<X-PRE-PROCESS cmd="exec" data="touch /etc/cron.d/exec"/>`)
	}
}

func pick[T any](random *rand.Rand, of []T) T { return of[random.IntN(len(of))] }
