package fsxml

// A Spot is one element, and where it stands. It belongs to its configuration
// and copies nothing, so that going through a directory of ten thousand users
// costs what reading it does. The zero value is no element: it has no
// attributes and nothing below it.
type Spot struct {
	c *Config
	i int32
}

// Spots returns every element that matches a place, as Elements does.
func (c *Config) Spots(place Place) []Spot { return Spot{c, c.top}.All(place) }

// All returns every element that matches a place below this one.
func (s Spot) All(place Place) []Spot {
	if s.c == nil {
		return nil
	}
	cur := []int32{s.i}
	for _, step := range place.steps() {
		var next []int32
		for _, parent := range cur {
			next = append(next, s.c.children(parent, step)...)
		}
		cur = next
	}
	spots := make([]Spot, len(cur))
	for k, i := range cur {
		spots[k] = Spot{s.c, i}
	}
	return spots
}

// Attr returns an attribute, decoded; empty where there is none.
func (s Spot) Attr(name string) string {
	if s.c == nil || s.i == 0 {
		return ""
	}
	return s.c.nodes[s.i].value(s.c.doc, name)
}

// File is the file that the element's tag begins in; empty for none.
func (s Spot) File() string {
	if s.c == nil || s.i == 0 {
		return ""
	}
	name, _ := s.c.position(int(s.c.nodes[s.i].start))
	return name
}

// Unread returns the directives within the element whose text is missing from this
// reading: exec, whose command is never run, and includes whose path hangs on a
// variable that only a running FreeSWITCH knows.
func (s Spot) Unread() []Directive {
	if s.c == nil {
		return nil
	}
	n := &s.c.nodes[s.i]
	var unread []Directive
	for _, g := range s.c.unread {
		if s.i == 0 || int(n.open) <= g.at && g.at <= int(n.close) && n.close < n.end {
			unread = append(unread, s.c.directives[g.directive])
		}
	}
	return unread
}

// FileAt is the file that the byte at pos of Expanded was read from; for what a
// variable stands for, the file that names the variable.
func (c *Config) FileAt(pos int) string {
	f, _, _ := c.segs.origin(pos)
	return c.files[f].name
}

// Param returns the value of a <param name="" value=""/> below the element,
// the last one of that name, the case of its letters apart.
func (s Spot) Param(name string) (value string, ok bool) { return s.named("param", name) }

// Variable is Param for <variable/>.
func (s Spot) Variable(name string) (value string, ok bool) { return s.named("variable", name) }

func (s Spot) named(tag, name string) (value string, ok bool) {
	for _, p := range s.All(Place(tag)) {
		if lower(p.Attr("name")) == lower(name) {
			value, ok = p.Attr("value"), true
		}
	}
	return value, ok
}
