//go:build linux && acceptance

package acctest

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/lab"
)

const (
	// silentResolver is an address of the lab's that swallows what it is asked.
	silentResolver = "10.77.0.53"
	// nowhere is a name that stands in no file, so that only a resolver could tell it.
	nowhere = "nowhere.example"
	// atOnce is how long a ban may take from fail2ban's start on, which itself takes
	// two seconds. A jail that asks the resolver is blind for 12 to 40 s.
	atOnce = 10 * time.Second
)

// withoutNames restarts fail2ban on a machine that can learn no name, not even its
// own, and attacks at once: the ban comes as fast as any other.
func (s *siege) withoutNames() {
	address := netip.MustParseAddr(silentResolver)
	if err := shop.Lab.Alias(shop.ctx, address); err != nil {
		s.t.Fatal(err)
	}
	resolver, err := shop.Lab.ListenUDP(netip.AddrPortFrom(address, 53)) // nobody reads it
	if err != nil {
		s.t.Fatal(err)
	}
	defer resolver.Close()
	name := strings.TrimSpace(s.m.run("hostname"))
	s.m.sh("mkdir /root/names && cp -p /etc/resolv.conf /etc/nsswitch.conf /root/names" +
		" && echo 'nameserver " + silentResolver + "' >/etc/resolv.conf && sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf && hostname " + nowhere)
	defer s.m.sh("hostname " + name + " && cp -p /root/names/resolv.conf /root/names/nsswitch.conf /etc")
	var hangs *lab.ExecError
	if out, err := s.m.Exec(shop.ctx, "timeout", "2", "getent", "ahosts", nowhere); !errors.As(err, &hangs) || hangs.Code != 124 {
		s.t.Fatalf("the resolver answers: %s, %v", out, err)
	}
	s.m.sh("systemctl restart fail2ban")
	began := time.Now()
	r := row{"10.77.0.70", "wrong passwords, no resolver answers", guess(request{method: "INVITE", user: "1001", port: internal}), "freeswitch", nil}
	s.run([]row{r})
	if at, ever := s.watch.ever(r.jail, r.source); ever && at.Sub(began) > atOnce {
		s.t.Errorf("%s, %s: banned %.1f s after fail2ban's start, want %s", r.source, r.attack, at.Sub(began).Seconds(), atOnce)
	}
	// Nor does verify wait, and what it asks fail2ban is answered.
	if out := s.m.run("fail2ban-client", "get", "freeswitch", "action", "fs-harden-jail", "lag"); !strings.HasPrefix(out, "0.0 s, ") {
		s.t.Errorf("the jail is behind its log: %s", out)
	}
}
