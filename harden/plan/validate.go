package plan

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

const (
	lower   = "abcdefghijklmnopqrstuvwxyz"
	letters = lower + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
	// systemd.unit(5): the characters of a unit name without the suffix; a
	// template's instance follows an "@".
	inUnitNames = letters + digits + `:_.\@-`
	// The path goes into a unit file, where blanks, quotes and % have meanings.
	inPlainPaths = letters + digits + "/_.@+-"
	// useradd(8) on Debian, and what cloud images use.
	inUserNames = lower + digits + "_.-"
	// It goes into User-Agent, into the line o= of an SDP, which ends a word at a
	// blank (RFC 8866, 5.2), and into the user of a SIP URI (RFC 3261, 25.1).
	inBanners      = letters + digits + "._-"
	atMostBanner   = 32
	beginUserNames = lower + "_"
)

func isUnitName(s string) bool {
	return made(s, inUnitNames, 200) && s[0] != '-' && !strings.HasSuffix(s, ".service")
}

func isUserName(s string) bool {
	return made(s, inUserNames, 32) && strings.Contains(beginUserNames, s[:1])
}

// made tells whether s is made of these characters alone, and of no more than so
// many. Nothing here is worth package regexp, whose tables of Unicode would be a
// tenth of the helper.
func made(s, of string, atMost int) bool {
	return s != "" && len(s) <= atMost && strings.Trim(s, of) == ""
}

// Validate tells every fault of the plan at once, each naming its option and
// what it takes. Nil means that the plan can be carried out.
func (p *Plan) Validate() error {
	var f faults
	f.confDir(p.ConfDir)
	if !isUnitName(p.ServiceName) {
		f.add("service_name: %q is not a systemd unit name; give it without .service, as in \"freeswitch\"", p.ServiceName)
	}
	if strings.HasSuffix(p.ServiceName, "@") {
		f.add("service_name: %q is a template; name one of its instances, as in \"freeswitch@pbx1\": what holds it back holds back all of them", p.ServiceName)
	}
	for _, u := range p.AdminUsers {
		if !isUserName(u) {
			f.add("admin_users: %q is not a login name; give names as they stand in /etc/passwd", u)
		}
	}
	f.addresses("sip_allow_from", p.SIPAllowFrom)
	if b := p.SIPBanner; b != "" && (!made(b, inBanners, atMostBanner) || !strings.Contains(letters, b[:1])) {
		f.add("sip_banner: %q cannot stand in SIP's headers as it is; give one word of up to %d letters, digits and ._-, which begins with a letter, as in \"pbx\"", b, atMostBanner)
	}
	f.trunks(p.Trunks)
	f.addresses("fail2ban.ignore_ip", p.Fail2ban.IgnoreIP)
	f.notTheWorld("fail2ban.ignore_ip", p.Fail2ban.IgnoreIP)
	f.portRange(p.RTPPortRange)
	for _, n := range p.SSHPorts {
		if n < 1 || n > 65535 {
			f.add("ssh_ports: %d is not a TCP port (1 to 65535)", n)
		}
	}
	f.atLeastOne("fail2ban.max_retry", p.Fail2ban.MaxRetry)
	if n := p.Fail2ban.ChallengeMaxRetry; n < 0 {
		f.add("fail2ban.challenge_max_retry: %d is too small; it takes a whole number from 1, or 0 to count challenges together with failures", n)
	}
	f.atLeastOne("fail2ban.find_time", p.Fail2ban.FindTime)
	f.atLeastOne("fail2ban.ban_time", p.Fail2ban.BanTime)
	if a := p.Fail2ban.BanAction; a != "nftables" && a != "iptables-allports" {
		f.add("fail2ban.ban_action: %q is not known; use \"nftables\" or \"iptables-allports\"", a)
	}
	f.atLeastOne("refusals.max_retry", p.Refusals.MaxRetry)
	f.atLeastOne("refusals.find_time", p.Refusals.FindTime)
	f.atLeastOne("recidive.max_retry", p.Recidive.MaxRetry)
	f.atLeastOne("recidive.find_time", p.Recidive.FindTime)
	f.atLeastOne("recidive.ban_time", p.Recidive.BanTime)
	return errors.Join(f...)
}

// ParseAddress reads an address or CIDR of either family. A bare address is
// the network of that one host. An IPv4 address in IPv6's clothes is refused:
// it would never match what it means.
func ParseAddress(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil || p.Addr().Is4In6() {
			return netip.Prefix{}, fmt.Errorf("%q is not a CIDR, as in 203.0.113.0/24 or 2001:db8::/32", s)
		}
		if p != p.Masked() {
			return netip.Prefix{}, fmt.Errorf("%q has bits set behind its mask; did you mean %s?", s, p.Masked())
		}
		return p, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is not an IPv4 or IPv6 address or CIDR; host names are not looked up", s)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

func (f *faults) confDir(dir string) {
	switch {
	case dir == "":
	case !path.IsAbs(dir):
		f.add("conf_dir: %q is not an absolute path, as in \"/etc/freeswitch\"", dir)
	case path.Clean(dir) == "/":
		f.add("conf_dir: %q cannot be FreeSWITCH's configuration folder", dir)
	case !made(dir, inPlainPaths, len(dir)):
		f.add("conf_dir: %q holds a character other than letters, digits and /_.@+-; link to the folder under a plain name", dir)
	}
}

func (f *faults) addresses(option string, list []string) {
	for _, s := range list {
		if _, err := ParseAddress(s); err != nil {
			f.add("%s: %w", option, err)
		}
	}
}

// notTheWorld refuses networks so wide that no ban would ever fall on anybody.
func (f *faults) notTheWorld(option string, list []string) {
	all := Merged(prefixes(list))
	for _, fam := range everybody {
		if own := family(all, fam.all); tooWide(own) {
			f.add("%s: its %s networks add up to so much of the Internet that hardly anybody could be banned (%s); name those whom you trust, or say skip_fail2ban = true", option, fam.Family, joined(own))
		}
	}
}

// joined names the first networks of a list.
func joined(list []netip.Prefix) string {
	const atMost = 5
	var words []string
	for _, p := range list[:min(len(list), atMost)] {
		words = append(words, p.String())
	}
	if n := len(list) - atMost; n > 0 {
		words = append(words, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(words, ", ")
}

func (f *faults) portRange(s string) {
	first, last, ok := strings.Cut(s, ":")
	a, errA := strconv.ParseUint(first, 10, 16)
	b, errB := strconv.ParseUint(last, 10, 16)
	if !ok || errA != nil || errB != nil || a == 0 || a > b {
		f.add("rtp_port_range: %q is not a range of UDP ports, as in \"16384:32768\"", s)
	}
}

func (f *faults) atLeastOne(option string, n int) {
	if n < 1 {
		f.add("%s: %d is too small; it takes a whole number from 1", option, n)
	}
}
