//go:build linux && acceptance

package acctest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/netns"
)

// banning is a kernel with a real fail2ban that bans in it.
func banning(t *testing.T) (*kernel, *netns.Fail2ban) {
	t.Helper()
	if !netns.HaveFail2ban() {
		t.Fatal("fail2ban is not installed: apt-get install fail2ban; its service need not run")
	}
	k := hardened(t, `{}`)
	action, err := os.ReadFile(filepath.Join(k.tree, "etc/fail2ban/action.d/fs-harden.py"))
	k.must(err)
	// The rules lie in the tree, not on the machine that runs this.
	text := strings.Replace(string(action), `"/etc/fs-harden/nftables.nft"`, fmt.Sprintf("%q", k.rules), 1)
	f, err := netns.NewFail2ban(k.server, t.TempDir(), "fs-harden.py", map[string]string{"fs-harden.py": text})
	k.must(err)
	return k, f
}

// Whatever happens to fail2ban and to the table, the kernel bans what fail2ban
// says is banned, and nothing else.
func TestFail2banAndTheKernelAgree(t *testing.T) {
	k, f := banning(t)
	client := func(args ...string) {
		t.Helper()
		if out, err := f.Client(args...); err != nil {
			t.Fatalf("fail2ban-client %s: %v\n%s\n%s", strings.Join(args, " "), err, out, f.Log())
		}
	}
	expect := func(when string, want ...string) {
		t.Helper()
		var have string
		for range 100 {
			have = k.banned()
			if have == strings.Join(want, " ") {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Errorf("%s: the kernel bans %q, want %q\n%s", when, have, want, f.Log())
	}
	client("start")
	t.Cleanup(func() { _, _ = f.Client("stop") })
	client("set", "freeswitch", "banip", source, sourceV6, other)
	expect("banned", source, other, sourceV6)
	client("set", "freeswitch", "unbanip", other)
	expect("unbanned", source, sourceV6)
	client("set", "freeswitch", "banip", "198.51.100.0/24") // which it refuses, and goes on
	client("reload")
	expect("reloaded", source, sourceV6)
	k.must(f.Stop())
	expect("stopped: the kernel goes on banning", source, sourceV6)
	client("start")
	expect("started", source, sourceV6)
	client("set", "freeswitch", "unbanip", source) // which fail2ban had restored
	expect("a restored ban is lifted", sourceV6)

	k.run("nft", "flush", "ruleset")
	client("set", "freeswitch", "banip", other)
	expect("flushed, and one more is banned", other, sourceV6)
	k.run("nft", "flush", "ruleset")
	client("reload")
	expect("flushed and reloaded", other, sourceV6)
	k.must(f.Stop())
	k.run("nft", "flush", "ruleset")
	client("start")
	expect("flushed while it was stopped", other, sourceV6)

	k.must(f.Stop())
	k.must(f.Ignore(sourceV6))
	client("start")
	expect("ignored from now on", other)
	client("unban", "--all")
	expect("all are lifted")
	client("set", "freeswitch", "bantime", "2")
	client("set", "freeswitch", "banip", source)
	expect("banned for a moment", source)
	expect("and over")
}

// What was banned twice ends at the later time. (From Linux 6.12 on adding it
// again is enough; before, it keeps its first.)
func TestABanIsRenewed(t *testing.T) {
	k, f := banning(t)
	_, err := f.Client("start")
	k.must(err)
	t.Cleanup(func() { _, _ = f.Client("stop") })
	k.run("nft", "add", "element", "inet", "fs_harden", "ban_freeswitch_v4", "{ "+source+" timeout 60s }")
	_, err = f.Client("set", "freeswitch", "banip", source)
	k.must(err)
	for range 50 {
		if strings.Contains(k.run("nft", "list", "set", "inet", "fs_harden", "ban_freeswitch_v4"), "timeout 1d") ||
			strings.Contains(k.run("nft", "list", "set", "inet", "fs_harden", "ban_freeswitch_v4"), "timeout 23h59m") {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("not renewed:\n%s", k.run("nft", "list", "set", "inet", "fs_harden", "ban_freeswitch_v4"))
}

var element = regexp.MustCompile(`([0-9a-f.:]+) timeout`)

// banned are the members of the jail's two sets, IPv4 first.
func (k *kernel) banned() string {
	var out []string
	for _, v := range []string{"v4", "v6"} {
		listing, _ := k.server.Run("", "nft", "list", "set", "inet", "fs_harden", "ban_freeswitch_"+v)
		for _, m := range element.FindAllStringSubmatch(listing, -1) {
			out = append(out, m[1])
		}
	}
	return strings.Join(out, " ")
}

var counts = regexp.MustCompile(`packets \d+ bytes \d+`)

func withoutCounts(listing string) string { return counts.ReplaceAllString(listing, "") }

// connectMany begins connections and gives each a moment only.
func connectMany(source, target string, n int) error {
	local, err := net.ResolveTCPAddr("tcp", source+":0")
	if err != nil {
		return err
	}
	dialer := net.Dialer{LocalAddr: local, Timeout: 2 * time.Millisecond}
	for range n {
		if c, err := dialer.Dial("tcp", target); err == nil {
			_ = c.Close()
		}
	}
	return nil
}
