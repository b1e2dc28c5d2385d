package fsxml

import "strings"

// A Param is a <param name="" value=""/> with its entities decoded, and where
// its tag begins.
type Param struct {
	Name  string
	Value string
	File  string
	Line  int
}

// Params returns the parameters FreeSWITCH reads at a place, in the order it
// reads them: those of the first element that matches each step. Others of the
// same name are passed over by FreeSWITCH; SetParam takes care of them too.
func (c *Config) Params(place Place) []Param {
	settings := c.first(place)
	if settings == 0 {
		return nil
	}
	var params []Param
	for _, i := range c.children(settings, step{tag: "param"}) {
		n := &c.nodes[i]
		p := Param{Name: n.value(c.doc, "name"), Value: n.value(c.doc, "value")}
		p.File, p.Line = c.position(int(n.start))
		params = append(params, p)
	}
	return params
}

// Value returns the effective value of a parameter: the last one of that name
// among those FreeSWITCH reads at the place.
func (c *Config) Value(place Place, name string) (string, bool) {
	settings := c.first(place)
	if settings == 0 {
		return "", false
	}
	value, found := "", false
	for _, i := range c.children(settings, step{tag: "param"}) {
		if n := &c.nodes[i]; place.reads(n.value(c.doc, "name"), name) {
			value, found = n.value(c.doc, "value"), true
		}
	}
	return value, found
}

// reads tells whether the module takes a parameter called written for name.
// Most compare without case; mod_event_socket does so for two only
// (mod_event_socket.c:2886).
func (p Place) reads(written, name string) bool {
	if strings.Contains(string(p), "configuration[event_socket.conf]") && name != "apply-inbound-acl" && name != "stop-on-bind-error" {
		return written == name
	}
	return lower(written) == lower(name)
}

// Profiles returns the names of the SIP profiles in the order of the document,
// each once.
func (c *Config) Profiles() []string {
	parent := c.first(profiles)
	if parent == 0 {
		return nil
	}
	var names []string
	seen := map[string]bool{}
	for _, i := range c.children(parent, step{tag: "profile"}) {
		name := c.nodes[i].value(c.doc, "name")
		if key := lower(name); !seen[key] {
			seen[key] = true
			names = append(names, name)
		}
	}
	return names
}
