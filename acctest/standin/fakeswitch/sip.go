package fakeswitch

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// register asks for credentials, whatever auth-calls says, but of a source that an
// access list lets in (sofia_reg_handle_sip_i_register, sofia_reg.c:2389).
func (p *profile) register(r *request, from peer) []string {
	credentials := r.header("authorization")
	address := from.Addr().Unmap()
	if passes, refusedBy := p.passesRegister(address); !passes {
		p.owner.log.line("WARNING", "sofia_reg.c:2406", "IP %s Rejected by register acl \"%s\"", address, refusedBy)
		return []string{p.respond(r, "403 Forbidden", from)}
	}
	if len(p.lists(registerACL)) > 0 {
		return []string{p.enrol(r, credentials, from)}
	}
	switch v := p.judge(r, credentials, from); v {
	case forbidden:
		p.logAuth("failure", 1787, r, from)
		p.fireFailure(r, from)
		return []string{p.respond(r, "403 Forbidden", from)}
	case passed:
		return []string{p.enrol(r, credentials, from)}
	default:
		return []string{p.challenge(r, from, credentials != "")}
	}
}

// maxLegs is how many calls there may be at once (max-sessions of
// switch.conf.xml).
const maxLegs = 1000

// invite is a new call (sofia_handle_sip_i_invite, sofia.c:10373), which goes to
// the dialplan once it is let in. One without SDP ends there.
func (p *profile) invite(r *request, from peer) []string {
	if r.header("contact") == "" {
		p.owner.log.line("ERR", "sofia.c:10451", "NO CONTACT!")
		return []string{p.respond(r, "400 Missing Contact Header", from)}
	}
	if l := p.leg(r); l != nil {
		return p.again(l, r)
	}
	if p.legCount() >= maxLegs {
		return []string{p.respond(r, "503 Maximum Calls In Progress", from, "Retry-After: 300")}
	}
	user, host := r.address("from")
	l := &leg{profile: p, invite: r, from: from, uuid: newUUID(), channel: "sofia/" + p.name + "/" + user + "@" + host, context: p.value("context", "public"), created: p.owner.now()}
	log := p.owner.log
	log.session(l.uuid, "NOTICE", "switch_channel.c:1142", "New Channel %s [%s]", l.channel, l.uuid)
	log.session(l.uuid, "INFO", "sofia.c:10460 sofia_handle_sip_i_invite", "%s receiving invite from %s:%d version: %s  64bit call-id: %s",
		l.channel, from.Addr().Unmap(), from.Port(), version, r.header("call-id"))
	credentials := r.header("proxy-authorization")
	if credentials == "" {
		credentials = r.header("authorization")
	}
	passes, last := p.passesInbound(from.Addr().Unmap())
	if !passes && !p.flag("auth-calls") {
		p.owner.log.line("WARNING", "sofia.c:10667 sofia_handle_sip_i_invite", "IP %s Rejected by acl \"%s\"", from.Addr().Unmap(), last.name)
		if !last.falls {
			l.hangUp("CALL_REJECTED", "")
			return []string{p.respond(r, "403 Forbidden", from)}
		}
	}
	granted := passes && last.name != "" && p.flag("auth-calls")
	if !granted && (p.flag("auth-calls") || credentials != "") {
		switch p.judge(r, credentials, from) {
		case forbidden:
			p.logAuth("failure", 1787, r, from)
			p.fireFailure(r, from)
			log.session(l.uuid, "NOTICE", "sofia.c:2417", "Hangup %s [CS_NEW] [CALL_REJECTED]", l.channel)
			l.hangUp("CALL_REJECTED", "")
			return []string{p.respond(r, "403 Forbidden", from)}
		case stale:
			return []string{p.challenge(r, from, credentials != "")}
		}
		l.authorized = true
		given := digestParams(credentials)
		if context := p.owner.configuration().userVariable(p.value("force-register-domain", given["realm"]), given["username"], "user_context"); context != "" {
			l.context = context
		}
	}
	l.letIn = true
	if r.body == "" {
		log.session(l.uuid, "INFO", "sofia.c:8033", "No SDP in INVITE and 3pcc not enabled, hanging up.")
		log.session(l.uuid, "NOTICE", "sofia.c:8035", "Hangup %s [CS_NEW] [MANDATORY_IE_MISSING]", l.channel)
		return l.hangUp("MANDATORY_IE_MISSING", "send_refuse")
	}
	trying := p.respond(r, "100 Trying", from)
	log.session(l.uuid, "DEBUG", "sofia.c:7515", "Remote SDP:\n%s\n", strings.ReplaceAll(r.body, "\r\n", "\n"))
	number, _ := r.target()
	log.session(l.uuid, "INFO", "mod_dialplan_xml.c:639", "Processing %s <%s>->%s in context %s", user, user, number, l.context)
	o := p.owner.route(l.context, number)
	l.called = o.called
	switch {
	case o.answers:
		p.keep(l)
		return []string{trying, l.answer()}
	case o.rings:
		l.rangAt = p.owner.now()
		p.keep(l)
		log.session(l.uuid, "NOTICE", "switch_channel.c:3482", "Ring-Ready %s!", l.channel)
		return []string{trying, p.respond(r, "180 Ringing", from, l.contact())}
	default:
		state, line := "CS_EXECUTE", 384
		if o.cause == "NO_ROUTE_DESTINATION" {
			log.session(l.uuid, "INFO", "switch_core_state_machine.c:306", "No Route, Aborting")
			state, line = "CS_ROUTING", 307
		}
		log.session(l.uuid, "NOTICE", "switch_core_state_machine.c:"+strconv.Itoa(line), "Hangup %s [%s] [%s]", l.channel, state, o.cause)
		return append([]string{trying}, l.hangUp(o.cause, "send_refuse")...)
	}
}

// again answers an INVITE of a call that there is: one sent a second time, or
// one that changes the media.
func (p *profile) again(l *leg, r *request) []string {
	if !l.answered {
		return []string{p.respond(l.invite, "180 Ringing", l.from, l.contact())}
	}
	r.tag = l.invite.tag
	return []string{p.respondWith(r, "200 OK", l.from, l.sdp(), l.contact(), "Content-Type: application/sdp")}
}

// confirm takes note that an answer has reached the caller (nua_i_ack, sofia.c).
func (p *profile) confirm(ack *request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.legs[ack.header("call-id")]; l != nil {
		l.confirmed = true
	}
}

// cancel ends a call that rings.
func (p *profile) cancel(r *request, from peer) []string {
	l := p.leg(r)
	if l == nil || l.answered {
		return []string{r.respond("481 Call/Transaction Does Not Exist", from, "")}
	}
	p.forget(l)
	p.owner.log.session(l.uuid, "NOTICE", "sofia.c:8736", "Hangup %s [CS_EXECUTE] [ORIGINATOR_CANCEL]", l.channel)
	return append([]string{p.respond(r, "200 OK", from)}, l.hangUp("ORIGINATOR_CANCEL", "recv_cancel")...)
}

// bye ends a call that was answered.
func (p *profile) bye(r *request, from peer) []string {
	l := p.leg(r)
	if l == nil {
		return []string{p.refusal(r, "481 Call Does Not Exist", from)}
	}
	p.forget(l)
	p.owner.log.session(l.uuid, "NOTICE", "sofia.c:1065", "Hangup %s [CS_EXECUTE] [NORMAL_CLEARING]", l.channel)
	return append([]string{p.respond(r, "200 OK", from)}, l.hangUp("NORMAL_CLEARING", "recv_bye")...)
}

// leg is the call that a request belongs to, or nil.
func (p *profile) leg(r *request) *leg {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.legs[r.header("call-id")]
}

func (p *profile) legCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.legs)
}

func (p *profile) keep(l *leg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.legs[l.invite.header("call-id")] = l
}

func (p *profile) forget(l *leg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.legs, l.invite.header("call-id"))
}

// message is MESSAGE and SUBSCRIBE, which are asked for credentials unless
// setting says no (sofia.c:6119). Their challenge is logged as an INVITE's;
// wrong credentials get 401 and no line (sofia_presence.c:4813).
func (p *profile) message(r *request, from peer, asks bool) []string {
	if asks {
		credentials := r.header("authorization")
		if credentials == "" {
			credentials = r.header("proxy-authorization")
		}
		if credentials == "" {
			return []string{p.challenge(r, from, false)}
		}
		if p.judge(r, credentials, from) != passed {
			return []string{p.respond(r, "401 Unauthorized", from)}
		}
	}
	return []string{p.respond(r, "202 Accepted", from)}
}

// judge is verify, with no credentials at all to be asked for like stale ones.
func (p *profile) judge(r *request, credentials string, from peer) verdict {
	if credentials == "" {
		return stale
	}
	return p.verify(r, credentials, from)
}

func (p *profile) challenge(r *request, from peer, isStale bool) string {
	_, realm := r.address("to")
	switch setting := p.value("challenge-realm", "auto_to"); strings.ToLower(setting) {
	case "auto_to":
	case "auto_from":
		_, realm = r.address("from")
	default:
		realm = setting
	}
	p.logAuth("challenge", 1842, r, from)
	p.fireChallenge(r, from)
	challenge := p.newChallenge(realm, isStale)
	if r.registers() {
		return p.respond(r, "401 Unauthorized", from, "WWW-Authenticate: "+challenge)
	}
	return p.respond(r, "407 Proxy Authentication Required", from, "Proxy-Authenticate: "+challenge)
}

// logAuth writes the line for fail2ban, where the profile is told to.
func (p *profile) logAuth(what string, line int, r *request, from peer) {
	if !p.flag("log-auth-failures") {
		return
	}
	method := "INVITE"
	if r.registers() {
		method = "REGISTER"
	}
	user, host := r.address("to")
	p.owner.log.line("WARNING", "sofia_reg.c:"+strconv.Itoa(line), "SIP auth %s (%s) on sofia profile '%s' for [%s@%s] from ip %s",
		what, method, p.name, user, host, from.Addr().Unmap())
}

// registration is one phone that has registered.
type registration struct {
	profile, callID, agent string
	user, realm, contact   string
	expires                time.Time
	from                   peer
}

// row is its line in "show registrations".
func (r registration) row() string {
	return fmt.Sprintf("%s,%s,,%s,%d,%s,%d,%s,,", r.user, r.realm, r.contact, r.expires.Unix(), r.from.Addr().Unmap(), r.from.Port(), r.from.transport)
}

// enrol records or, for an expiry of 0, forgets a registration.
func (p *profile) enrol(r *request, credentials string, from peer) string {
	user, host := r.address("to")
	realm := p.value("force-register-domain", host)
	expires, err := strconv.Atoi(r.header("expires"))
	if err != nil || expires < 0 {
		expires = 300 // sofia_reg.c:1291
	}
	contact := strings.Trim(r.header("contact"), "<>")
	s := p.owner
	s.mu.Lock()
	if expires == 0 {
		delete(s.registrations, user+"@"+realm)
	} else {
		s.registrations[user+"@"+realm] = registration{p.name, r.header("call-id"), r.agent(), user, realm, contact, s.now().Add(time.Duration(expires) * time.Second), from}
	}
	s.mu.Unlock()
	p.fireRegistration(r, credentials, realm, contact, expires, from)
	if expires == 0 {
		return p.respond(r, "200 OK", from)
	}
	return p.respond(r, "200 OK", from, "Contact: <"+contact+">;expires="+strconv.Itoa(expires))
}
