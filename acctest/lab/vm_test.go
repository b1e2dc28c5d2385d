//go:build linux && acceptance

package lab

import "testing"

// That Packer bakes a disk, and that a reboot keeps its state, the acceptance
// tests show on their way.
func TestVM(t *testing.T) {
	l, ctx := newLab(t)
	debian, err := l.Debian(ctx)
	if err != nil {
		t.Fatal(err)
	}
	clock := stopwatch(t)
	disk, err := debian.Disk(ctx, "debian")
	if err != nil {
		t.Fatal(err)
	}
	clock("disk")
	vm, err := disk.Boot(ctx, "vm", BootOptions{InstanceID: "i-lab0002"})
	if err != nil {
		t.Fatal(err)
	}
	waitBoot(t, ctx, vm)
	clock("virtual machine booted")

	if got := exec1(t, ctx, vm, "cat", "/sys/class/dmi/id/product_uuid"); got != vm.options.UUID {
		t.Errorf("product_uuid is %q, want %q", got, vm.options.UUID)
	}
	if got := exec1(t, ctx, vm, "printf", "%s|", "it's", `"$HOME"`, ""); got != `it's|"$HOME"||` {
		t.Errorf("arguments came through as %q", got)
	}
	if got := exec1(t, ctx, vm, "cat", "/run/cloud-init/.instance-id"); got != "i-lab0002" {
		t.Errorf("cloud-init takes the instance for %q", got)
	}
	if got := exec1(t, ctx, vm, "hostname"); got != "vm" {
		t.Errorf("host name %q", got)
	}
	clock("four commands")
	if err := vm.Poweroff(ctx); err != nil {
		t.Fatal(err)
	}
	clock("poweroff")
	if left := leftOf(t, vm.dir); len(left) > 0 {
		t.Errorf("the machine left behind %v", left)
	}
}
