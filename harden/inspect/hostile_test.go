package inspect_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// files are read by a look, each in its own way.
var files = []string{
	"/etc/passwd", "/etc/shadow", "/etc/fstab", "/etc/machine-id", "/etc/fs_cli.conf", sshd, "/etc/ssh/sshd_config.d/50-keys.conf",
	"/root/.ssh/authorized_keys", "/root/.ssh/id_rsa", "/root/.netrc", "/root/.docker/config.json", "/home/admin/.bash_history",
	wss, tgz, originals, state.BakedPath, "/var/log/freeswitch/freeswitch.log", "/var/log/freeswitch/freeswitch.xml.fsxml",
	"/var/lib/freeswitch/db/core.db", "/var/lib/freeswitch/recordings/a.wav", "/var/lib/systemd/random-seed", "/swapfile",
	"/var/lib/cloud/seed/nocloud/user-data", "/root/freeswitch-credentials.txt",
	"/core.1", "/root/core", "/var/lib/freeswitch/db/core", "/var/lib/systemd/coredump/core.x", "/var/lib/apport/coredump/core.x", "/var/crash/x.crash",
	"/etc/freeswitch/wss.pem", "/etc/freeswitch/vars.xml~", "/etc/freeswitch/site.yaml", "/var/lib/freeswitch/db/calls", "/var/log/cloud-init.log", "/var/log/dpkg.log",
	"/etc/cloud/cloud.cfg", "/var/log/installer/x", "/root/preseed.cfg", "/var/cache/debconf/passwords.dat", "/var/lib/dhcp/dhclient.leases", "/etc/sudoers", "/etc/sudoers.d/packer",
	"/etc/letsencrypt/live/x/privkey.pem", "/etc/ssl/private/x.key", "/etc/wireguard/wg0.conf", "/etc/ipsec.secrets", "/etc/ppp/pap-secrets", "/etc/netplan/x.yaml",
	"/etc/apt/auth.conf", "/etc/apt/auth.conf.d/freeswitch.conf", "/etc/apt/sources.list", "/root/.npmrc", "/root/.kube/config", "/root/site.pem", "/home/admin/.zsh_history",
	dpkgStatus, unitFile, dropIn, "/etc/default/freeswitch", "/usr/local/freeswitch/bin/freeswitch", "/usr/local/freeswitch/lib/pkgconfig/freeswitch.pc",
}

// What is no file is never opened: nobody writes into these fifos, and a look
// that waited would wait for ever. Nor is a folder taken for a file.
func TestFifosAndFoldersAreNotRead(t *testing.T) {
	tr := newTree(t)
	for _, mk := range []func(string) error{
		func(p string) error { return syscall.Mkfifo(p, 0o600) },
		func(p string) error { return os.Mkdir(p, 0o700) },
	} {
		for _, p := range files {
			tr.remove(p)
			tr.folder(filepath.Dir(p))
			tr.must(mk(tr.at(p)))
			*tr.undo = append(*tr.undo, func() { tr.must(os.Remove(tr.at(p))) })
		}
		// A record that is no file is no record, and said to be none.
		found := slices.DeleteFunc(tr.look(inspect.Options{}), func(f inspect.Found) bool { return f.Path == state.BakedPath })
		if len(found) > 0 {
			t.Errorf("found:%s", list(found))
		}
		tr.clean()
	}
}

// FreeSWITCH itself would wait for ever for this one, so it is told.
func TestFifoInTheConfiguration(t *testing.T) {
	tr := newTree(t)
	tr.must(syscall.Mkfifo(tr.at("/etc/freeswitch/directory/x.xml"), 0o600))
	wantOne(t, tr.look(inspect.Options{}), "/etc/freeswitch/freeswitch.xml", "is never opened")
}

func TestGiants(t *testing.T) {
	tr := newTree(t)
	for _, p := range []string{"/etc/passwd", "/etc/freeswitch/directory/x.xml", originals, tgz, "/root/.netrc", dpkgStatus, unitFile, "/etc/default/freeswitch",
		"/etc/freeswitch/scripts/x.lua", "/etc/sudoers", "/root/site.pem", "/etc/cloud/cloud.cfg", "/etc/ipsec.secrets", "/etc/apt/sources.list", "/home/admin/.ssh/config"} {
		tr.sparse(p, 1<<30)
		at := p
		if strings.HasSuffix(p, ".xml") {
			at = "/etc/freeswitch/freeswitch.xml"
		}
		wantOne(t, tr.look(inspect.Options{}), at, "1073741824 bytes")
		tr.clean()
	}
}

// A link that leaves the tree leads to the same place inside it: what lies on
// the machine that looks is never read.
func TestLinksStayInTheTree(t *testing.T) {
	outside := newTree(t)
	for _, p := range poisons(t) {
		if p.look != "shared-secrets" {
			p.put(outside)
		}
	}
	tr := newTree(t)
	for _, p := range files {
		tr.link(p, outside.at(p))
	}
	if found := tr.look(inspect.Options{}); len(found) > 0 {
		t.Errorf("absolute:%s", list(found))
	}
	for _, p := range files {
		tr.link(p, strings.Repeat("../", 30)+strings.TrimPrefix(outside.at(p), "/"))
	}
	if found := tr.look(inspect.Options{}); len(found) > 0 {
		t.Errorf("relative:%s", list(found))
	}
	tr.clean()
	// Folders as well.
	for _, p := range []string{"/var/lib/cloud", "/home", "/usr/local/freeswitch", "/var/lib/freeswitch", "/srv/keys"} {
		if _, err := os.Lstat(tr.at(p)); err == nil {
			tr.must(os.RemoveAll(tr.at(p)))
		}
		tr.link(p, outside.at(p))
	}
	if found := tr.look(inspect.Options{}); len(found) > 0 {
		t.Errorf("folders:%s", list(found))
	}
}

// A link of root's inside the tree is followed, and what it leads to is what must
// go; by a person's hand, for the link may be anybody's.
func TestLinksInsideTheTree(t *testing.T) {
	tr := newTree(t)
	tr.put("/srv/real", "ls\n")
	tr.link("/home/admin/.bash_history", "/srv/real")
	found := tr.look(inspect.Options{})
	wantOne(t, found, "/srv/real", "typed")
	if found[0].Fix != inspect.None {
		t.Errorf("the bake would %s it", found[0].Fix)
	}
}

func TestLinksInACircleAreTold(t *testing.T) {
	tr := newTree(t)
	tr.link("/etc/shadow", "/etc/shadow")
	wantOne(t, tr.look(inspect.Options{}), "/etc/shadow", "cannot be read")
}

// closed is a tree in which one folder or file may not be opened.
type closed struct {
	*host.Host
	path string
}

func (c closed) check(op, p string) error {
	if p == c.path && op != "stat" || strings.HasPrefix(p, c.path+"/") {
		return &fs.PathError{Op: op, Path: p, Err: syscall.EACCES}
	}
	return nil
}

func (c closed) ReadFile(p string) ([]byte, error) {
	if err := c.check("open", p); err != nil {
		return nil, err
	}
	return c.Host.ReadFile(p)
}

func (c closed) ReadDir(p string) ([]string, error) {
	if err := c.check("open", p); err != nil {
		return nil, err
	}
	return c.Host.ReadDir(p)
}

func (c closed) Glance(p string) (host.Glimpse, error) {
	if err := c.check("stat", p); err != nil {
		return host.Glimpse{}, err
	}
	return c.Host.Glance(p)
}

func (c closed) Peek(p string, from int64, n int) ([]byte, error) {
	if err := c.check("open", p); err != nil {
		return nil, err
	}
	return c.Host.Peek(p, from, n)
}

// What may not be read is one error that names the folder that is in the way,
// not one for each file that might be in it, and never silence.
func TestUnreadable(t *testing.T) {
	tr := newTree(t)
	tr.put("/root/.netrc", "password x")
	tr.put(wss, "x")
	tr.sparse("/swap.img", 4096)
	tr.put("/core.1", "x")
	for path, want := range map[string]string{
		"/root": "/root", "/home/admin": "/home/admin", "/etc/ssh": "/etc/ssh", "/var/log/freeswitch": "/var/log/freeswitch",
		"/etc/shadow": "/etc/shadow", "/etc/freeswitch": "/etc/freeswitch", "/var/lib/fs-harden": "/var/lib/fs-harden",
		"/swap.img": "/swap.img", "/var/lib/cloud": "/var/lib/cloud",
		unitFile: unitFile, "/etc/default/freeswitch": "/etc/default/freeswitch", dpkgStatus: dpkgStatus,
		"/var/lib/systemd/coredump": "/var/lib/systemd/coredump", "/etc/freeswitch/scripts": "/etc/freeswitch/scripts", "/etc/freeswitch/vars.xml~": "/etc/freeswitch/vars.xml~",
		"/var/log/journal": "/var/log/journal", "/var/log/apt": "/var/log/apt", "/etc/letsencrypt": "/etc/letsencrypt", "/etc/wireguard": "/etc/wireguard", "/etc/sudoers": "/etc/sudoers",
		"/etc/apt/auth.conf.d": "/etc/apt/auth.conf.d", "/etc/cloud/cloud.cfg.d": "/etc/cloud/cloud.cfg.d", "/home/admin/.ssh": "/home/admin/.ssh", "/root/site.pem": "/root/site.pem",
		"/var/crash": "/var/crash", "/core.1": "/core.1",
	} {
		found, err := inspect.Look(context.Background(), closed{tr.host(), path}, inspect.Options{ConfDir: confDir, Unit: units, Building: true})
		if err != nil {
			t.Fatal(err)
		}
		found = slices.DeleteFunc(found, func(f inspect.Found) bool { return f.Path == "/root/.netrc" })
		if path == "/etc/freeswitch" || path == "/var/lib/fs-harden" { // also what would have been read from it
			found = slices.DeleteFunc(found, func(f inspect.Found) bool { return f.Look == "shared-secrets" && f.Path != want })
		}
		if len(found) != 1 || found[0].Path != want || found[0].Severity != "error" {
			t.Errorf("%s: want one error that names %s:%s", path, want, list(found))
		}
	}
}

func TestBrokenOff(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if found, err := inspect.Look(ctx, newTree(t).host(), inspect.Options{}); err == nil || found != nil {
		t.Errorf("%v, %v", found, err)
	}
}

// Without FreeSWITCH the system is looked at all the same.
func TestNoFreeSWITCH(t *testing.T) {
	tr := newTree(t)
	tr.put("/etc/ssh/ssh_host_rsa_key", "x")
	tr.put(wss, "-----BEGIN PRIVATE KEY-----")
	found, err := inspect.Look(context.Background(), tr.host(), inspect.Options{})
	if err != nil || len(found) != 2 {
		t.Errorf("want the two keys, %v:%s", err, list(found))
	}
}

func wantOne(t *testing.T, found []inspect.Found, path, why string) {
	t.Helper()
	if len(found) != 1 || found[0].Path != path || !strings.Contains(found[0].Why, why) {
		t.Errorf("want %s (%s):%s", path, why, list(found))
	}
}

// A configuration of secrets alone takes no memory without bound, and that not all of
// them were looked at is told.
func TestManySecretsOfASite(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	tr.put(vars, "<include>\n"+strings.Repeat("<a pass=\"xyz\"/>\n", 100001)+"</include>")
	n := 0
	for _, f := range tr.look(inspect.Options{}) {
		if f.Look == "site-secrets" && strings.Contains(f.Why, "more than 100000") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("told %d times", n)
	}
}
