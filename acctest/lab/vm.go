//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A VM is an instance of a disk under qemu, its processor emulated in software:
// a boot as on a cloud, with its own kernel. Its state is an overlay of the
// disk, which reboots keep.
type VM struct {
	shell

	disk    *Disk
	dir     string
	overlay string
	console string
	options BootOptions

	mu     sync.Mutex
	port   int
	qemu   *process
	master *process // of the SSH connection that commands share
}

// Boot starts a new instance of the disk. It returns once qemu runs; WaitBoot
// waits for the boot to finish (half a minute and more).
func (d *Disk) Boot(ctx context.Context, name string, options BootOptions) (*VM, error) {
	if !machineName.MatchString(name) {
		return nil, fmt.Errorf("booting a virtual machine: the name %q is not of the form %s", name, machineName)
	}
	if options.UUID == "" {
		options.UUID = newUUID()
	}
	dir, err := d.lab.newDir(name)
	if err != nil {
		return nil, err
	}
	vm := &VM{
		disk: d, dir: dir, options: options,
		overlay: filepath.Join(dir, "overlay.qcow2"),
		console: filepath.Join(dir, "console.log"),
	}
	vm.shell = shell{name: name, command: vm.sshCommand, poll: time.Second}
	if err := qemuOverlay(ctx, d.Path, "qcow2", vm.overlay); err != nil {
		return nil, err
	}
	if _, err := d.lab.track(vm); err != nil {
		return nil, err
	}
	return vm, vm.Start(ctx)
}

// Start boots the machine, new or after it ended, on the state it had.
func (v *VM) Start(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.qemu != nil && v.qemu.running() {
		return fmt.Errorf("starting %s: it is running already", v.name)
	}
	var err error
	if v.port, err = freePort(ctx); err != nil {
		return err
	}
	said, err := os.OpenFile(v.console, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("opening the console's file: %w", err)
	}
	defer said.Close()
	cmd := ownProcessGroup(context.Background(), "qemu-system-x86_64", v.qemuArgs()...)
	cmd.Stdout, cmd.Stderr = said, said
	v.qemu, err = startProcess(cmd)
	return err
}

// freePort asks the kernel for a loopback port that nobody uses.
func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (v *VM) qemuArgs() []string {
	var clock []string
	if v.options.Clock != "" {
		clock = []string{"-rtc", "base=" + v.options.Clock}
	}
	return slices.Concat(clock, v.disk.kernelArgs(v.name, v.options), []string{
		"-name", v.name, "-uuid", v.options.UUID,
		"-accel", accelerator, "-m", memory, "-smp", processors,
		"-display", "none", "-monitor", "none", "-no-reboot",
		"-chardev", "file,id=console,append=on,path=" + v.console, "-serial", "chardev:console",
		"-device", "virtio-rng-pci",
		"-drive", "if=virtio,format=qcow2,file=" + v.overlay,
		"-netdev", fmt.Sprintf("user,id=net0,hostfwd=tcp:127.0.0.1:%d-:22", v.port),
		"-device", "virtio-net-pci,netdev=net0,romfile=",
	})
}

// WaitBoot waits until systemd has finished the boot; see Machine. From then on
// commands share one SSH connection, for on an emulated processor it takes a
// second to make one.
func (v *VM) WaitBoot(ctx context.Context) (BootState, error) {
	state, err := v.shell.WaitBoot(ctx)
	if err != nil {
		return state, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.master != nil && v.master.running() {
		return state, nil
	}
	args := append([]string{"-N", "-o", "ControlMaster=yes"}, v.sshArgs()...)
	master := ownProcessGroup(context.Background(), "ssh", args...)
	master.Dir = v.dir
	if v.master, err = startProcess(master); err != nil {
		return state, err
	}
	// Should it not come about, commands still have connections of their own.
	return state, waitFor(ctx, "a shared SSH connection", 100*time.Millisecond, func() (bool, error) {
		return exists(filepath.Join(v.dir, controlSocket)) || !v.master.running(), nil
	})
}

// controlSocket is a relative path, for a socket's may have but a hundred
// characters.
const controlSocket = "ssh"

// sshArgs are ssh's arguments up to the command. Where the shared connection is
// not there, ssh makes one of its own.
func (v *VM) sshArgs() []string {
	return append([]string{"-o", "ControlPath=" + controlSocket}, v.address().args("root")...)
}

// sshCommand runs a command over SSH as root.
func (v *VM) sshCommand(ctx context.Context, argv []string) (*exec.Cmd, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.qemu == nil || !v.qemu.running() {
		return nil, fmt.Errorf("%w; its console ends with:\n%s", errNotRunning, tail(v.Console(), 2048))
	}
	remote := "exec env -i " + quote(slices.Concat(machineEnv, argv))
	cmd := ownProcessGroup(ctx, "ssh", append(v.sshArgs(), remote)...)
	cmd.Dir = v.dir
	return cmd, nil
}

// SSH is how the machine is reached, from the host.
func (v *VM) SSH() SSH {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.address()
}

func (v *VM) address() SSH {
	return SSH{Host: "127.0.0.1", Port: v.port, KeyFile: v.disk.lab.key.file}
}

// Console returns what the machine wrote to its serial console since it was
// made, and what qemu said.
func (v *VM) Console() string {
	text, err := os.ReadFile(v.console)
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(string(text), "\r", "")
}

// Reboot reboots the machine in order and returns once it starts anew.
func (v *VM) Reboot(ctx context.Context) error {
	// Under -no-reboot qemu ends when the machine resets.
	if err := v.end(ctx, "reboot"); err != nil {
		return err
	}
	return v.Start(ctx)
}

// Poweroff shuts the machine down in order. Its state stays, for Start.
func (v *VM) Poweroff(ctx context.Context) error { return v.end(ctx, "poweroff") }

// end has the machine's systemd end it, and kills it when that takes too long.
func (v *VM) end(ctx context.Context, verb string) error {
	ctx, cancel := context.WithTimeout(ctx, endsWithin)
	defer cancel()
	_, err := v.Exec(ctx, "systemctl", "--no-block", verb)
	// The connection may break before systemctl has its answer.
	var failed *ExecError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	v.mu.Lock()
	qemu := v.qemu
	v.mu.Unlock()
	if waitErr := qemu.wait(ctx); waitErr != nil {
		return errors.Join(fmt.Errorf("%s of %s: %w", verb, v.name, waitErr), err, v.Kill())
	}
	return v.Kill()
}

// Kill cuts the machine's power: what it had not synced to its disk is lost. Its
// state stays, for Start.
func (v *VM) Kill() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var errs []error
	for _, p := range []*process{v.master, v.qemu} {
		if p != nil {
			errs = append(errs, p.Kill())
		}
	}
	return errors.Join(errs...)
}
