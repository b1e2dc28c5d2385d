package fakeswitch

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// answer is what a profile sends back, in order, and what it logs on the way.
func (p *profile) answer(r *request, from netip.AddrPort) []string {
	switch r.method {
	case "REGISTER":
		return p.register(r, from)
	case "INVITE":
		return p.invite(r, from)
	case "MESSAGE":
		return p.message(r, from, "auth-messages")
	case "SUBSCRIBE":
		return p.message(r, from, "auth-subscriptions")
	case "OPTIONS":
		return []string{r.respond("200 OK", from, "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, NOTIFY")}
	case "ACK":
		return nil
	case "BYE", "CANCEL":
		return []string{r.respond("481 Call Does Not Exist", from)}
	default:
		return []string{r.respond("501 Not Implemented", from)}
	}
}

// register always asks for credentials, whatever auth-calls says
// (sofia_reg_handle_register, sofia_reg.c).
func (p *profile) register(r *request, from netip.AddrPort) []string {
	credentials := r.header("authorization")
	switch v := p.judge(r, credentials, from); v {
	case forbidden:
		p.logAuth("failure", 1787, r, from)
		return []string{r.respond("403 Forbidden", from)}
	case passed:
		return []string{p.enrol(r, credentials, from)}
	default:
		return []string{p.challenge(r, from, credentials != "")}
	}
}

// invite rings nobody: a call that is let in ends with 404, and one without SDP
// with 480.
func (p *profile) invite(r *request, from netip.AddrPort) []string {
	if r.header("contact") == "" {
		p.owner.log.line("ERR", "sofia.c:10451", "NO CONTACT!")
		return []string{r.respond("400 Missing Contact Header", from)}
	}
	user, host := r.address("from")
	channel, uuid := "sofia/"+p.name+"/"+user+"@"+host, newUUID()
	p.owner.log.session(uuid, "NOTICE", "switch_channel.c:1142", "New Channel %s [%s]", channel, uuid)
	p.owner.log.session(uuid, "INFO", "sofia.c:10460 sofia_handle_sip_i_invite", "%s receiving invite from %s:%d version: %s  64bit call-id: %s",
		channel, from.Addr().Unmap(), from.Port(), version, r.header("call-id"))
	trying := r.respond("100 Trying", from)
	credentials := r.header("proxy-authorization")
	if p.flag("auth-calls") || credentials != "" {
		switch p.judge(r, credentials, from) {
		case forbidden:
			p.logAuth("failure", 1787, r, from)
			return []string{trying, r.respond("403 Forbidden", from)}
		case stale:
			return []string{trying, p.challenge(r, from, credentials != "")}
		}
	}
	if r.body != "" {
		p.owner.log.session(uuid, "DEBUG", "sofia.c:7515", "Remote SDP:\n%s\n", strings.ReplaceAll(r.body, "\r\n", "\n"))
		p.owner.log.session(uuid, "NOTICE", "switch_channel.c:3352", "Hangup %s [CS_EXECUTE] [NO_ROUTE_DESTINATION]", channel)
		return []string{trying, r.respond("404 Not Found", from)}
	}
	p.owner.log.session(uuid, "INFO", "sofia.c:8033", "No SDP in INVITE and 3pcc not enabled, hanging up.")
	p.owner.log.session(uuid, "NOTICE", "sofia.c:8035", "Hangup %s [CS_NEW] [MANDATORY_IE_MISSING]", channel)
	return []string{trying, r.respond("480 Temporarily Unavailable", from)}
}

// message is MESSAGE and SUBSCRIBE, which are asked for credentials unless
// setting says no (sofia.c:6119). Their challenge is logged as an INVITE's;
// wrong credentials get 401 and no line (sofia_presence.c:4813).
func (p *profile) message(r *request, from netip.AddrPort, setting string) []string {
	if isTrue(p.value(setting, "true")) {
		credentials := r.header("authorization")
		if credentials == "" {
			credentials = r.header("proxy-authorization")
		}
		if credentials == "" {
			return []string{p.challenge(r, from, false)}
		}
		if p.judge(r, credentials, from) != passed {
			return []string{r.respond("401 Unauthorized", from)}
		}
	}
	return []string{r.respond("202 Accepted", from)}
}

// judge is verify, with no credentials at all to be asked for like stale ones.
func (p *profile) judge(r *request, credentials string, from netip.AddrPort) verdict {
	if credentials == "" {
		return stale
	}
	return p.verify(r, credentials, from)
}

func (p *profile) challenge(r *request, from netip.AddrPort, isStale bool) string {
	_, realm := r.address("to")
	switch setting := p.value("challenge-realm", "auto_to"); strings.ToLower(setting) {
	case "auto_to":
	case "auto_from":
		_, realm = r.address("from")
	default:
		realm = setting
	}
	p.logAuth("challenge", 1842, r, from)
	challenge := p.newChallenge(realm, isStale)
	if r.method == "REGISTER" {
		return r.respond("401 Unauthorized", from, "WWW-Authenticate: "+challenge)
	}
	return r.respond("407 Proxy Authentication Required", from, "Proxy-Authenticate: "+challenge)
}

// logAuth writes the line for fail2ban, where the profile is told to.
func (p *profile) logAuth(what string, line int, r *request, from netip.AddrPort) {
	if !p.flag("log-auth-failures") {
		return
	}
	method := "INVITE"
	if r.method == "REGISTER" {
		method = "REGISTER"
	}
	user, host := r.address("to")
	p.owner.log.line("WARNING", "sofia_reg.c:"+strconv.Itoa(line), "SIP auth %s (%s) on sofia profile '%s' for [%s@%s] from ip %s",
		what, method, p.name, user, host, from.Addr().Unmap())
}

// registration is one phone that has registered.
type registration struct {
	user, realm, contact string
	expires              time.Time
	from                 netip.AddrPort
}

// row is its line in "show registrations".
func (r registration) row() string {
	return fmt.Sprintf("%s,%s,,%s,%d,%s,%d,udp,,", r.user, r.realm, r.contact, r.expires.Unix(), r.from.Addr().Unmap(), r.from.Port())
}

// enrol records or, for an expiry of 0, forgets a registration.
func (p *profile) enrol(r *request, credentials string, from netip.AddrPort) string {
	user, host := r.address("to")
	realm := p.value("force-register-domain", host)
	expires, err := strconv.Atoi(r.header("expires"))
	if err != nil || expires < 0 {
		expires = 3600
	}
	p.owner.mu.Lock()
	defer p.owner.mu.Unlock()
	if expires == 0 {
		delete(p.owner.registrations, user+"@"+realm)
		return r.respond("200 OK", from)
	}
	contact := strings.Trim(r.header("contact"), "<>")
	p.owner.registrations[user+"@"+realm] = registration{user, realm, contact, p.owner.now().Add(time.Duration(expires) * time.Second), from}
	return r.respond("200 OK", from, "Contact: <"+contact+">;expires="+strconv.Itoa(expires))
}
