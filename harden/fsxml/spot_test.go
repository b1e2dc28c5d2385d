package fsxml_test

import (
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
)

func TestSpots(t *testing.T) {
	c, err := fsxml.Parse("/etc/x.xml", []byte(`<document>
 <domain name="a"><params><param name="Mode" value="1"/><param name="mode" value="2 &amp; 3"/></params>
  <users><user id="7"/><!-- <user id="8"/> --><user id="9" cidr="::1"><variables><variable name="v" value="w"/></variables></user></users></domain>
 <domain name="b"><users><user id="7"/></users></domain>
</document>`))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(c.Spots("domain/users/user")); got != 3 {
		t.Errorf("%d users in all domains, want 3: one is commented out", got)
	}
	domain := c.Spots("domain[a]")[0]
	if got, ok := domain.All("params")[0].Param("MODE"); !ok || got != "2 & 3" {
		t.Errorf("the last param of a name counts: %q, %v", got, ok)
	}
	user := domain.All("users/user[9]")[0]
	if user.Attr("cidr") != "::1" || user.Attr("id") != "9" || user.Attr("none") != "" || user.File() != "/etc/x.xml" {
		t.Errorf("attributes or file: %q %q %q %q", user.Attr("cidr"), user.Attr("id"), user.Attr("none"), user.File())
	}
	if got, ok := user.All("variables")[0].Variable("v"); !ok || got != "w" {
		t.Errorf("variable: %q, %v", got, ok)
	}
	if _, ok := user.Param("v"); ok {
		t.Error("a variable is no param, and one further down is not the element's own")
	}
	var none fsxml.Spot
	if none.Attr("id") != "" || none.File() != "" || none.All("x") != nil {
		t.Error("no element has something")
	}
}

// What an element lacks is told of it and of those around it.
func TestUnread(t *testing.T) {
	t.Parallel()
	const lacks = "<X-PRE-PROCESS cmd=\"exec\" data=\"x\"/>\n"
	for text, want := range map[string][2]int{ // of a, of a/b
		"<a>\n<b/>\n</a>\n":                                           {0, 0},
		"<a>\n" + lacks + "<b/>\n</a>\n":                              {1, 0},
		"<a>\n<b/>\n" + lacks + "</a>\n":                              {1, 0},
		"<a>\n<b>\n" + lacks + "</b>\n" + lacks + "</a>\n" + lacks:    {2, 1},
		"<a><b>\n" + lacks + "</b></a>\n":                             {1, 1},
		lacks + "<a><b></b></a>\n" + lacks:                            {0, 0},
		"<a>\n<b/>\n<!--#include \"$${runtime}/x\" -->\n<c/>\n</a>\n": {1, 0},
	} {
		c, err := fsxml.Parse("/x.xml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		a := c.Spots("a")[0]
		if got := [2]int{len(a.Unread()), len(a.All("b")[0].Unread())}; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if got := (fsxml.Spot{}).Unread(); got != nil {
		t.Errorf("of no element: %v", got)
	}
}
