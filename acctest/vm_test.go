//go:build linux && acceptance

package acctest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

// The whole way on a machine with a kernel of its own: Packer's qemu builder
// bakes a disk, and two overlays of it boot.
func TestAVirtualMachine(t *testing.T) {
	disk, err := undefended(t).Disk(shop.ctx, "vanilla")
	if err != nil {
		t.Fatal(err)
	}
	if err := shop.Packer.InstallQemu(shop.ctx); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	output := filepath.Join(dir, "output")
	config := disk.Source("golden", output) + `
build {
  sources = ["source.qemu.golden"]
  provisioner "freeswitch-harden" {
    report = "` + filepath.Join(dir, "report.json") + `"
  }
  # An update of the kernel needs this. The machine stays one that is being baked.
  provisioner "shell" {
    inline            = ["sudo systemctl reboot"]
    expect_disconnect = true
  }
  provisioner "shell" {
    pause_before = "10s"
    inline = [
      "sudo systemctl is-system-running --wait >/dev/null || true",
      "sudo test -e /run/fs-harden/baking -a ! -e /var/lib/fs-harden/committed.json -a ! -e /root/freeswitch-credentials.txt",
      "! sudo fs-harden gate",
      "! systemctl --quiet is-active freeswitch",
      "sudo fs-harden status | grep 'image is being made'",
      "sudo fs-harden inspect",
    ]
  }
  provisioner "shell" {
    inline = [
      "umask 077; sudo cat /etc/freeswitch/vars.xml > vars.xml",
      "umask 077; sudo cat /etc/freeswitch/autoload_configs/event_socket.conf.xml > event_socket.conf.xml",
    ]
  }
  provisioner "file" {
    direction   = "download"
    sources     = ["vars.xml", "event_socket.conf.xml"]
    destination = "` + dir + `/"
  }
  provisioner "shell" {
    inline = ["rm vars.xml event_socket.conf.xml", "sudo truncate -s 0 /etc/machine-id", "sudo rm -f /etc/ssh/ssh_host_* /var/lib/systemd/random-seed", "sudo sync"]
  }
}
`
	if err := os.WriteFile(filepath.Join(dir, "golden.pkr.hcl"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := shop.Packer.Run(shop.ctx, dir, "build", "."); err != nil {
		t.Fatal(err)
	} else {
		t.Log(out)
	}

	golden := disk.Baked(filepath.Join(output, "golden"))
	seen := map[string]string{
		found(t, filepath.Join(dir, "vars.xml"), sipLine):              "the image",
		found(t, filepath.Join(dir, "event_socket.conf.xml"), eslLine): "the image",
	}
	// The second with an empty battery: systemd makes of 1970 the day of its release.
	for i, clock := range []string{"", "1970-01-01T00:00:00"} {
		vm, err := golden.Boot(shop.ctx, fmt.Sprintf("vm%d", i+1), lab.BootOptions{Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		m := machine{vm, t}
		m.waitBoot()
		sip, esl := m.secrets()
		for _, s := range []string{sip, esl} {
			if other, ok := seen[s]; ok {
				t.Errorf("%s has a secret of %s", m.Name(), other)
			}
			seen[s] = m.Name()
		}
		// This machine's identity is the hypervisor's.
		if want, got := m.run("cat", "/sys/class/dmi/id/product_uuid"), m.sh("fs-harden status"); !strings.Contains(got, want) {
			t.Errorf("bound to %s, not to %s", got, want)
		}
		checkInstance(m)
		t.Log(m.sh("systemd-analyze blame --no-pager | grep -E 'fs-harden|freeswitch' || true"))
		if i == 0 {
			before := m.sh(wholeState)
			if err := m.Reboot(shop.ctx); err != nil {
				t.Fatal(err)
			}
			m.waitBoot()
			if after := m.sh(wholeState); after != before {
				t.Errorf("the reboot changed\n%s\nto\n%s", before, after)
			}
			checkInstance(m)
		}
		if err := vm.Kill(); err != nil {
			t.Error(err)
		}
	}
}
