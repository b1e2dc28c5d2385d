package fakeswitch

import (
	"regexp"
	"strings"

	"github.com/beevik/etree"
)

// outcome is what the dialplan does with a call.
type outcome struct {
	answers bool
	rings   bool
	called  bool   // it called somebody, whatever came of it
	cause   string // of the hangup, where it neither answers nor rings
}

// maxTransfers ends a dialplan that sends a call round in a circle.
const maxTransfers = 10

// route walks through the dialplan (mod_dialplan_xml.c), as far as the number
// that is called decides: a condition on anything else never holds. Voicemail is
// not imitated, so a user who is not registered is not answered for.
func (s *Switch) route(context, number string) outcome {
	d := s.configuration()
	for range maxTransfers {
		actions := d.actions(context, number)
		if len(actions) == 0 {
			return outcome{cause: "NO_ROUTE_DESTINATION"}
		}
		to, ends := s.run(actions)
		if to == nil {
			return ends
		}
		number = to[0]
		if len(to) > 2 {
			context = to[2]
		}
	}
	return outcome{cause: "EXCHANGE_ROUTING_ERROR"}
}

// actions are those of the extensions that take the number, up to the first that
// does not say "continue", with the groups of their expressions put in
// (parse_exten, mod_dialplan_xml.c).
func (d *document) actions(context, number string) []setting {
	var actions []setting
	for _, extension := range named(d.section("dialplan"), "context", context).SelectElements("extension") {
		takes := false
		for _, condition := range extension.SelectElements("condition") {
			var groups []string
			if groups, takes = holds(condition, number); !takes {
				if condition.SelectAttrValue("break", "") == "never" {
					continue
				}
				break
			}
			for _, e := range condition.SelectElements("action") {
				data := e.SelectAttrValue("data", "")
				for i := len(groups) - 1; i > 0; i-- {
					data = strings.ReplaceAll(data, "$"+string(rune('0'+i)), groups[i])
				}
				actions = append(actions, setting{e.SelectAttrValue("application", ""), data})
			}
		}
		if takes && !isTrue(extension.SelectAttrValue("continue", "")) {
			break
		}
	}
	return actions
}

// holds says whether a condition holds: one on the called number by its
// expression, one on nothing always, and one on anything else, the time for
// example, never.
func holds(condition *etree.Element, number string) ([]string, bool) {
	if condition.SelectAttrValue("field", "") != "destination_number" {
		return nil, len(condition.Attr) == 0
	}
	expression, err := regexp.Compile(condition.SelectAttrValue("expression", ""))
	if err != nil {
		return nil, false // of Perl's kind
	}
	groups := expression.FindStringSubmatch(number)
	return groups[:min(len(groups), 10)], groups != nil
}

// run carries out actions up to the first that decides. A transfer says where
// to: a number, a dialplan and a context.
func (s *Switch) run(actions []setting) (transfer []string, ends outcome) {
	variables := map[string]string{"domain_name": s.variable("domain")}
	for _, a := range actions {
		data := a.value
		for name, value := range variables {
			data = strings.ReplaceAll(data, "${"+name+"}", value)
		}
		switch a.name {
		case "set", "export":
			name, value, _ := strings.Cut(data, "=")
			variables[name] = value
		case "transfer":
			if to := strings.Fields(data); len(to) > 0 {
				return to, outcome{}
			}
		case "answer", "conference", "echo", "park", "playback", "ivr", "voicemail":
			return nil, outcome{answers: true}
		case "hangup":
			if data == "" {
				data = "NORMAL_CLEARING"
			}
			return nil, outcome{cause: data}
		case "bridge":
			user, isUser := strings.CutPrefix(data, "user/")
			switch {
			case !isUser:
				return nil, outcome{called: true, cause: "NORMAL_TEMPORARY_FAILURE"} // there is no world to call
			case s.isRegistered(user):
				return nil, outcome{rings: true, called: true}
			default:
				return nil, outcome{called: true, cause: "USER_NOT_REGISTERED"}
			}
		}
	}
	return nil, outcome{cause: "NORMAL_CLEARING"}
}

func (s *Switch) isRegistered(user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.registrations[user]
	return found
}

// statusOf is what an INVITE is answered with, for a cause
// (hangup_cause_to_sip, mod_sofia.c:292).
func statusOf(cause string) string {
	switch cause {
	case "UNALLOCATED_NUMBER", "NO_ROUTE_TRANSIT_NET", "NO_ROUTE_DESTINATION":
		return "404 Not Found"
	case "USER_BUSY":
		return "486 Busy Here"
	case "NO_USER_RESPONSE":
		return "408 Request Timeout"
	case "CALL_REJECTED", "DECLINE", "REJECT_ALL":
		return "603 Decline"
	case "NUMBER_CHANGED", "REDIRECTION_TO_NEW_DESTINATION":
		return "410 Gone"
	case "DESTINATION_OUT_OF_ORDER", "INVALID_PROFILE":
		return "502 Bad Gateway"
	case "INVALID_NUMBER_FORMAT", "INVALID_URL", "INVALID_GATEWAY":
		return "484 Address Incomplete"
	case "NORMAL_TEMPORARY_FAILURE", "REQUESTED_CHAN_UNAVAIL", "NORMAL_CIRCUIT_CONGESTION", "NETWORK_OUT_OF_ORDER", "SWITCH_CONGESTION", "GATEWAY_DOWN":
		return "503 Service Unavailable"
	case "OUTGOING_CALL_BARRED", "INCOMING_CALL_BARRED", "BEARERCAPABILITY_NOTAUTH":
		return "403 Forbidden"
	case "INCOMPATIBLE_DESTINATION", "BEARERCAPABILITY_NOTIMPL":
		return "488 Not Acceptable Here"
	case "ORIGINATOR_CANCEL":
		return "487 Request Terminated"
	case "EXCHANGE_ROUTING_ERROR":
		return "483 Too Many Hops"
	default: // USER_NOT_REGISTERED, SUBSCRIBER_ABSENT, MANDATORY_IE_MISSING and many more
		return "480 Temporarily Unavailable"
	}
}
