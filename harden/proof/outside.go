package proof

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

// outside is a network namespace linked to this machine by a pair of
// interfaces, with an address and a socket of each end there. It belongs to a
// thread of this process and has no name: when the process dies, however it
// does, the kernel takes the namespace and both interfaces away.
type outside struct {
	host *host.Host
	name string // of this machine's side
	ends []*end
	done chan struct{} // closed to let the namespace go
	gone chan struct{} // closed once its thread lets go
}

// end is a way from the outside: near is given to this machine's side of the
// link, far to the other, where a socket is connected to target.
type end struct {
	near, far netip.Addr
	target    netip.AddrPort
	conn      *net.UDPConn
	err       error // why this one cannot be used, though others may be
}

// answerWait is how long an answer from this very machine may take.
const answerWait = 300 * time.Millisecond

// tries are how many packets ask: a busy machine may be late with one.
const tries = 3

// openOutside makes it, and the ends' sockets.
func openOutside(ctx context.Context, h *host.Host, ends []*end) (*outside, error) {
	o := &outside{
		host: h, ends: ends,
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
		err := o.live(ctx)
		opened <- err
		<-o.done
	})
	var err error
	select {
	case err = <-opened:
		return nil, err
	case id := <-thread:
		err = o.link(ctx, id)
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

// live sets up the far side. Programs that are started here run in the
// namespace, as this thread does.
func (o *outside) live(ctx context.Context) error {
	if err := ip(ctx, o.host, []string{"link", "set", farName, "up"}); err != nil {
		return err
	}
	for _, e := range o.ends {
		if e.err != nil {
			continue
		}
		e.err = ip(ctx, o.host,
			address(e.far, e.near, farName),
			// Straight to this machine, whichever of its addresses it is.
			[]string{"neigh", "replace", e.target.Addr().String(), "lladdr", nearMAC, "dev", farName, "nud", "permanent"},
			[]string{"route", "replace", netip.PrefixFrom(e.target.Addr(), e.target.Addr().BitLen()).String(), "dev", farName},
		)
		if e.err == nil {
			from := net.UDPAddrFromAddrPort(netip.AddrPortFrom(e.far, 0))
			e.conn, e.err = net.DialUDP("udp", from, net.UDPAddrFromAddrPort(e.target))
		}
	}
	return nil
}

// close takes all of it away.
func (o *outside) close() error {
	var err error
	for _, e := range o.ends {
		if e.conn != nil {
			err = errors.Join(err, e.conn.Close())
		}
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

// Both sides' hardware addresses, given so that udev does not choose others, and
// told to each other so that nobody has to ask (the second bit: chosen locally).
const (
	nearMAC = "02:fe:ed:00:00:01"
	farMAC  = "02:fe:ed:00:00:02"
	farName = "outside"
)

// link makes the pair, one interface here and one in the thread's namespace.
func (o *outside) link(ctx context.Context, thread int) error {
	err := ip(ctx, o.host,
		[]string{"link", "add", o.name, "address", nearMAC, "type", "veth", "peer", "name", farName, "address", farMAC, "netns", strconv.Itoa(thread)},
		[]string{"link", "set", o.name, "up"},
	)
	if err != nil {
		return err
	}
	for _, e := range o.ends {
		e.err = ip(ctx, o.host,
			address(e.near, e.far, o.name),
			[]string{"neigh", "replace", e.far.String(), "lladdr", farMAC, "dev", o.name, "nud", "permanent"},
		)
	}
	return nil
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

// ask sends an OPTIONS until something comes back, and tells whether it did: an
// answer, or ICMP's word that nobody listens.
func (e *end) ask() (answered bool, err error) {
	for i := range tries {
		if answered, err = e.send(i); answered || err != nil {
			return answered, err
		}
		if answered, err = e.hear(answerWait); answered || err != nil {
			return answered, err
		}
	}
	return false, nil
}

// send sends one. ICMP's word on the packet before may come back here.
func (e *end) send(n int) (answered bool, err error) {
	_, err = e.conn.Write(options(addrPort(e.conn.LocalAddr()), addrPort(e.conn.RemoteAddr()), n))
	return e.judge(err, false)
}

// hear waits for what comes back.
func (e *end) hear(wait time.Duration) (answered bool, err error) {
	if err := e.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return false, err
	}
	_, err = e.conn.Read(make([]byte, 64))
	return e.judge(err, true)
}

func (e *end) judge(err error, success bool) (answered bool, failure error) {
	switch {
	case err == nil:
		return success, nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return true, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return false, nil
	default:
		return false, fmt.Errorf("sending a packet from %s to %s: %w", e.far, e.target, err)
	}
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
