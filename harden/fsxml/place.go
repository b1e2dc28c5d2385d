package fsxml

import "strings"

// A Place is a path to an element below the outermost one, step by step:
//
//	section[configuration]/configuration[sofia.conf]/profiles/profile[internal]/settings
//
// [x] asks for the attribute name, for a user its id, whatever the case of its
// letters (switch_xml.c:390 switch_xml_find_child). A step without it takes
// any element of that tag.
type Place string

// EventSocket is where mod_event_socket reads its settings
// (mod_event_socket.c:2871 config).
func EventSocket() Place {
	return "section[configuration]/configuration[event_socket.conf]/settings"
}

const profiles Place = "section[configuration]/configuration[sofia.conf]/profiles"

// SIPProfiles are all of them, for Spots.
const SIPProfiles = profiles + "/profile"

// Profile is where mod_sofia reads the settings of a SIP profile
// (sofia.c:4473 config_sofia).
func Profile(name string) Place {
	return profiles + "/profile[" + Place(name) + "]/settings"
}

// A step is one element name of a place, and the name it must carry.
type step struct {
	tag   string
	key   string
	keyed bool
}

func (p Place) steps() []step {
	var steps []step
	for rest := string(p); rest != ""; {
		n := strings.IndexAny(rest, "[/")
		if n < 0 {
			return append(steps, step{tag: rest})
		}
		s := step{tag: rest[:n]}
		if rest[n] == '[' {
			s.key, rest, _ = strings.Cut(rest[n+1:]+"/", "]/")
			s.keyed = true
			rest = strings.TrimSuffix(rest, "/")
		} else {
			rest = rest[n+1:]
		}
		steps = append(steps, s)
	}
	return steps
}

// children returns the children of an element that a step asks for, in the
// order of the document. Those asked for by name are looked up, so that a
// thousand profiles are not gone through a thousand times.
func (c *Config) children(parent int32, s step) []int32 {
	if !s.keyed {
		var found []int32
		for i := c.nodes[parent].first; i != 0; i = c.nodes[i].next {
			if string(c.nodes[i].tag(c.doc)) == s.tag {
				found = append(found, i)
			}
		}
		return found
	}
	index, ok := c.index[parent]
	if !ok {
		index = c.keys(parent)
		c.index[parent] = index
	}
	s.key = lower(s.key)
	return index[s]
}

// keys files the children of an element under their tag and name.
func (c *Config) keys(parent int32) map[step][]int32 {
	index := map[step][]int32{}
	for i := c.nodes[parent].first; i != 0; i = c.nodes[i].next {
		n := &c.nodes[i]
		s := step{tag: string(n.tag(c.doc)), keyed: true}
		name := "name"
		if s.tag == "user" {
			name = "id"
		}
		if a, ok := n.attr(c.doc, name); ok {
			s.key = lower(decodeValue(c.doc[a.lo:a.hi]))
			index[s] = append(index[s], i)
		}
	}
	return index
}

// first returns the element FreeSWITCH reads at a place: the first one at every
// step. 0 when there is none.
func (c *Config) first(place Place) int32 {
	cur := c.top
	for _, s := range place.steps() {
		found := c.children(cur, s)
		if len(found) == 0 {
			return 0
		}
		cur = found[0]
	}
	return cur
}

// all returns every element a place matches.
func (c *Config) all(steps []step) []int32 {
	cur := []int32{c.top}
	for _, s := range steps {
		var next []int32
		for _, parent := range cur {
			next = append(next, c.children(parent, s)...)
		}
		cur = next
	}
	return cur
}
