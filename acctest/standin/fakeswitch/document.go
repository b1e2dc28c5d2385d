package fakeswitch

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// document is the configuration after the preprocessor, as one tree.
type document struct {
	root *etree.Element
}

func parseDocument(expanded []byte) (*document, error) {
	tree := etree.NewDocument()
	if err := tree.ReadFromBytes(expanded); err != nil {
		return nil, fmt.Errorf("the expanded configuration does not parse: %w", err)
	}
	if tree.Root() == nil {
		return nil, errors.New("the expanded configuration holds no element")
	}
	return &document{root: tree.Root()}, nil
}

// section returns <section name="...">, or an empty element.
func (d *document) section(name string) *etree.Element {
	return named(d.root, "section", name)
}

// file returns <configuration name="event_socket.conf"> and such, or an empty
// element.
func (d *document) file(name string) *etree.Element {
	return named(d.section("configuration"), "configuration", name)
}

// named is the first child with that tag and name, or an empty element.
func named(parent *etree.Element, tag, name string) *etree.Element {
	for _, e := range parent.SelectElements(tag) {
		if e.SelectAttrValue("name", "") == name {
			return e
		}
	}
	return etree.NewElement(tag)
}

// child is the first child with that tag, or an empty element.
func child(parent *etree.Element, tag string) *etree.Element {
	if e := parent.SelectElement(tag); e != nil {
		return e
	}
	return etree.NewElement(tag)
}

// setting is one <param name="..." value="..."/>.
type setting struct{ name, value string }

// settings are the params of a <settings> or <params>, in order, repeated
// ones too.
func settings(parent *etree.Element) []setting {
	var all []setting
	for _, e := range parent.SelectElements("param") {
		all = append(all, setting{e.SelectAttrValue("name", ""), e.SelectAttrValue("value", "")})
	}
	return all
}

func (d *document) profileNames() []string {
	var names []string
	for _, e := range child(d.file("sofia.conf"), "profiles").SelectElements("profile") {
		if name := e.SelectAttrValue("name", ""); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// profile returns a SIP profile's element and whether there is one.
func (d *document) profile(name string) (*etree.Element, bool) {
	e := named(child(d.file("sofia.conf"), "profiles"), "profile", name)
	return e, e.Parent() != nil
}

func (d *document) domains() []string {
	var names []string
	for _, e := range d.section("directory").SelectElements("domain") {
		names = append(names, e.SelectAttrValue("name", ""))
	}
	return names
}

// user returns the params of a user of the directory, where a user's win over
// a group's, and those over a domain's (switch_xml_locate_user_merged). A
// pointer to a user is passed over.
func (d *document) user(domain, id string) (params map[string]string, found bool) {
	x := named(d.section("directory"), "domain", domain)
	for _, group := range child(x, "groups").SelectElements("group") {
		for _, user := range child(group, "users").SelectElements("user") {
			if user.SelectAttrValue("id", "") != id || user.SelectAttrValue("type", "") == "pointer" {
				continue
			}
			params = map[string]string{}
			for _, e := range []*etree.Element{x, group, user} {
				for _, s := range settings(child(e, "params")) {
					params[strings.ToLower(s.name)] = s.value
				}
			}
			return params, true
		}
	}
	return nil, false
}

// userVariable is a variable of a user of the directory, by the rules of user,
// or "".
func (d *document) userVariable(domain, id, name string) (value string) {
	x := named(d.section("directory"), "domain", domain)
	for _, group := range child(x, "groups").SelectElements("group") {
		for _, user := range child(group, "users").SelectElements("user") {
			if user.SelectAttrValue("id", "") != id || user.SelectAttrValue("type", "") == "pointer" {
				continue
			}
			for _, e := range []*etree.Element{x, group, user} {
				for _, v := range child(e, "variables").SelectElements("variable") {
					if v.SelectAttrValue("name", "") == name {
						value = v.SelectAttrValue("value", "")
					}
				}
			}
			return value
		}
	}
	return ""
}

// isTrue is switch_true (switch_utils.h:518).
func isTrue(value string) bool {
	switch strings.ToLower(value) {
	case "yes", "on", "true", "t", "enabled", "active", "allow":
		return true
	}
	n, err := strconv.Atoi(value)
	return err == nil && n != 0
}
