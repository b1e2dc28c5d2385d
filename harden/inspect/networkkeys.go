package inspect

import (
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// networkKeys looks for keys and passwords by which this machine gets into a network:
// WireGuard, IPsec, OpenVPN, PPP, wireless.
func networkKeys(s *scene) {
	for _, x := range []struct {
		dir  string
		test func(s *scene, p string) bool
	}{
		{"/etc/wireguard", isTunnel},
		{"/etc/openvpn", isTunnel},
		{"/etc/ipsec.d/private", all},
		{"/etc/ipsec.d", isIPsecSecrets},
		{"/etc/swanctl/private", all},
		{"/etc/swanctl/rsa", all},
		{"/etc/swanctl/ecdsa", all},
		{"/etc/swanctl/pkcs8", all},
		{"/etc/swanctl/pkcs12", all},
		{"/etc/swanctl/bliss", all},
		{"/etc/swanctl", holdsSecret},
		{"/etc/NetworkManager/system-connections", holdsSecret},
		{"/etc/netplan", holdsSecret},
		{"/etc/systemd/network", holdsSecret},
		{"/etc/wpa_supplicant", holdsSecret},
	} {
		s.below(x.dir, func(p string, g host.Glimpse) onward {
			if at, g, ok := s.behind(p, g); ok && g.Size > 0 && x.test(s, at) {
				s.networkKey(at)
			}
			return into
		})
	}
	for _, name := range s.list("/etc") {
		if p := path.Join("/etc", name); strings.HasPrefix(name, "ipsec") && isIPsecSecrets(s, p) {
			s.networkKey(p)
		}
	}
	for _, p := range []string{"/etc/ppp/chap-secrets", "/etc/ppp/pap-secrets"} {
		for _, l := range s.lines(p) { // pppd(8): client, server, secret, addresses
			if f := strings.Fields(l); len(f) > 2 && strings.Trim(f[2], `"*-`) != "" {
				s.networkKey(p)
			}
		}
	}
	for _, p := range []string{"/var/lib/tailscale/tailscaled.state", "/var/lib/zerotier-one/identity.secret"} {
		if at, g, ok := s.file(p); ok && g.Size > 0 {
			s.networkKey(at)
		}
	}
}

func (s *scene) networkKey(at string) {
	s.add(advice(System, at, "a key or password of a network: every instance would get in as this machine", s.rm(at)+", and give each instance its own when it starts"))
}

func all(*scene, string) bool { return true }

// holdsSecret asks the reader of all kinds of files.
func holdsSecret(s *scene, p string) bool { return len(secretsIn(p, s.text(p))) > 0 }

// isTunnel tells a key of WireGuard (wg(8)) or OpenVPN, or a file of a user and his
// password.
func isTunnel(s *scene, p string) bool {
	name := path.Base(p)
	for _, part := range []string{"priv", "auth", "pass", "cred", "secret"} {
		if strings.Contains(strings.ToLower(name), part) {
			return true
		}
	}
	if _, yes := s.isKeyFile(p); yes {
		return true
	}
	return path.Ext(p) == ".key" && path.Dir(p) == "/etc/wireguard" || holdsSecret(s, p)
}

// isIPsecSecrets tells a file of ipsec.secrets(5) that has one: Debian's only
// includes others.
func isIPsecSecrets(s *scene, p string) bool {
	return strings.HasSuffix(p, ".secrets") && slices.ContainsFunc(s.lines(p), func(l string) bool { return !strings.HasPrefix(l, "include ") })
}

// tlsKeys looks for keys of certificates that are not FreeSWITCH's: certbot's, with
// the account that they were ordered by, and those in the system's own place.
func tlsKeys(s *scene) {
	const certbot = "/etc/letsencrypt"
	isKey := func(p string) bool { _, yes := s.isKeyFile(p); return yes }
	for _, x := range []struct {
		name, why string
		test      func(string) bool
	}{
		{"archive", "private keys of certificates: every instance could pass for the names in them", isKey},
		{"live", "private keys of certificates: every instance could pass for the names in them", isKey},
		{"keys", "private keys of certificates: every instance could pass for the names in them", isKey},
		{"accounts", "the key of the account that certificates are ordered and revoked with", func(p string) bool { return path.Base(p) == "private_key.json" }},
	} {
		if dir := path.Join(certbot, x.name); s.holdsAny(dir, x.test) {
			s.add(advice(System, dir, x.why, "rm -r "+s.on(certbot)+", and have each instance order its own"))
		}
	}
	s.below("/etc/ssl/private", func(p string, g host.Glimpse) onward {
		if g.Kind == host.File {
			if at, yes := s.isKeyFile(p); yes {
				s.add(advice(System, at, sharedKey, s.rm(at)+", and give each instance its own when it starts"))
			}
		}
		return into
	})
}
