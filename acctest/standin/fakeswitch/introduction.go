package fakeswitch

import "strings"

// What a profile says of itself where nobody tells it otherwise (sofia.c:4627,
// 6191, 4669).
const (
	defaultUserAgent   = "FreeSWITCH-mod_sofia/" + version + "~64bit"
	defaultSDPUser     = "FreeSWITCH"
	defaultContactUser = "mod_sofia"
)

// introduce reads the settings that say what a profile calls itself. An empty
// user-agent-string sends an empty header, and "_undef_" none (sofia.c:3372); an
// empty username is like none at all (switch_core_media.c:1999).
func (p *profile) introduce() {
	p.userAgent, p.sdpUser = defaultUserAgent, p.value("username", defaultSDPUser)
	p.contactUser = p.value("contact-user", defaultContactUser)
	if agent, given := p.settings["user-agent-string"]; given {
		p.userAgent = agent
	}
}

// respond makes the answer to a request, as sofia-sip completes it
// (nua_server_respond, nua_server.c:507).
func (p *profile) respond(r *request, status string, to peer, more ...string) string {
	return p.respondWith(r, status, to, "", more...)
}

// respondWith is respond with a body.
func (p *profile) respondWith(r *request, status string, to peer, body string, more ...string) string {
	headers := append(p.agent(), more...)
	if strings.HasPrefix(status, "100 ") {
		return r.respond(status, to, body, headers...)
	}
	if r.method == "INVITE" || r.method == "OPTIONS" {
		headers = append(headers, "Accept: application/sdp")
	}
	headers = append(headers, p.abilities()...)
	switch r.method {
	case "INVITE", "OPTIONS", "PUBLISH", "SUBSCRIBE", "NOTIFY", "REFER":
		headers = append(headers, "Allow-Events: "+strings.Join(p.allowedEvents(), ", "))
	}
	return r.respond(status, to, body, headers...)
}

// refusal is what sofia-sip answers by itself (nua_server.c:118).
func (p *profile) refusal(r *request, status string, to peer, more ...string) string {
	return r.respond(status, to, "", append(append(p.agent(), p.abilities()...), more...)...)
}

func (p *profile) abilities() []string {
	return []string{"Allow: " + strings.Join(p.allowed(), ", "), "Supported: " + supported}
}

// agent is the header that says who answers.
func (p *profile) agent() []string {
	if strings.EqualFold(p.userAgent, "_undef_") {
		return nil
	}
	return []string{"User-Agent: " + p.userAgent}
}
