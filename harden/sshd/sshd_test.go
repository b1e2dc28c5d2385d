package sshd

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// bare is a machine with these files and nothing else.
func bare(t *testing.T, files map[string]string) *host.View {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h, err := host.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return host.NewView(h)
}

func TestPorts(t *testing.T) {
	t.Parallel()
	const socket, enabled = "/lib/systemd/system/ssh.socket", "/etc/systemd/system/sockets.target.wants/ssh.socket"
	for name, c := range map[string]struct {
		files map[string]string
		plan  []int
		want  []uint16
	}{
		"no sshd":             {nil, nil, []uint16{22}},
		"as Debian ships it":  {map[string]string{"/etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\n#Port 22\n"}, nil, []uint16{22}},
		"the plan is obeyed":  {map[string]string{"/etc/ssh/sshd_config": "Port 2222\n"}, []int{8022, 22}, []uint16{22, 8022}},
		"two ports":           {map[string]string{"/etc/ssh/sshd_config": "Port 22\nport=2222\n"}, nil, []uint16{22, 2222}},
		"a drop-in":           {map[string]string{"/etc/ssh/sshd_config": "Include sshd_config.d/*.conf\n", "/etc/ssh/sshd_config.d/a.conf": "Port 2022\n"}, nil, []uint16{2022}},
		"an address's port":   {map[string]string{"/etc/ssh/sshd_config": "Port 22\nListenAddress 192.0.2.1:2222\nListenAddress [2001:db8::1]:2223\n"}, nil, []uint16{2222, 2223}},
		"addresses and ports": {map[string]string{"/etc/ssh/sshd_config": "ListenAddress 192.0.2.1\nListenAddress ::\nPort 2200\n"}, nil, []uint16{2200}},
		"loopback is no way":  {map[string]string{"/etc/ssh/sshd_config": "ListenAddress 127.0.0.1:2222\nListenAddress 0.0.0.0\n"}, nil, []uint16{22}},
		"Match is ignored":    {map[string]string{"/etc/ssh/sshd_config": "Port 2200\nMatch User x\n  Port 9\nMatch all\nPort 2201\n"}, nil, []uint16{2200, 2201}},
		"nonsense":            {map[string]string{"/etc/ssh/sshd_config": "Port\nPort ssh\nPort 0\nPort 70000\n"}, nil, []uint16{22}},
		"an include of itself": {map[string]string{
			"/etc/ssh/sshd_config": "Include sshd_config\nPort 2200\n",
		}, nil, []uint16{2200}},
		"systemd listens": {map[string]string{
			"/etc/ssh/sshd_config": "#Port 22\n", socket: "[Socket]\nListenStream=22\n", enabled: "",
			"/etc/systemd/system/ssh.socket.d/port.conf": "[Socket]\nListenStream=\nListenStream=0.0.0.0:2222\nListenStream=[::]:2222\nListenStream=127.0.0.1:9\n",
		}, nil, []uint16{22, 2222}},
		"systemd listens no longer there": {map[string]string{
			"/etc/ssh/sshd_config": "Port 2200\n", socket: "[Socket]\nListenStream=22\n", enabled: "",
			"/etc/systemd/system/ssh.socket.d/port.conf": "[Socket]\nListenStream=\nListenStream=2222\n",
		}, nil, []uint16{2200, 2222}},
		"a socket that is off": {map[string]string{"/etc/ssh/sshd_config": "Port 2200\n", socket: "[Socket]\nListenStream=22\n"}, nil, []uint16{2200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Ports(t.Context(), bare(t, c.files), c.plan, false); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestThePortOfTheBuild(t *testing.T) {
	t.Parallel()
	const (
		// 198.18.0.2:2222 and :22, and ends of a forwarding, as the kernel writes them.
		tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
			"   0: 00000000:08AE 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1\n" +
			"   1: 020012C6:08AE 010012C6:D431 01 00000000:00000000 02:000A5C5C 00000000     0        0 101 1\n" +
			"   2: 020012C6:D432 010012C6:0016 01 00000000:00000000 02:000A5C5C 00000000     0        0 102 1\n" +
			"   3: 020012C6:08AE 010012C6:D433 01 00000000:00000000 02:000A5C5C 00000000     0        0 103 1\n"
	)
	for name, c := range map[string]struct {
		files map[string]string
		want  []uint16
	}{
		"sudo hid it":         {map[string]string{"/proc/self/environ": "PATH=/bin\x00", "/proc/self/status": "Name:\tx\nPPid:\t7\n", "/proc/7/environ": "A=b\x00SSH_CONNECTION=198.18.0.1 54321 198.18.0.2 2222\x00"}, []uint16{2222}},
		"over IPv6":           {map[string]string{"/proc/self/environ": "SSH_CONNECTION=fe80::1%eth0 54321 fe80::2%eth0 2223\x00"}, []uint16{2223}},
		"nobody says":         {map[string]string{"/proc/self/environ": "", "/proc/self/status": "PPid:\t1\n", "/proc/1/environ": "", "/proc/1/status": "PPid:\t0\n", "/proc/net/tcp": tcp, "/proc/9/comm": "sshd-session\n"}, []uint16{2222}},
		"no sshd":             {map[string]string{"/proc/net/tcp": tcp, "/proc/9/comm": "bash\n"}, nil},
		"a spoilt connection": {map[string]string{"/proc/self/environ": "SSH_CONNECTION=x y z\x00", "/proc/net/tcp": ""}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := bare(t, c.files)
			if _, ok := c.files["/proc/9/comm"]; ok {
				tr, err := v.Canonical("/proc/9")
				if err != nil || tr != "/proc/9" {
					t.Fatal(tr, err)
				}
				if err := v.Put("/proc/9/fd", host.Node{Kind: host.Folder, Mode: 0o755}); err != nil {
					t.Fatal(err)
				}
				for fd, inode := range map[string]string{"3": "socket:[101]", "4": "socket:[102]"} {
					if err := v.Put(filepath.Join("/proc/9/fd", fd), host.NewSymlink(inode)); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := buildPorts(v)
			if len(got) == 0 {
				got = nil
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// The way by which a build came in stays open, whatever is wanted; on a tree that
// is the build host's own connection, and nobody's way in.
func TestTheBuildIsNotShutOut(t *testing.T) {
	t.Parallel()
	files := map[string]string{"/proc/self/environ": "SSH_CONNECTION=198.18.0.1 54321 198.18.0.2 2222\x00", "/etc/ssh/sshd_config": "Port 2200\n"}
	for name, c := range map[string]struct {
		wanted []int
		live   bool
		want   []uint16
	}{
		"running":                   {nil, true, []uint16{2200, 2222}},
		"running, with a wish":      {[]int{8022}, true, []uint16{2222, 8022}},
		"running, the same is once": {[]int{2222}, true, []uint16{2222}},
		"a tree":                    {nil, false, []uint16{2200}},
		"a tree, with a wish":       {[]int{8022}, false, []uint16{8022}},
	} {
		if got := Ports(t.Context(), bare(t, files), c.wanted, c.live); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestWhoIsLoggedIn(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"198.18.0.1 54321 198.18.0.2 2222":         "198.18.0.1 2222",
		"::ffff:198.18.0.1 1 ::ffff:198.18.0.2 22": "198.18.0.1 22",
		"fe80::1%eth0 1 fe80::2%eth0 2223":         "fe80::1 2223",
		"198.18.0.1 54321 198.18.0.2":              "",
		"198.18.0.1 54321 198.18.0.2 0":            "",
		"x 54321 198.18.0.2 22":                    "",
	} {
		got := ""
		if c, ok := parseConnection(value); ok {
			got = c.Client.String() + " " + strconv.Itoa(int(c.Port))
		}
		if got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
	// A process that is its own ancestor ends the search.
	loop := bare(t, map[string]string{"/proc/self/environ": "", "/proc/self/status": "PPid:\t7\n", "/proc/7/environ": "", "/proc/7/status": "PPid:\t7\n"})
	if c, ok := Session(loop); ok {
		t.Errorf("%+v", c)
	}
}
