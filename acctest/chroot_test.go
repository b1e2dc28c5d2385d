//go:build linux && acceptance

package acctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// A chroot shares the network of the build host. There the packages are
// installed, the files written, and nothing is started or enforced; the machine
// that boots from it has its jails, its table and its firewall.
func TestAMachineFromAChroot(t *testing.T) {
	lab.Require(t)
	debian, err := shop.Lab.Debian(shop.ctx)
	if err != nil {
		t.Fatal(err)
	}
	image, err := debian.InstallFreeSWITCH(shop.ctx)
	if err != nil {
		t.Fatal(err)
	}
	helper, err := os.ReadFile(filepath.Join(shop.Project, ".build/fs-harden-linux-amd64"))
	if err != nil {
		t.Fatal(err)
	}
	host := hostNetfilter(t)
	baked, err := image.Derive(shop.ctx, "chroot-baked", func(root string) error {
		if err := os.WriteFile(filepath.Join(root, "root/fs-harden"), helper, 0o755); err != nil {
			return err
		}
		// As chroot builders do.
		const apply = "mount -t proc proc /proc && /root/fs-harden apply 2>&1; s=$?; umount /proc; exit $s"
		out, err := lab.Chroot(shop.ctx, root, "sh", "-c", apply)
		if err != nil {
			return err
		}
		for _, want := range []string{
			"installed: fail2ban, python3-systemd, nftables, ufw", "loaded at the next boot",
			"fail2ban starts at the next boot", "comes up at the next boot",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("the report does not say %q:\n%s", want, out)
			}
		}
		if _, err := os.Stat(filepath.Join(root, "usr/sbin/policy-rc.d")); err == nil {
			t.Error("policy-rc.d was left behind")
		}
		for _, p := range left(root) {
			t.Errorf("left running on the build host: %s", p)
		}
		out, err = lab.Chroot(shop.ctx, root, "sh", "-c", apply)
		if strings.Contains("\n"+out, "\nchanged") {
			t.Errorf("the second apply changed something:\n%s", out)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if now := hostNetfilter(t); now != host {
		t.Errorf("the build host's netfilter was\n%s\nand is\n%s", host, now)
	}
	m := boot(t, baked, "chroot-booted", lab.BootOptions{})
	m.waitJails(5)
	m.letsIn(map[string]bool{"tcp 22": true, "udp 5060": true, "tcp 1234": false})
	m.fail("10.99.0.1", 20)
	m.soon("freeswitch", "10.99.0.1")
	m.run("fs-harden", "verify")
}

// hostNetfilter is what the kernel does with this very host's packets, without
// its counters.
func hostNetfilter(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(shop.ctx, "nft", "list", "ruleset").CombinedOutput()
	if err != nil {
		t.Fatalf("nft list ruleset: %v\n%s", err, out)
	}
	return withoutCounts(string(out))
}

// left are the processes whose root is a folder of the build host.
func left(root string) (programs []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/root") // the pattern is well formed
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && at == root {
			name, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "comm"))
			programs = append(programs, strings.TrimSpace(string(name)))
		}
	}
	return programs
}
