package fakeswitch

import "strconv"

// fireRegistration tells that a phone has registered, again or no longer
// (sofia_reg.c:2059, 2213). The order of the headers is FreeSWITCH's.
func (p *profile) fireRegistration(r *request, credentials, realm, contact string, expires int, from peer) {
	given := digestParams(credentials)
	user, _ := r.address("to")
	toUser, toHost := r.address("from") // FreeSWITCH has them the other way round
	name := setting{"profile-name", p.name}
	called := []setting{{"from-user", user}, {"from-host", realm}}
	binding := []setting{{"contact", `"" <` + contact + ">"}, {"call-id", r.header("call-id")}, {"rpid", "unknown"}}
	network := []setting{{"network-ip", from.Addr().Unmap().String()}, {"network-port", strconv.Itoa(int(from.Port()))}}
	ends := setting{"expires", strconv.Itoa(expires)}
	agent := setting{"user-agent", r.agent()}
	if expires == 0 {
		headers := append([]setting{name, {"username", given["username"]}}, called...)
		headers = append(headers, binding...)
		headers = append(headers, setting{"realm", given["realm"]})
		headers = append(headers, network...)
		p.owner.fire("sofia_reg.c:2213 sofia_reg_handle_register_token", "CUSTOM", unregistered, append(headers, agent, ends)...)
		return
	}
	headers := append([]setting{name}, called...)
	headers = append(headers, setting{"presence-hosts", p.value("presence-hosts", "n/a")})
	headers = append(headers, binding...)
	headers = append(headers, setting{"status", "Registered(UDP)"}, ends, setting{"to-user", toUser}, setting{"to-host", toHost})
	headers = append(headers, network...)
	headers = append(headers, setting{"username", given["username"]}, setting{"realm", given["realm"]}, agent)
	p.owner.fire("sofia_reg.c:2059 sofia_reg_handle_register_token", "CUSTOM", registered, headers...)
}

// fireChallenge tells that somebody was asked for credentials, for whatever
// method (sofia_reg.c:1810).
func (p *profile) fireChallenge(r *request, from peer) {
	user, host := r.address("to")
	p.owner.fire("sofia_reg.c:1810 sofia_reg_handle_register_token", "CUSTOM", challenged,
		setting{"profile-name", p.name}, setting{"from-user", user}, setting{"from-host", host},
		setting{"call-id", r.header("call-id")}, setting{"rpid", "unknown"}, setting{"status", "Registered(UDP)"},
		setting{"network-ip", from.Addr().Unmap().String()}, setting{"network-port", strconv.Itoa(int(from.Port()))},
		setting{"user-agent", r.agent()})
}

// fireFailure tells of credentials that were refused, of an INVITE too
// (sofia_reg.c:1792). A request that has none yet is no failure.
func (p *profile) fireFailure(r *request, from peer) {
	user, host := r.address("to")
	kind := "INVITE"
	if r.registers() {
		kind = "REGISTER"
	}
	p.owner.fire("sofia_reg.c:1792 sofia_reg_handle_register_token", "CUSTOM", registerFailed,
		setting{"profile-name", p.name}, setting{"to-user", user}, setting{"to-host", host},
		setting{"network-ip", from.Addr().Unmap().String()}, setting{"user-agent", r.agent()},
		setting{"profile-name", p.name}, setting{"network-port", strconv.Itoa(int(from.Port()))},
		setting{"registration-type", kind})
}

// agent is what a phone calls itself.
func (r *request) agent() string {
	if agent := r.header("user-agent"); agent != "" {
		return agent
	}
	return "unknown"
}
