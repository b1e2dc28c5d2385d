//go:build linux

package netns

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// quiet is how long nothing arrives before all is taken to have arrived.
const quiet = 200 * time.Millisecond

// receiveBuffer holds a burst of some thousand small packets.
const receiveBuffer = 16 << 20

// Flood sends n copies of a packet over UDP, each from an address of one
// namespace to ADDRESS:PORT of another, and tells how many arrived.
func Flood(from, to *NS, source, target, payload string, n int) (arrived int, err error) {
	in, err := Listen(to, target)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	if err := Send(from, source, target, payload, n); err != nil {
		return 0, err
	}
	return Arrived(in)
}

// Listen opens a UDP socket inside.
func Listen(ns *NS, address string) (*net.UDPConn, error) {
	var in *net.UDPConn
	err := ns.Do(func() error {
		addr, err := net.ResolveUDPAddr("udp", address)
		if err != nil {
			return err
		}
		if in, err = net.ListenUDP("udp", addr); err != nil {
			return err
		}
		return in.SetReadBuffer(receiveBuffer)
	})
	return in, err
}

// Send sends n copies of a packet and waits for no answer.
func Send(from *NS, source, target, payload string, n int) error {
	return from.Do(func() error {
		addr, err := net.ResolveUDPAddr("udp", target)
		if err != nil {
			return err
		}
		out, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(source)}, addr)
		if err != nil {
			return err
		}
		defer out.Close()
		for range n {
			if _, err := out.Write([]byte(payload)); err != nil {
				return fmt.Errorf("from %s to %s: %w", source, target, err)
			}
		}
		return nil
	})
}

// Arrived counts what a socket got until it is quiet.
func Arrived(in *net.UDPConn) (n int, err error) {
	packet := make([]byte, 2048)
	for {
		if err := in.SetReadDeadline(time.Now().Add(quiet)); err != nil {
			return n, err
		}
		_, err := in.Read(packet)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n++
	}
}
