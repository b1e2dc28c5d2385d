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
