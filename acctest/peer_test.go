//go:build acceptance

package acctest

import "testing"

// A user takes the event socket's port while FreeSWITCH is down, and says what
// FreeSWITCH says: he is not told the password.
func TestTheEventSocketOfAnotherUser(t *testing.T) {
	m := walled(t, "peer", `{}`)
	m.run("/root/fs-harden", "firstboot")
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
			t.Errorf("%s: %s", user, out)
		}
		if user == "nobody" && lineWith(out, "it is not given the password") == "" {
			t.Errorf("nobody hears of it: %s", out)
		}
	}
}
