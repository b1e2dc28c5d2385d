//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// The lab's network is 198.18.0.0/16 of the range for benchmarks (RFC 2544) and
// a ULA prefix. It exists only inside the lab's namespaces.
var (
	lanIPv4 = netip.MustParsePrefix("198.18.0.1/16")
	lanIPv6 = netip.MustParsePrefix("fd19:8180::1/64")
)

// netnsDir is where ip-netns(8) keeps the names of network namespaces.
const netnsDir = "/run/netns"

// A network is a bridge in a network namespace of the lab's own: the place from
// which its containers are seen.
type network struct {
	ns   string
	mu   sync.Mutex
	next int // last two bytes of the next container's address
}

func newNetwork(ctx context.Context, ns string) (*network, error) {
	n := &network{ns: ns, next: 2}
	if _, err := run(ctx, "ip", "netns", "add", ns); err != nil {
		return nil, fmt.Errorf("making the lab's network namespace: %w", err)
	}
	for _, args := range []string{
		"link set lo up",
		"link add br0 type bridge",
		"addr add " + lanIPv4.String() + " dev br0",
		"addr add " + lanIPv6.String() + " dev br0 nodad",
		"link set br0 up",
	} {
		if err := ipIn(ctx, ns, args); err != nil {
			return nil, errors.Join(fmt.Errorf("setting up the lab's network: %w", err), n.close())
		}
	}
	return n, nil
}

func (n *network) close() error {
	return removeNetworkNamespaces(context.Background(), n.ns)
}

// A link is a container's place on the lab's network. It outlives the
// container's reboots; its namespace does not.
type link struct {
	net    *network
	ns     string
	ifname string // the lab's end
	mac    string
	IPv4   netip.Addr
	IPv6   netip.Addr
}

func (n *network) newLink(name string) *link {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := n.next
	n.next++
	v4, v6 := lanIPv4.Addr().As4(), lanIPv6.Addr().As16()
	v4[2], v4[3] = byte(i>>8), byte(i)
	v6[14], v6[15] = byte(i>>8), byte(i)
	return &link{
		net: n, ns: n.ns + "-" + name, ifname: fmt.Sprintf("ve%d", i),
		// Kept over reboots, or neighbours would ask a stale address for seconds.
		mac:  fmt.Sprintf("02:00:c6:12:%02x:%02x", i>>8, i&0xff),
		IPv4: netip.AddrFrom4(v4), IPv6: netip.AddrFrom16(v6),
	}
}

// up makes the container's network namespace with host0 configured in it, as a
// machine with a static address has it.
func (k *link) up(ctx context.Context) error {
	if _, err := run(ctx, "ip", "netns", "add", k.ns); err != nil {
		return fmt.Errorf("making a container's network namespace: %w", err)
	}
	for _, step := range []struct{ ns, args string }{
		{k.net.ns, fmt.Sprintf("link add %s type veth peer name host0 address %s netns %s", k.ifname, k.mac, k.ns)},
		{k.net.ns, "link set " + k.ifname + " master br0 up"},
		{k.ns, "link set lo up"},
		{k.ns, "link set host0 up"},
		{k.ns, fmt.Sprintf("addr add %s/%d dev host0", k.IPv4, lanIPv4.Bits())},
		{k.ns, fmt.Sprintf("addr add %s/%d dev host0 nodad", k.IPv6, lanIPv6.Bits())},
		{k.ns, "route add default via " + lanIPv4.Addr().String()},
		{k.ns, "route add default via " + lanIPv6.Addr().String()},
	} {
		if err := ipIn(ctx, step.ns, step.args); err != nil {
			return errors.Join(fmt.Errorf("setting up a container's network: %w", err), k.down())
		}
	}
	return nil
}

// down removes the link and the namespace. The link goes by itself, for the
// namespace lasts until its last process has been reaped.
func (k *link) down() error {
	ctx := context.Background()
	if !exists(filepath.Join(netnsDir, k.ns)) {
		return nil
	}
	var linkErr error
	if _, err := run(ctx, "ip", "-n", k.net.ns, "link", "show", k.ifname); err == nil {
		_, linkErr = run(ctx, "ip", "-n", k.net.ns, "link", "delete", k.ifname)
	}
	_, err := run(ctx, "ip", "netns", "delete", k.ns)
	return errors.Join(linkErr, err)
}

// removeNetworkNamespaces removes a lab's namespace and those of its containers.
func removeNetworkNamespaces(ctx context.Context, lab string) error {
	paths, err := filepath.Glob(filepath.Join(netnsDir, lab+"-*"))
	if err != nil {
		return err
	}
	if own := filepath.Join(netnsDir, lab); exists(own) {
		paths = append(paths, own)
	}
	var errs []error
	for _, path := range paths {
		_, err := run(ctx, "ip", "netns", "delete", filepath.Base(path))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func ipIn(ctx context.Context, ns, args string) error {
	argv := append([]string{"-n", ns}, strings.Fields(args)...)
	_, err := run(ctx, "ip", argv...)
	return err
}

// Command is exec.CommandContext for a command on the lab's network: it reaches
// the containers, and nothing else.
func (l *Lab) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return ownProcessGroup(ctx, "ip", append([]string{"netns", "exec", l.name, name}, args...)...)
}

// Dial connects from the lab's network to an address given in digits, such as
// "198.18.0.2:5060".
func (l *Lab) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, fmt.Errorf("dialling from the lab's network: %w", err)
	}
	var conn net.Conn
	err := l.within(func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// Alias gives the lab's end of its network one more address, for a test to be a
// stranger with. Containers answer it by their default route.
func (l *Lab) Alias(ctx context.Context, address netip.Addr) error {
	args := fmt.Sprintf("addr replace %s/%d dev br0", address, address.BitLen())
	if address.Is6() {
		args += " nodad"
	}
	return ipIn(ctx, l.name, args)
}

// ListenUDP opens a socket on the lab's network, at an address that it has.
func (l *Lab) ListenUDP(local netip.AddrPort) (conn *net.UDPConn, err error) {
	err = l.within(func() (err error) {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(local))
		return err
	})
	return conn, err
}

// DialFrom is Dial from an address that the lab's network has.
func (l *Lab) DialFrom(ctx context.Context, local netip.Addr, network, address string) (conn net.Conn, err error) {
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))}
	err = l.within(func() (err error) {
		conn, err = dialer.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// within runs f on a thread in the lab's network namespace. A socket stays in
// the namespace where it was made.
func (l *Lab) within(f func() error) error {
	ns, err := os.Open(filepath.Join(netnsDir, l.name))
	if err != nil {
		return fmt.Errorf("opening the lab's network namespace: %w", err)
	}
	defer ns.Close()
	// The thread goes back before it is let go. To let it end instead would end
	// what was started from it too: the containers die with the thread that
	// started them (prctl(2), PR_SET_PDEATHSIG).
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("opening this thread's network namespace: %w", err)
	}
	defer own.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("entering the lab's network namespace: %w", err)
	}
	result := f()
	if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("leaving the lab's network namespace: %w", err) // and the thread stays locked
	}
	runtime.UnlockOSThread()
	return result
}
