// Package trunk has a SIP profile answer its trunks alone: by an access list of
// FreeSWITCH's own, which logs whom it refuses, and by what the profile sets.
//
// Lines of FreeSWITCH's source are those of v1.10.12. What they do decides what is
// set here:
//
//   - Of several apply-inbound-acl it is enough to pass one (sofia.c:10552), so that a
//     list of an operator's would let in whom ours refuses. "none" forgets all that was
//     set before it (sofia.c:5731), and what is set last counts.
//   - A list refuses a call only where auth-calls is off. With it on, whoever does not
//     pass is asked for a password, and whoever passes counts as somebody who gave one
//     (sofia.c:10582, 10666).
//   - LIST:PASS:FAIL sends who fails on to a context instead of refusing him
//     (sofia.c:10668), and a rescan keeps FAIL where the new value has no colon
//     (sofia.c:5738). Two colons with nothing between them take it away.
//   - apply-proxy-acl lets a host say in a header whose call it brings, and that address
//     is the one that is looked up and logged (sofia.c:10627).
//   - Who passes apply-register-acl registers without a password, under any name
//     (sofia_reg.c:2402), and a source over UDP can be forged. So nobody passes it: a
//     trunk is known by its address and has no need to register, and who tries is
//     refused and logged.
package trunk

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/marked"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// The access lists. Whatever else begins so was put in by an earlier run.
const (
	ours   = "fs-harden-"
	nobody = ours + "nobody"
)

// List is the name of the access list of a profile, given in lower case.
func List(profile string) string { return ours + "trunks-" + profile }

// option is that of the plan that asks for all this.
const option = "trunk"

const lists fsxml.Place = "section[configuration]/configuration[acl.conf]/network-lists"

// Set is the configuration in which each profile that has trunks answers them alone,
// and nothing is left of what an earlier run put in for others; with the files that
// differ from c. Nothing is written.
//
// It fails where a profile is missing or there twice, and where something in the
// configuration undoes what is put in.
func Set(c *fsxml.Config, trunks []plan.ProfileTrunks) (*fsxml.Config, []fsxml.Change, error) {
	if err := known(c, trunks); err != nil {
		return nil, nil, err
	}
	for _, t := range trunks {
		if err := once(c, t.Profile); err != nil {
			return nil, nil, err
		}
	}
	after, changed, err := marked.Replace(c, earlier(c), wanted(trunks))
	if err != nil {
		return nil, nil, err
	}
	if err := Check(after, trunks); err != nil {
		return nil, nil, fmt.Errorf("%w: what sets it otherwise comes after what is put in here; move it before the end of its <settings> or <network-lists>", err)
	}
	return after, changed, nil
}

// once tells why a profile cannot be set: FreeSWITCH reads all that have its name, one
// over the other.
func once(c *fsxml.Config, profile string) error {
	var names []string
	n := 0
	for _, p := range c.Spots(fsxml.SIPProfiles) {
		name := p.Attr("name")
		if strings.EqualFold(name, profile) {
			n++
		}
		names = append(names, strconv.Quote(cutShort(name)))
	}
	const shown = 8
	if len(names) > shown {
		names = append(names[:shown], fmt.Sprintf("and %d more", len(names)-shown))
	}
	switch {
	case n == 0 && len(names) == 0:
		return fmt.Errorf("the plan has trunks for the SIP profile %q, and this FreeSWITCH has no profile at all", profile)
	case n == 0:
		return fmt.Errorf("the plan has trunks for the SIP profile %q, which this FreeSWITCH does not have: name one of %s", profile, strings.Join(names, ", "))
	case n > 1:
		return fmt.Errorf("the plan has trunks for the SIP profile %q, and this FreeSWITCH has %d of that name: leave one, or nobody can say whom it answers", profile, n)
	}
	return nil
}

// earlier is all that a run before this one put in.
func earlier(c *fsxml.Config) []fsxml.Spot {
	var out []fsxml.Spot
	for _, l := range c.Spots(lists + "/list") {
		if strings.HasPrefix(l.Attr("name"), ours) {
			out = append(out, l)
		}
	}
	return append(out, marked.Params(c, option)...)
}

// wanted is all that is put in.
func wanted(trunks []plan.ProfileTrunks) []marked.Element {
	var out []marked.Element
	for _, l := range wantedLists(trunks) {
		out = append(out, marked.Element{
			Place: lists, Text: l.text(),
			Missing: "acl.conf.xml has no <network-lists> to put an access list into: put the file of FreeSWITCH's package back",
		})
	}
	for _, t := range trunks {
		for _, p := range wantedParams(t.Profile) {
			out = append(out, marked.Param(t.Profile, p.name, p.value, option))
		}
	}
	return out
}

// param is one that is put into a profile.
type param struct{ name, value string }

// wantedParams are those of a profile, in this order, behind all that it has.
func wantedParams(profile string) []param {
	return []param{
		{"auth-calls", "false"},
		{"apply-proxy-acl", "none"},
		{"apply-inbound-acl", "none"},
		{"apply-inbound-acl", List(profile) + "::"},
		{"apply-register-acl", "none"},
		{"apply-register-acl", nobody},
	}
}

// list is an access list that refuses whom it does not name.
type list struct {
	name  string
	allow []string
}

func (l list) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<list name="%s" default="deny">`, l.name)
	for _, cidr := range l.allow {
		fmt.Fprintf(&b, "\n  <node type=\"allow\" cidr=\"%s\"/>", cidr)
	}
	return b.String() + "\n</list>"
}

func wantedLists(trunks []plan.ProfileTrunks) []list {
	if len(trunks) == 0 {
		return nil
	}
	var out []list
	for _, t := range trunks {
		l := list{name: List(t.Profile)}
		for _, n := range t.From {
			l.allow = append(l.allow, n.String())
		}
		out = append(out, l)
	}
	return append(out, list{name: nobody})
}

// cutShort bounds what somebody else has written.
func cutShort(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
