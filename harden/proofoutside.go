package harden

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// outside is a network namespace with one address, linked to this machine by a
// pair of interfaces, and a socket there. It belongs to a thread of this
// process and has no name: when the process dies, however it does, the kernel
// takes the namespace and both interfaces away.
type outside struct {
	host *host.Host
	name string // of this machine's end
	conn *net.UDPConn
	done chan struct{} // closed to let the namespace go
	gone chan struct{} // closed once its thread lets go
}

// answerWait is how long an answer from this very machine may take.
const answerWait = 500 * time.Millisecond

// tries are how many packets ask: a busy machine may be late with one.
const tries = 3

// openOutside makes it: near is given to this machine's end of the link, far
// to the other, where a socket is connected to target.
func openOutside(ctx context.Context, m *Machine, near, far netip.Addr, target netip.AddrPort) (*outside, error) {
	o := &outside{
		host: m.Host,
		name: fmt.Sprintf("fsh%d", os.Getpid()), // unique while this process lives; 15 bytes at most
		done: make(chan struct{}), gone: make(chan struct{}),
	}
	thread := make(chan int)
	opened := make(chan error)
	go onThrowawayThread(func() {
		defer close(o.gone)
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			opened <- err
			return
		}
		thread <- unix.Gettid()
		<-thread // the link is there, or the attempt was given up
		err := o.live(ctx, near, far, target)
		opened <- err
		<-o.done
	})
	var err error
	select {
	case err = <-opened:
		return nil, err
	case id := <-thread:
		err = link(ctx, m.Host, o.name, id, near, far)
		thread <- id
	}
	if err = errors.Join(err, <-opened); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

// onThrowawayThread runs f on a thread that is used for nothing else and ends
// with it, so that f may change what belongs to a thread. The process's first
// thread cannot end, and /proc/self shows its network: while this holds that
// one, another is taken.
func onThrowawayThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != os.Getpid() {
		f()
		return // still locked: the thread ends
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		onThrowawayThread(f)
	}()
	<-done
	runtime.UnlockOSThread()
}

// live sets up the far end. Programs that are started here run in the
// namespace, as this thread does.
func (o *outside) live(ctx context.Context, near, far netip.Addr, target netip.AddrPort) error {
	err := ip(ctx, o.host,
		[]string{"link", "set", farName, "up"},
		address(far, near, farName),
		// Straight to this machine, whichever of its addresses it is.
		[]string{"neigh", "replace", target.Addr().String(), "lladdr", nearMAC, "dev", farName, "nud", "permanent"},
		[]string{"route", "replace", netip.PrefixFrom(target.Addr(), target.Addr().BitLen()).String(), "dev", farName},
	)
	if err != nil {
		return err
	}
	from := net.UDPAddrFromAddrPort(netip.AddrPortFrom(far, 0))
	o.conn, err = net.DialUDP("udp", from, net.UDPAddrFromAddrPort(target))
	return err
}

// close takes all of it away.
func (o *outside) close() error {
	var err error
	if o.conn != nil {
		err = o.conn.Close()
	}
	if _, missing := net.InterfaceByName(o.name); missing == nil {
		ctx, cancel := context.WithTimeout(context.Background(), liftTimeout)
		defer cancel()
		err = errors.Join(err, ip(ctx, o.host, []string{"link", "delete", o.name}))
	}
	close(o.done)
	<-o.gone
	return err
}

// Both ends' hardware addresses, given so that udev does not choose others, and
// told to each other so that nobody has to ask (the second bit: chosen locally).
const (
	nearMAC = "02:fe:ed:00:00:01"
	farMAC  = "02:fe:ed:00:00:02"
	farName = "outside"
)

// link makes the pair, one end here and one in the thread's namespace.
func link(ctx context.Context, h *host.Host, name string, thread int, near, far netip.Addr) error {
	return ip(ctx, h,
		[]string{"link", "add", name, "address", nearMAC, "type", "veth", "peer", "name", farName, "address", farMAC, "netns", strconv.Itoa(thread)},
		[]string{"link", "set", name, "up"},
		address(near, far, name),
		[]string{"neigh", "replace", far.String(), "lladdr", farMAC, "dev", name, "nud", "permanent"},
	)
}

func address(own, peer netip.Addr, dev string) []string {
	args := []string{"addr", "add", own.String(), "peer", peer.String(), "dev", dev}
	if own.Is6() {
		args = append(args, "nodad") // or it could not be used for a second
	}
	return args
}

func ip(ctx context.Context, h *host.Host, commands ...[]string) error {
	for _, args := range commands {
		if _, err := h.Run(ctx, "ip", args...); err != nil {
			return err
		}
	}
	return nil
}

// ask sends an OPTIONS from the outside and tells whether anything came back:
// an answer, or ICMP's word that nobody listens.
func (o *outside) ask() (answered bool, err error) {
	from, to := addrPort(o.conn.LocalAddr()), addrPort(o.conn.RemoteAddr())
	buf := make([]byte, 64)
	for i := range tries {
		_, err := o.conn.Write(options(from, to, i))
		if err == nil {
			if err := o.conn.SetReadDeadline(time.Now().Add(answerWait)); err != nil {
				return false, err
			}
			_, err = o.conn.Read(buf)
		}
		switch {
		case err == nil, errors.Is(err, syscall.ECONNREFUSED):
			return true, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return false, fmt.Errorf("sending a packet from %s to %s: %w", from, to, err)
		}
	}
	return false, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	udp, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return udp.AddrPort()
}

// options is a request that every SIP server answers (RFC 3261, 11), and that
// leaves no failure in a log.
func options(from, to netip.AddrPort, n int) []byte {
	return fmt.Appendf(nil, "OPTIONS sip:%[2]s SIP/2.0\r\nVia: SIP/2.0/UDP %[1]s;branch=z9hG4bKfsharden%[3]d;rport\r\n"+
		"Max-Forwards: 1\r\nFrom: <sip:verify@%[1]s>;tag=%[3]d\r\nTo: <sip:%[2]s>\r\nCall-ID: fs-harden-verify-%[3]d@%[1]s\r\n"+
		"CSeq: %[3]d OPTIONS\r\nContent-Length: 0\r\n\r\n", from, to, n+1)
}
