package inspect

import (
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// place is a file of the system, or a folder of such, that may hold a key, a
// password, or what the build was.
type place struct {
	path string
	// test tells whether a file holds it. Empty files are not asked of.
	test func(s *scene, p string) bool
}

// places looks at some of them. Each finding is a person's to close: the machine may
// need what is there.
func (s *scene) places(list []place, why, remedy string, needed bool) {
	for _, x := range list {
		visit := func(p string, g host.Glimpse) onward {
			if at, g, ok := s.behind(p, g); ok && g.Size > 0 && x.test(s, at) {
				f := advice(System, at, why, "take it out of "+s.on(at)+remedy)
				f.Needed = needed
				s.add(f)
			}
			return into
		}
		if g := s.glance(x.path); g.Kind == host.Folder {
			s.below(x.path, visit)
		} else {
			visit(x.path, g)
		}
	}
}

func whatever(*scene, string) bool { return true }

// holdsSecret asks the reader of all kinds of files.
func holdsSecret(s *scene, p string) bool { return len(secretsIn(p, s.text(p))) > 0 }

const eachItsOwn = ", and give each instance its own when it starts"

// tlsKeys looks for keys of certificates that are not FreeSWITCH's: certbot's, with
// the account that they were ordered by, and those in the system's own place.
func tlsKeys(s *scene) {
	s.places([]place{{"/etc/letsencrypt", isCertbots}, {"/etc/ssl/private", isKey}},
		"the private key of a certificate, or of the account that orders them: every instance could pass for the names in it", eachItsOwn, false)
}

func isKey(s *scene, p string) bool { _, yes := s.isKeyFile(p); return yes }

func isCertbots(s *scene, p string) bool {
	return path.Base(p) == "private_key.json" || path.Ext(p) == ".pem" && isKey(s, p)
}

// networkKeys looks for keys and passwords by which this machine gets into a network:
// WireGuard, IPsec, OpenVPN, PPP, wireless.
func networkKeys(s *scene) {
	s.places([]place{
		{"/etc/wireguard", isTunnel}, {"/etc/openvpn", isTunnel},
		{"/etc/ipsec.secrets", isIPsecSecrets}, {"/etc/ipsec.d", isIPsecSecrets}, {"/etc/ipsec.d/private", whatever},
		{"/etc/swanctl/private", whatever}, {"/etc/swanctl/rsa", whatever}, {"/etc/swanctl/ecdsa", whatever}, {"/etc/swanctl/pkcs8", whatever},
		{"/etc/swanctl/pkcs12", whatever}, {"/etc/swanctl/bliss", whatever}, {"/etc/swanctl", holdsSecret},
		{"/etc/NetworkManager/system-connections", holdsSecret}, {"/etc/netplan", holdsSecret}, {"/etc/systemd/network", holdsSecret},
		{"/etc/wpa_supplicant", holdsSecret}, {"/etc/ppp/chap-secrets", isPPPSecrets}, {"/etc/ppp/pap-secrets", isPPPSecrets},
		{"/var/lib/tailscale/tailscaled.state", whatever}, {"/var/lib/zerotier-one/identity.secret", whatever},
	}, "a key or password of a network: every instance would get in as this machine", eachItsOwn, false)
}

// isTunnel tells a key of WireGuard (wg(8)) or OpenVPN, or a file of a user and his
// password.
func isTunnel(s *scene, p string) bool {
	name := strings.ToLower(path.Base(p))
	for _, part := range []string{"priv", "auth", "pass", "cred", "secret"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return path.Ext(p) == ".key" || isKey(s, p) || holdsSecret(s, p)
}

// isIPsecSecrets tells a file of ipsec.secrets(5) that has one: Debian's only
// includes others.
func isIPsecSecrets(s *scene, p string) bool {
	return strings.HasSuffix(p, ".secrets") && slices.ContainsFunc(s.lines(p), func(l string) bool { return !strings.HasPrefix(l, "include ") })
}

// isPPPSecrets reads pppd(8)'s: client, server, secret, addresses.
func isPPPSecrets(s *scene, p string) bool {
	return slices.ContainsFunc(s.lines(p), func(l string) bool {
		f := strings.Fields(l)
		return len(f) > 2 && strings.Trim(f[2], `"*-`) != ""
	})
}

// packageCredentials looks for what opens a package repository: FreeSWITCH's own
// gives its packages for a token alone. It stands in auth.conf (apt_auth.conf(5)), in
// the address of a source, or in that of a proxy.
func packageCredentials(s *scene) {
	s.places([]place{
		{"/etc/apt/auth.conf", isNetrc}, {"/etc/apt/auth.conf.d", isNetrc}, {"/etc/apt/sources.list", holdsSecret},
		{"/etc/apt/sources.list.d", holdsSecret}, {"/etc/apt/apt.conf", holdsSecret}, {"/etc/apt/apt.conf.d", holdsSecret},
	}, "the token or password of a package repository: whoever has the image can use it", ", once the last package is installed", false)
}

// isNetrc tells a password in the form of netrc(5).
func isNetrc(s *scene, p string) bool {
	words := strings.Fields(strings.Join(s.lines(p), " "))
	at := slices.Index(words, "password")
	return at >= 0 && at+1 < len(words)
}

// leases looks for the addresses that the build was given, and by what its DHCP
// client is known.
func leases(s *scene) {
	s.places([]place{
		{"/var/lib/dhcp", isLease}, {"/var/lib/dhclient", isLease}, {"/var/lib/dhcpcd", isLease}, {"/var/lib/dhcpcd5", isLease}, {"/var/lib/NetworkManager", isLease},
	}, "what the build's DHCP client was given, or is known by: an instance may ask for the same address", ", by removing it last of all", true)
}

func isLease(_ *scene, p string) bool {
	name := path.Base(p)
	return strings.Contains(name, "lease") || name == "duid" || name == "secret" || name == "secret_key"
}

// sudoRules looks for rules that make root of a user without a password: that of the
// build's user is in every instance. A build that comes in as him needs it to its end.
func sudoRules(s *scene) {
	s.places([]place{{"/etc/sudoers", isFreeOfPassword}, {"/etc/sudoers.d", isFreeOfPassword}},
		"lets a user run commands as root without a password, on every instance", ", last of all", true)
}

// isFreeOfPassword leaves out what sudoers(5) passes over, and what cloud-init writes
// for the users that it makes, and again on each instance
// (cloudinit/distros/__init__.py, ci_sudoers_fn).
func isFreeOfPassword(s *scene, p string) bool {
	name := path.Base(p)
	return name != "90-cloud-init-users" && !strings.Contains(name, ".") && !strings.HasSuffix(name, "~") &&
		slices.ContainsFunc(s.joined(p), func(l string) bool { return strings.Contains(l, "NOPASSWD") || strings.Contains(l, "!authenticate") })
}
