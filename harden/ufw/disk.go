package ufw

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// Describe tells rules in a line, for people.
func Describe(rules []Rule) string {
	var words []string
	for _, r := range rules {
		w := r.Ports + "/" + r.Proto
		if r.From.IsValid() {
			w += " from " + r.From.String()
		}
		words = append(words, w)
	}
	if len(words) > shown {
		words = append(words[:shown], fmt.Sprintf("and %d more", len(words)-shown))
	}
	return strings.Join(words, ", ")
}

// shown is how many rules one line tells.
const shown = 8

const applyAgain = "run fs-harden apply"

// CheckFiles tells whether the next boot brings the firewall up as it is to be.
func CheckFiles(m *host.View, rules []Rule) error {
	for _, f := range Families {
		text, err := m.ReadFile(f.Rules)
		if err != nil {
			return fmt.Errorf("%w; %s", err, applyAgain)
		}
		file, ok := parse(string(text))
		if !ok {
			return fmt.Errorf("%s holds no rules in the form of ufw; %s", f.Rules, applyAgain)
		}
		for _, r := range rules {
			if r.For == ForSSH && r.in(f) && anyAdmits(file.Entries, r.Ports, netip.Addr{}) {
				continue
			}
			if missing := file.missing(f, []Rule{r}); len(missing) > 0 {
				return fmt.Errorf("%s does not let in %s; %s", f.Rules, Describe(missing), applyAgain)
			}
		}
	}
	conf, err := m.ReadFile(Conf)
	if err != nil {
		return fmt.Errorf("%w; %s", err, applyAgain)
	}
	if !strings.EqualFold(Settings(conf).Get("ENABLED"), "yes") {
		return fmt.Errorf("%s does not say ENABLED=yes: run ufw enable", Conf)
	}
	if mask, err := m.Lookup(Mask); err == nil && mask.Kind == host.Symlink && mask.Target == "/dev/null" {
		return fmt.Errorf("ufw.service is masked: run systemctl unmask ufw; %s", applyAgain)
	}
	if link, err := m.Lookup(Link); err != nil || link.Kind == host.Absent {
		return fmt.Errorf("ufw.service is not enabled: run systemctl enable ufw")
	}
	return policies(m)
}

// policies reads /etc/default/ufw; where it lacks, so does the package, which
// brings one that is right.
func policies(m *host.View) error {
	text, err := m.ReadFile(Defaults)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	s := Settings(text)
	if v := s.Get("DEFAULT_INPUT_POLICY"); v != "DROP" && v != "REJECT" {
		return fmt.Errorf("%s lets in what no rule names (DEFAULT_INPUT_POLICY is %q); %s", Defaults, v, applyAgain)
	}
	if v := s.Get("IPV6"); !strings.EqualFold(v, "yes") {
		return fmt.Errorf("%s says IPV6=%s: UFW would wipe all other IPv6 rules, bans among them; %s", Defaults, v, applyAgain)
	}
	return nil
}
