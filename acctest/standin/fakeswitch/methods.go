package fakeswitch

import (
	"slices"
	"strings"
)

// The methods that sofia-sip knows by name (sip_method_t).
var knownMethods = []string{"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "INFO", "PRACK", "UPDATE", "MESSAGE", "SUBSCRIBE", "NOTIFY", "REFER", "PUBLISH"}

// supported is what a request may ask for with Require (sofia.c:3170).
const supported = "timer, path, replaces"

// answer is what a profile sends back, in order, and what it logs on the way.
func (p *profile) answer(r *request, from peer) []string {
	if r.method == "ACK" {
		p.confirm(r)
		return nil
	}
	if refusal := p.refuse(r, from); refusal != "" {
		return []string{refusal}
	}
	switch r.method {
	case "REGISTER":
		return p.register(r, from)
	case "INVITE":
		return p.invite(r, from)
	case "BYE":
		return p.bye(r, from)
	case "CANCEL":
		return p.cancel(r, from)
	case "MESSAGE":
		// Without enable-chat it is accepted and thrown away (sofia_presence.c:4788).
		return p.message(r, from, isTrue(p.value("enable-chat", "true")) && isTrue(p.value("auth-messages", "true")))
	case "SUBSCRIBE":
		return p.message(r, from, isTrue(p.value("auth-subscriptions", "true")) || r.registers())
	case "REFER":
		return []string{p.respond(r, "202 Accepted", from, p.ownContact())}
	case "PUBLISH":
		return []string{p.respond(r, "200 OK", from, p.ownContact(), "Expires: 3600", "SIP-ETag: "+newUUID()[:8])}
	case "NOTIFY":
		return []string{p.notify(r, from)}
	case "OPTIONS":
		return []string{p.respond(r, "200 OK", from, p.ownContact())}
	default: // INFO and, of a call, UPDATE
		return []string{p.respond(r, "200 OK", from)}
	}
}

// refuse is what sofia-sip answers by itself, before mod_sofia hears of a
// request (nua_stack_process_request, nua_server.c:85), or "".
func (p *profile) refuse(r *request, from peer) string {
	scheme, _, _ := strings.Cut(strings.ToLower(r.uri), ":")
	inDialog := p.leg(r) != nil
	event := r.event()
	switch {
	case r.method == "CANCEL":
		return ""
	case r.method == "PRACK" && !inDialog:
		return r.respond("481 No such response", from, "") // of nta, which knows no name
	case !slices.Contains(knownMethods, r.method):
		return p.refusal(r, "501 Not Implemented", from)
	case !slices.Contains(p.allowed(), r.method):
		return p.refusal(r, "405 Method Not Allowed", from)
	case !slices.Contains([]string{"sip", "sips", "urn", "im", "pres", "tel"}, scheme):
		return p.refusal(r, "416 Unsupported URI Scheme", from)
	case p.lacks(r) != "":
		return p.refusal(r, "420 Bad Extension", from, "Unsupported: "+p.lacks(r))
	case inDialog:
		return ""
	case r.method == "BYE" || r.method == "UPDATE":
		return p.refusal(r, "481 Call Does Not Exist", from)
	case strings.Contains(r.header("to"), ";tag=") && !slices.Contains([]string{"SUBSCRIBE", "INFO", "MESSAGE"}, r.method):
		return p.refusal(r, "481 Call Does Not Exist", from)
	case r.method == "SUBSCRIBE" && event == "refer":
		return p.respond(r, "403 Forbidden", from)
	case (r.method == "SUBSCRIBE" || r.method == "PUBLISH") && !slices.Contains(p.allowedEvents(), event):
		return p.respond(r, "489 Bad Event", from)
	default:
		return ""
	}
}

// notify accepts few events outside of a call (sofia_handle_sip_i_notify,
// sofia.c).
func (p *profile) notify(r *request, from peer) string {
	switch r.event() {
	case "keep-alive", "refer", "message-summary":
		return p.respond(r, "200 OK", from, p.ownContact())
	default:
		return p.respond(r, "481 Subscription Does Not Exist", from)
	}
}

// allowed are the methods of the header Allow (sofia.c:3328).
func (p *profile) allowed() []string {
	methods := []string{"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "MESSAGE", "INFO"}
	for _, m := range []struct {
		method string
		is     bool
	}{
		{"UPDATE", isTrue(p.value("allow-update", "true"))},
		{"REGISTER", !p.flag("disable-register")},
		{"REFER", !p.flag("disable-transfer")},
		{"PRACK", p.flag("enable-100rel")},
		{"NOTIFY", true},
		{"PUBLISH", p.presence()},
		{"SUBSCRIBE", p.presence()},
	} {
		if m.is {
			methods = append(methods, m.method)
		}
	}
	return methods
}

// allowedEvents are those of the header Allow-Events (sofia.c:3342).
func (p *profile) allowedEvents() []string {
	events := []string{"talk", "hold", "conference"}
	if p.presence() {
		events = append(events, "presence", "as-feature-event", "dialog", "line-seize", "call-info", "sla", "include-session-description", "presence.winfo", "message-summary")
	}
	return append(events, "refer")
}

// presence says whether the profile manages it (sofia.c:5367).
func (p *profile) presence() bool {
	value := strings.ToLower(p.value("manage-presence", ""))
	return value == "passive" || value == "pnp" || isTrue(value)
}

// lacks names what a request requires and sofia-sip does not have.
func (p *profile) lacks(r *request) string {
	var lacking []string
	for extension := range strings.SplitSeq(r.header("require"), ",") {
		extension = strings.TrimSpace(extension)
		if extension != "" && !slices.Contains(strings.Split(supported, ", "), extension) {
			lacking = append(lacking, extension)
		}
	}
	return strings.Join(lacking, ", ")
}

func (p *profile) ownContact() string { return "Contact: <sip:" + p.hostPort(p.port()) + ">" }

// event is the package that a request is about, or "".
func (r *request) event() string {
	event, _, _ := strings.Cut(r.header("event"), ";")
	return strings.TrimSpace(event)
}

// registers says whether credentials are asked for as of a REGISTER
// (sofia_presence.c, "as-feature-event").
func (r *request) registers() bool {
	return r.method == "REGISTER" || r.method == "SUBSCRIBE" && r.event() == "as-feature-event"
}
