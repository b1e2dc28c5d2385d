//go:build linux

package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Container is an instance of an image under systemd-nspawn: its own systemd,
// network namespace, netfilter and control groups, on the host's kernel. Its
// state is a layer of its own, which reboots keep.
type Container struct {
	shell
	IPv4, IPv6 netip.Addr // on the lab's network

	lab     *Lab
	dir     string
	layer   layer
	link    *link
	options BootOptions

	mu     sync.Mutex
	nspawn *process
	init   int // process number of its systemd, on the host
}

// BootOptions are what differs between instances of one image.
type BootOptions struct {
	// UUID is given to the machine as the hypervisor gives it: for a container
	// that is what its machine id is made of, for a VM its product_uuid. By
	// default it is random.
	UUID string
	// InstanceID is what cloud-init's NoCloud source tells the machine. Where it
	// is empty, cloud-init finds no source and does not run.
	InstanceID string
	// Clock is what a VM's hardware clock shows at each start, in UTC and as
	// qemu's -rtc base= takes it; empty: the host's time. A container has none.
	Clock string
	// NoNetAdmin takes from a container the right to change its network, as a
	// container that shares its host's has it. A VM ignores it.
	NoNetAdmin bool
}

// capabilities are those that a container gets beyond nspawn's own.
func (o BootOptions) capabilities() string {
	if o.NoNetAdmin {
		return "CAP_IPC_LOCK"
	}
	return "CAP_IPC_LOCK,CAP_NET_ADMIN"
}

// machineName is what a host name, a network namespace and nspawn all take.
var machineName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// Boot starts a new instance of the image. It returns once the instance's
// systemd runs; WaitBoot waits for the boot to finish.
func (i *Image) Boot(ctx context.Context, name string, options BootOptions) (*Container, error) {
	if !machineName.MatchString(name) {
		return nil, fmt.Errorf("booting a container: the name %q is not of the form %s", name, machineName)
	}
	if options.UUID == "" {
		options.UUID = newUUID()
	}
	dir, err := i.lab.newDir(name)
	if err != nil {
		return nil, err
	}
	lay, err := newLayer(dir, i.layers)
	if err != nil {
		return nil, err
	}
	link := i.lab.net.newLink(name)
	c := &Container{
		IPv4: link.IPv4, IPv6: link.IPv6,
		lab: i.lab, dir: dir, layer: lay, link: link, options: options,
	}
	c.shell = shell{name: name, command: c.execCommand, poll: 100 * time.Millisecond}
	if err := c.seedCloudInit(); err != nil {
		return nil, err
	}
	if _, err := i.lab.track(c); err != nil {
		return nil, err
	}
	return c, c.Start(ctx)
}

// seedCloudInit writes the instance id where NoCloud looks for it.
func (c *Container) seedCloudInit() error {
	if c.options.InstanceID == "" {
		return nil
	}
	seed := filepath.Join(c.layer.upper, "var/lib/cloud/seed/nocloud")
	if err := os.MkdirAll(seed, 0o755); err != nil {
		return fmt.Errorf("seeding cloud-init: %w", err)
	}
	meta := fmt.Sprintf("instance-id: %s\nlocal-hostname: %s\n", c.options.InstanceID, c.name)
	return errors.Join(
		os.WriteFile(filepath.Join(seed, "meta-data"), []byte(meta), 0o644),
		os.WriteFile(filepath.Join(seed, "user-data"), []byte("#cloud-config\npreserve_hostname: false\n"), 0o644),
	)
}

// Start boots the container, new or after it ended, on the state it had.
func (c *Container) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nspawn != nil && c.nspawn.running() {
		return fmt.Errorf("starting %s: it is running already", c.name)
	}
	if err := c.cleanUp(); err != nil {
		return err
	}
	if err := c.link.up(ctx); err != nil {
		return err
	}
	if err := c.startNspawn(ctx); err != nil {
		return errors.Join(fmt.Errorf("starting %s: %w\n%s", c.name, err, tail(c.Console(), 2048)), c.kill())
	}
	return nil
}

func (c *Container) startNspawn(ctx context.Context) error {
	console, err := os.OpenFile(c.consolePath(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("opening the console's file: %w", err)
	}
	defer console.Close()
	group, err := makeControlGroup(c.link.ns)
	if err != nil {
		return err
	}
	defer group.Close()
	c.nspawn, err = startProcess(c.nspawnCommand(console, group))
	if err != nil {
		return err
	}
	err = waitFor(ctx, "its systemd", 20*time.Millisecond, func() (bool, error) {
		if !c.nspawn.running() {
			return false, fmt.Errorf("systemd-nspawn ended: %v", c.nspawn.cmd.ProcessState)
		}
		var err error
		c.init, err = initBelow(c.nspawn.cmd.Process.Pid)
		return c.init != 0, err
	})
	if err != nil {
		return err
	}
	return hideHardware(ctx, c.init)
}

// enterScript waits for a command that it starts inside. nsenter's own waiting
// will not do: it stops itself when the command is stopped, as a shutdown stops
// every process before it kills them, and then never reaps it. The kernel keeps a
// process namespace until the last of its processes is reaped, and thus the
// machine would never have ended.
const enterScript = `"$@"; exit $?`

// execCommand enters the container's namespaces through its init.
func (c *Container) execCommand(ctx context.Context, argv []string) (*exec.Cmd, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nspawn == nil || !c.nspawn.running() {
		return nil, errNotRunning
	}
	args := []string{"-t", strconv.Itoa(c.init), "-a", "--no-fork", "--", "sh", "-c", enterScript, "sh", "env", "-i"}
	return ownProcessGroup(ctx, "nsenter", slices.Concat(args, machineEnv, argv)...), nil
}

// SSH is how the container is reached, from the lab's network.
func (c *Container) SSH() SSH {
	return SSH{Host: c.IPv4.String(), Port: 22, KeyFile: c.lab.key.file}
}

// Console returns what the container wrote to its console since it was made.
func (c *Container) Console() string {
	text, err := os.ReadFile(c.consolePath())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func (c *Container) consolePath() string { return filepath.Join(c.dir, "console.log") }

// Reboot reboots the container in order and returns once its new systemd runs.
func (c *Container) Reboot(ctx context.Context) error {
	if err := c.end(ctx, "reboot"); err != nil {
		return err
	}
	return c.Start(ctx)
}

// Poweroff shuts the container down in order. Its state stays, for Start,
// Snapshot and Upper.
func (c *Container) Poweroff(ctx context.Context) error {
	return c.end(ctx, "poweroff")
}

// end has the container's systemd end it, and kills it when that takes too long.
func (c *Container) end(ctx context.Context, verb string) error {
	ctx, cancel := context.WithTimeout(ctx, endsWithin)
	defer cancel()
	_, err := c.Exec(ctx, "systemctl", "--no-block", verb)
	// The connection may break before systemctl has its answer.
	var failed *ExecError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	c.mu.Lock()
	nspawn := c.nspawn
	c.mu.Unlock()
	if waitErr := nspawn.wait(ctx); waitErr != nil {
		return errors.Join(fmt.Errorf("%s of %s: %w", verb, c.name, waitErr), err, c.Kill())
	}
	return c.Kill()
}

// Kill ends the container as a power cut would, except that what it wrote is not
// lost. Its state stays, for Start and Snapshot.
func (c *Container) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kill()
}

func (c *Container) kill() error {
	if c.nspawn != nil {
		if err := c.nspawn.Kill(); err != nil {
			return err
		}
	}
	return c.cleanUp()
}

// cleanUp removes what an ended container leaves on the host.
func (c *Container) cleanUp() error {
	return errors.Join(c.link.down(), removeControlGroups(c.link.ns))
}

// Snapshot makes an image of the container as it is now: with its machine id,
// host keys and whatever else belongs to the instance, as the snapshot of a
// cloud disk has them. A running container is synced first, and keeps running.
func (c *Container) Snapshot(ctx context.Context, name string) (*Image, error) {
	if _, err := c.Exec(ctx, "sync"); err != nil && !errors.Is(err, errNotRunning) {
		return nil, err
	}
	dir, err := c.lab.newDir("image-" + name)
	if err != nil {
		return nil, err
	}
	upper := filepath.Join(dir, "upper")
	// -a keeps the overlay's own attributes and whiteouts.
	if _, err := run(ctx, "cp", "-a", c.layer.upper, upper); err != nil {
		return nil, fmt.Errorf("taking a snapshot of %s: %w", c.name, err)
	}
	return &Image{lab: c.lab, layers: slices.Concat([]string{upper}, c.layer.lowers)}, nil
}

// newUUID returns a random UUID (RFC 9562 version 4) in lower case.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// plainUUID is a UUID as machine-id(5) has it, without hyphens.
func plainUUID(uuid string) string { return strings.ReplaceAll(uuid, "-", "") }
