package inspect

import (
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fsxml"
)

// dialplan looks for vanilla's examples that listen in, or cost money. An
// extension that asks for more than the number dialled is somebody's own.
func dialplan(s *scene) {
	c := s.configuration()
	if c == nil {
		return
	}
	for _, context := range c.Spots("section[dialplan]/context") {
		public := strings.EqualFold(context.Attr("name"), "public")
		for _, x := range context.All("extension") {
			why := example(x)
			if public {
				why = opensDefault(x)
			}
			if why != "" {
				s.add(advice(Known, x.File(), why, "remove the extension \""+x.Attr("name")+"\" from "+s.on(x.File())))
			}
		}
	}
}

// example says what an extension does that dials out or listens in, if it is
// one of vanilla's default.xml and 01_example.com.xml.
func example(x fsxml.Spot) string {
	number := dialled(x)
	for _, a := range x.All("condition/action") {
		app, data := a.Attr("application"), a.Attr("data")
		switch {
		case app == "eavesdrop" && number != "" && onlyNumber(x):
			return "whoever may call at all may listen to every call (eavesdrop)"
		case app == "bridge" && strings.HasPrefix(number, "^sip:"):
			return "calls any address that begins with sip:"
		case app == "bridge" && strings.HasPrefix(data, "sofia/gateway/${default_gateway}/"):
			return "dials out, abroad too, through the example gateway"
		case app == "bridge" && (strings.HasSuffix(data, "@conference.freeswitch.org") || strings.HasSuffix(data, "@bkw.org")):
			return "calls a stranger's machine, which learns this one's address"
		}
	}
	return ""
}

// opensDefault says what an extension of the context public lets anybody do.
func opensDefault(x fsxml.Spot) string {
	if number := dialled(x); !strings.Contains(number, "10[01][0-9]") && !strings.Contains(number, "3[5-8][01][0-9]") {
		return ""
	}
	for _, a := range x.All("condition/action") {
		if a.Attr("application") == "transfer" && strings.HasSuffix(strings.ToLower(a.Attr("data")), " xml default") {
			return "lets callers without a password ring phones and enter conferences"
		}
	}
	return ""
}

// dialled is the expression for the number, of the first condition that has one.
func dialled(x fsxml.Spot) string {
	for _, c := range x.All("condition") {
		if strings.EqualFold(c.Attr("field"), "destination_number") {
			return c.Attr("expression")
		}
	}
	return ""
}

func onlyNumber(x fsxml.Spot) bool {
	for _, c := range x.All("condition") {
		if !strings.EqualFold(c.Attr("field"), "destination_number") {
			return false
		}
	}
	return true
}
