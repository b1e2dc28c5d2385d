// Package marked puts elements behind what FreeSWITCH's configuration has, and takes
// them away again. FreeSWITCH goes by what is set last, so nothing that somebody else
// wrote is changed, and without ours every file is as it was, byte for byte.
package marked

import (
	"errors"
	"fmt"
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
)

// mark is an attribute that FreeSWITCH does not read, by which we know our own.
const mark = "set-by"

// An Element is to stand behind all others at a place.
type Element struct {
	Place fsxml.Place
	Text  string // its XML
	// Missing tells what to do where the configuration has no such place.
	Missing string
}

// Param is a parameter of a SIP profile, marked with the option that asks for it. What
// it is made of needs no escaping.
func Param(profile, name, value, option string) Element {
	return Element{
		Place:   fsxml.Profile(profile),
		Text:    fmt.Sprintf(`<param name="%s" value="%s" %s="fs-harden %s"/>`, name, value, mark, option),
		Missing: fmt.Sprintf("the SIP profile %s has no <settings>: give it some", profile),
	}
}

// Params are all parameters of SIP profiles that an option has put in.
func Params(c *fsxml.Config, option string) []fsxml.Spot {
	return slices.DeleteFunc(c.Spots(fsxml.SIPProfiles+"/settings/param"), func(p fsxml.Spot) bool {
		return p.Attr(mark) != "fs-harden "+option
	})
}

// Replace is the configuration without the elements gone, which an earlier run put in,
// and with the wanted ones; and the files that differ from c. Nothing is written.
func Replace(c *fsxml.Config, gone []fsxml.Spot, wanted []Element) (*fsxml.Config, []fsxml.Change, error) {
	bare, cut, err := c.Without(gone)
	if err != nil {
		return nil, nil, err
	}
	e := bare.Edit()
	for _, el := range wanted {
		err := e.InsertElement(el.Place, el.Text)
		if errors.Is(err, fsxml.ErrNotFound) {
			return nil, nil, fmt.Errorf("%s: %w", el.Missing, err)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	put, err := e.Changes()
	if err != nil {
		return nil, nil, err
	}
	return e.After(), joined(cut, put), nil
}

// joined are the changes of two edits, one after the other, as one.
func joined(first, second []fsxml.Change) []fsxml.Change {
	out := slices.Clone(first)
	for _, ch := range second {
		k := slices.IndexFunc(out, func(o fsxml.Change) bool { return o.Path == ch.Path })
		if k < 0 {
			out = append(out, ch)
			continue
		}
		out[k].After = ch.After
	}
	return slices.DeleteFunc(out, func(ch fsxml.Change) bool { return string(ch.Before) == string(ch.After) })
}
