// Package password finds the two passwords that every vanilla FreeSWITCH shares in
// one file: of its configuration, of fs_cli's, or the one that a first boot leaves for
// root. They lie in a backup or a record, which are not part of any configuration that
// FreeSWITCH reads.
package password

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

// SIPVariable is the variable that holds the password of every vanilla user
// (directory/default/10xx.xml).
const SIPVariable = "default_password"

// Which of the two a password is.
type Which int

// The two.
const (
	SIP Which = iota // SIPVariable
	ESL              // the event socket's
)

// Found is one of them, as a file sets it.
type Found struct {
	Which Which
	Value secret.Value
}

// eventSocket is where the event socket's parameters stand: in a whole document, and
// in the file event_socket.conf.xml read alone.
var eventSocket = []fsxml.Place{fsxml.EventSocket(), "configuration[event_socket.conf]/settings"}

// In gives the passwords that a file sets, in the order of the file, each once.
// What is set to nothing or to another variable is none. A file that speaks of
// neither is not read. The error is of one that FreeSWITCH could not read.
func In(name string, data []byte) ([]Found, error) {
	if names := namesIn(name); names != nil {
		return inLines(names, data), nil
	}
	c, err := parse(name, data)
	if c == nil {
		return nil, err
	}
	var out []Found
	seen := [2]map[string]bool{SIP: {}, ESL: {}}
	add := func(w Which, value string) {
		if value != "" && !strings.Contains(value, "$${") && !seen[w][value] {
			seen[w][value] = true
			out = append(out, Found{w, secret.Of(value)})
		}
	}
	for _, d := range c.Directives() {
		if d.Cmd == "set" && strings.EqualFold(d.Name, SIPVariable) {
			add(SIP, d.Value)
		}
	}
	for _, place := range eventSocket {
		for _, p := range c.Params(place) {
			if strings.EqualFold(p.Name, "password") {
				add(ESL, p.Value)
			}
		}
	}
	return out, nil
}

// Replace gives the file with these passwords in place of those that it sets.
func Replace(name string, data []byte, with secret.Pair) ([]byte, error) {
	if names := namesIn(name); names != nil {
		return replaceLines(names, data, with), nil
	}
	c, err := parse(name, data)
	if c == nil {
		return data, err
	}
	found, err := In(name, data)
	if err != nil {
		return nil, err
	}
	sets := func(w Which) bool { return slices.ContainsFunc(found, func(f Found) bool { return f.Which == w }) }
	e := c.Edit()
	if sets(SIP) {
		if err := e.SetVar(SIPVariable, with.SIP.Reveal()); err != nil {
			return nil, err
		}
	}
	for _, place := range eventSocket {
		if !sets(ESL) || len(c.Params(place)) == 0 {
			continue
		}
		if err := e.SetParam(place, "password", with.ESL.Reveal()); err != nil {
			return nil, err
		}
	}
	changes, err := e.Changes()
	if err != nil || len(changes) == 0 {
		return data, err
	}
	return changes[0].After, nil
}

// parse reads a file alone; nil for one that cannot set a password.
func parse(name string, data []byte) (*fsxml.Config, error) {
	if !bytes.Contains(data, []byte(SIPVariable)) && !bytes.Contains(data, []byte("event_socket.conf")) {
		return nil, nil
	}
	c, err := fsxml.Parse(name, data)
	if err != nil {
		return nil, fmt.Errorf("reading what passwords it sets: %w", err)
	}
	return c, nil
}
