package trunk

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// Check tells whether each profile that has trunks answers them alone, as FreeSWITCH
// reads the configuration; the error tells the first thing that is otherwise. It does
// not ask that the configuration be as Set leaves it, but that it amounts to the same.
func Check(c *fsxml.Config, trunks []plan.ProfileTrunks) error {
	if err := known(c, trunks); err != nil {
		return err
	}
	for _, t := range trunks {
		if err := once(c, t.Profile); err != nil {
			return err
		}
		if err := checkProfile(c, t.Profile); err != nil {
			return err
		}
	}
	for _, l := range wantedLists(trunks) {
		if err := checkList(c, l); err != nil {
			return err
		}
	}
	return nil
}

// known tells where the reading lacks what a running FreeSWITCH would have: that may be
// another profile of the name, another list, or what a profile sets.
func known(c *fsxml.Config, trunks []plan.ProfileTrunks) error {
	if len(trunks) == 0 {
		return nil
	}
	for _, name := range []fsxml.Place{"sofia.conf", "acl.conf"} {
		for _, conf := range c.Spots("section[configuration]/configuration[" + name + "]") {
			for _, d := range conf.Unread() {
				return fmt.Errorf("%s:%d: %s %q gives what only a running FreeSWITCH knows, and so nobody can say whom a profile answers: put its text there instead", d.File, d.Line, d.Cmd, cutShort(d.Arg))
			}
		}
	}
	return nil
}

// checkProfile goes through a profile's parameters as config_sofia does.
func checkProfile(c *fsxml.Config, profile string) error {
	acls := map[string][]string{"apply-inbound-acl": nil, "apply-register-acl": nil, "apply-proxy-acl": nil}
	authCalls := ""
	for _, p := range c.Params(fsxml.Profile(profile)) {
		name := strings.ToLower(p.Name)
		if name == "auth-calls" {
			authCalls = p.Value
			continue
		}
		if _, known := acls[name]; !known || p.Value == "" {
			continue
		}
		if strings.EqualFold(p.Value, "none") {
			acls[name] = nil
			continue
		}
		acls[name] = append(acls[name], p.Value)
	}
	if authCalls != "false" {
		return fmt.Errorf("the SIP profile %s: auth-calls is %q, so that whom the access list refuses is asked for a password instead", profile, cutShort(authCalls))
	}
	for _, want := range []struct{ name, value string }{
		{"apply-inbound-acl", List(profile) + "::"}, {"apply-register-acl", nobody}, {"apply-proxy-acl", ""},
	} {
		var wanted []string
		if want.value != "" {
			wanted = []string{want.value}
		}
		if got := acls[want.name]; !slices.Equal(got, wanted) {
			return fmt.Errorf("the SIP profile %s: %s is %s, not %s", profile, want.name, quoted(got), quoted(wanted))
		}
	}
	return nil
}

func quoted(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	const shown = 4
	var words []string
	for _, s := range list[:min(len(list), shown)] {
		words = append(words, strconv.Quote(cutShort(s)))
	}
	if n := len(list) - shown; n > 0 {
		words = append(words, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(words, ", ")
}

// checkList compares the list that FreeSWITCH goes by, the last one of its name
// (switch_core.c:1573, where each takes the place of the one before), with what it is
// to be.
func checkList(c *fsxml.Config, want list) error {
	var have *fsxml.Spot
	for _, l := range firstLists(c).All("list") {
		if l.Attr("name") == want.name {
			have = &l
		}
	}
	if have == nil {
		return fmt.Errorf("acl.conf.xml lacks the access list %s: FreeSWITCH answers nobody whom it should let in", want.name)
	}
	if d := have.Attr("default"); d != "deny" {
		return fmt.Errorf("acl.conf.xml: the access list %s has the default %q, not \"deny\"", want.name, cutShort(d))
	}
	nodes := have.All("node")
	var got []string
	for _, n := range nodes {
		if n.Attr("type") != "allow" || n.Attr("domain") != "" || n.Attr("host") != "" {
			return fmt.Errorf("acl.conf.xml: the access list %s has a <node> that is not as it was written", want.name)
		}
		got = append(got, n.Attr("cidr"))
	}
	for _, cidr := range got {
		if !slices.Contains(want.allow, cidr) {
			return fmt.Errorf("acl.conf.xml: the access list %s lets in %q, which no trunk names", want.name, cutShort(cidr))
		}
	}
	for _, cidr := range want.allow {
		if !slices.Contains(got, cidr) {
			return fmt.Errorf("acl.conf.xml: the access list %s does not let in %s", want.name, cidr)
		}
	}
	return nil
}

// firstLists is the <network-lists> that FreeSWITCH reads, the first at every step; no
// element where there is none.
func firstLists(c *fsxml.Config) fsxml.Spot {
	return first(first(first(c.Spots("section[configuration]")).All("configuration[acl.conf]")).All("network-lists"))
}

func first(all []fsxml.Spot) fsxml.Spot {
	if len(all) == 0 {
		return fsxml.Spot{}
	}
	return all[0]
}
