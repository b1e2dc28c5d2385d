//go:build acceptance

package acctest

import "testing"

// The watch is there whenever FreeSWITCH is, whatever was stopped and started, and
// gives FreeSWITCH's password to FreeSWITCH alone.
func TestTheWatchsUnit(t *testing.T) {
	m := walled(t, "watchunit", `{}`)
	m.run("/root/fs-harden", "firstboot") // FreeSWITCH runs already
	m.watches("a first boot by hand")
	m.run("/root/fs-harden", "verify")
	for _, commands := range []string{
		"systemctl stop nftables; systemctl start nftables",
		"systemctl restart nftables",
		"systemctl restart fs-harden-nft",
		"systemctl restart freeswitch",
		"systemctl stop freeswitch; systemctl start freeswitch",
		"kill -9 $(systemctl show -p MainPID --value fs-harden-watch)",
	} {
		m.sh(commands)
		m.watches(commands)
	}
	m.tellsNobodyElse()
}

// watches waits until the kernel is told that the watch is there.
func (m machine) watches(after string) {
	m.t.Helper()
	out := m.sh(`for i in $(seq 300); do
			[ $(systemctl is-active fs-harden-watch) = active ] && nft list set inet fs_harden watched | grep -q elements && exit 0
			sleep 0.1
		done; systemctl status --no-pager fs-harden-watch fs-harden-nft freeswitch; true`)
	if out != "" {
		m.t.Errorf("after %q:\n%s", after, out)
	}
}

// tellsNobodyElse has a user take the event socket's port while FreeSWITCH is down, and
// say what FreeSWITCH says.
func (m machine) tellsNobodyElse() {
	m.t.Helper()
	m.run("systemctl", "stop", "freeswitch")
	// It ends after one connection, and leaves what it was told.
	const listener = `import socket
l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.bind(("127.0.0.1", 8021)); l.listen()
print("up", flush=True)
c, _ = l.accept()
c.sendall(b"Content-Type: auth/request\n\n")
c.settimeout(5)
print("told", c.recv(1000), flush=True)
`
	m.sh("cat >/tmp/listener.py <<'EOF'\n" + listener + "EOF")
	for user, told := range map[string]string{"nobody": "told b''", "freeswitch": "told b'auth "} {
		out := m.sh(`runuser -u ` + user + ` -- python3 /tmp/listener.py >/tmp/told 2>&1 & pid=$!
			for i in $(seq 100); do grep -q up /tmp/told && break; sleep 0.1; done
			timeout 5 /root/fs-harden watch 2>&1
			wait $pid; cat /tmp/told`)
		if got := lineWith(out, "told "); got[:min(len(got), len(told))] != told {
			m.t.Errorf("%s: %s", user, out)
		}
		if user == "nobody" && lineWith(out, "it is not given the password") == "" {
			m.t.Errorf("nobody hears of it: %s", out)
		}
	}
}
