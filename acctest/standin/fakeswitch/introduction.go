package fakeswitch

import "strings"

// What a profile says of itself where nobody tells it otherwise (sofia.c:4627,
// 6191).
const (
	defaultUserAgent = "FreeSWITCH-mod_sofia/" + version + "~64bit"
	defaultSDPUser   = "FreeSWITCH"
)

// introduce reads the settings that say what a profile calls itself. An empty
// user-agent-string sends an empty header, and "_undef_" none (sofia.c:3372); an
// empty username is like none at all (switch_core_media.c:1999).
func (p *profile) introduce() {
	p.userAgent, p.sdpUser = defaultUserAgent, p.value("username", defaultSDPUser)
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
	if !strings.EqualFold(p.userAgent, "_undef_") {
		more = append(more, "User-Agent: "+p.userAgent)
	}
	return r.respond(status, to, body, more...)
}
