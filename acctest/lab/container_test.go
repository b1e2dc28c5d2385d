//go:build linux && acceptance

package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newLab starts a lab that ends with the test.
func newLab(t *testing.T) (*Lab, context.Context) {
	t.Helper()
	Require(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	l, err := New(ctx, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, ctx
}

func TestContainers(t *testing.T) {
	l, ctx := newLab(t)
	clock := stopwatch(t)
	debian, err := l.Debian(ctx)
	if err != nil {
		t.Fatal(err)
	}
	clock("root filesystem")

	// Ending a must leave alone what belongs to a-b.
	a, b := boot(t, ctx, debian, "a"), boot(t, ctx, debian, "a-b")
	clock("two containers booted")
	idA, idB := exec1(t, ctx, a, "cat", "/etc/machine-id"), exec1(t, ctx, b, "cat", "/etc/machine-id")
	if idA == idB || len(idA) != 32 {
		t.Errorf("machine ids %q and %q: want two different ones of 32 digits", idA, idB)
	}
	if idA != plainUUID(a.options.UUID) {
		t.Errorf("machine id %q is not made of the uuid %q", idA, a.options.UUID)
	}
	if name := exec1(t, ctx, a, "hostname"); name != "a" {
		t.Errorf("host name %q", name)
	}

	var failed *ExecError
	if _, err := a.Exec(ctx, "sh", "-c", "echo out; echo err >&2; exit 7"); !errors.As(err, &failed) || failed.Code != 7 || failed.Stdout != "out\n" || failed.Stderr != "err\n" {
		t.Errorf("exit status 7 came back as %#v", err)
	}

	if err := a.WriteFile(ctx, "/var/lib/kept/file", []byte("kept\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	// Somebody looks at the machine while it goes down, and is stopped as its
	// shutdown stops every process before it kills them.
	onlooker := make(chan error, 1)
	go func() {
		_, err := a.Exec(ctx, "sh", "-c", "touch /run/onlooker; kill -STOP $$")
		onlooker <- err
	}()
	if err := waitFor(ctx, "the onlooker", 50*time.Millisecond, func() (bool, error) {
		_, err := a.Exec(ctx, "test", "-e", "/run/onlooker")
		return err == nil, nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := a.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-onlooker; err == nil {
		t.Error("a command outlived the machine that it ran on")
	}
	waitBoot(t, ctx, a)
	clock("reboot")
	if got := exec1(t, ctx, a, "stat", "-c", "%a %U %s", "/var/lib/kept/file"); got != "640 root 5" {
		t.Errorf("after the reboot the file is %q", got)
	}
	if got := exec1(t, ctx, a, "cat", "/etc/machine-id"); got != idA {
		t.Errorf("after the reboot the machine id is %q, was %q", got, idA)
	}
	if _, err := b.ReadFile(ctx, "/var/lib/kept/file"); err == nil {
		t.Error("the other container sees the file")
	}

	baked, err := a.Snapshot(ctx, "baked")
	if err != nil {
		t.Fatal(err)
	}
	clone := boot(t, ctx, baked, "clone")
	if got := exec1(t, ctx, clone, "cat", "/etc/machine-id", "/var/lib/kept/file"); got != idA+"\nkept" {
		t.Errorf("the snapshot's instance has %q", got)
	}
	general, err := baked.Generalize(ctx, "general")
	if err != nil {
		t.Fatal(err)
	}
	fresh := boot(t, ctx, general, "fresh")
	if got := exec1(t, ctx, fresh, "cat", "/etc/machine-id"); got == idA || len(got) != 32 {
		t.Errorf("the generalized image's instance has the machine id %q, its origin %q", got, idA)
	}
	clock("snapshot and two clones")

	// The power cut, and what is left.
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Exec(ctx, "true"); err == nil {
		t.Error("a killed container still runs commands")
	}
	if err := b.Start(ctx); err != nil {
		t.Fatal(err)
	}
	waitBoot(t, ctx, b)
	clock("kill and start")
	for _, c := range []*Container{b, a, clone, fresh} {
		if err := c.Poweroff(ctx); err != nil {
			t.Fatal(err)
		}
		if left := leftOf(t, c.link.ns); len(left) > 0 {
			t.Errorf("%s left behind %v", c.Name(), left)
		}
	}
	clock("four powered off")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if left := leftOf(t, l.name); len(left) > 0 {
		t.Errorf("the lab left behind %v", left)
	}
	if exists(l.dir) {
		t.Errorf("the lab left its folder %s behind", l.dir)
	}
}

func TestPackerReachesContainer(t *testing.T) {
	l, ctx := newLab(t)
	debian, err := l.Debian(ctx)
	if err != nil {
		t.Fatal(err)
	}
	clock := stopwatch(t)
	packer, err := l.Packer(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	clock("packer binary")
	c := boot(t, ctx, debian, "a")
	dir := t.TempDir()
	const build = `
build {
  sources = ["source.null.a"]
  provisioner "shell" {
    inline = ["whoami", "sudo sh -c 'id -un; echo baked > /etc/baked'"]
  }
}
`
	if err := os.WriteFile(filepath.Join(dir, "a.pkr.hcl"), []byte(c.Source("a")+build), 0o644); err != nil {
		t.Fatal(err)
	}
	clock("container")
	out, err := packer.RunInside(ctx, dir, "build", ".")
	if err != nil {
		t.Fatal(err)
	}
	clock("packer build")
	for _, want := range []string{"null.a: debian", "null.a: root"} {
		if !strings.Contains(out, want) {
			t.Errorf("packer's output lacks %q:\n%s", want, out)
		}
	}
	if got := exec1(t, ctx, c, "cat", "/etc/baked"); got != "baked" {
		t.Errorf("/etc/baked holds %q", got)
	}
}

func TestCloudInitSeesInstanceID(t *testing.T) {
	l, ctx := newLab(t)
	debian, err := l.Debian(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c, err := debian.Boot(ctx, "cloud", BootOptions{InstanceID: "i-lab0001"})
	if err != nil {
		t.Fatal(err)
	}
	waitBoot(t, ctx, c)
	if got := exec1(t, ctx, c, "cat", "/run/cloud-init/.instance-id"); got != "i-lab0001" {
		t.Errorf("cloud-init takes the instance for %q", got)
	}
}

func boot(t *testing.T, ctx context.Context, image *Image, name string) *Container {
	t.Helper()
	c, err := image.Boot(ctx, name, BootOptions{})
	if err != nil {
		t.Fatal(err)
	}
	waitBoot(t, ctx, c)
	return c
}

func waitBoot(t *testing.T, ctx context.Context, m Machine) {
	t.Helper()
	state, err := m.WaitBoot(ctx)
	if err != nil {
		t.Fatalf("%v\nconsole:\n%s", err, m.Console())
	}
	if state.State != "running" {
		journal, _ := m.Journal(ctx, "-b", "-p", "notice")
		t.Fatalf("%s is %s, failed: %v\n%s", m.Name(), state.State, state.Failed, journal)
	}
}

// exec1 returns the trimmed output of a command that must succeed.
func exec1(t *testing.T, ctx context.Context, m Machine, argv ...string) string {
	t.Helper()
	out, err := m.Exec(ctx, argv...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// leftOf lists the mounts, processes, network namespaces and control groups
// whose name or command line holds name.
func leftOf(t *testing.T, name string) []string {
	t.Helper()
	var left []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, name) {
			left = append(left, "mount "+line)
		}
	}
	cmdlines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range cmdlines {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), name) {
			left = append(left, path+" "+strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	groups, err := cgroupMounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range append(groups, netnsDir) {
		paths, err := filepath.Glob(filepath.Join(dir, name+"*"))
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, paths...)
	}
	return left
}

// stopwatch logs how long each phase took.
func stopwatch(t *testing.T) func(what string) {
	last := time.Now()
	return func(what string) {
		t.Helper()
		t.Logf("%s: %.1f s", what, time.Since(last).Seconds())
		last = time.Now()
	}
}
