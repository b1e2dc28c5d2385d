package fakeswitch

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// leg is one call that came in by SIP.
type leg struct {
	profile    *profile
	invite     *request
	from       peer
	uuid       string
	channel    string // its name: sofia/PROFILE/USER@HOST
	context    string
	letIn      bool // it was not refused for its credentials
	authorized bool // it brought credentials that were right
	called     bool // FreeSWITCH called somebody for it
	answered   bool
	confirmed  bool // by an ACK
	created    time.Time
	rangAt     time.Time
	answeredAt time.Time
	endedAt    time.Time
}

// answer sends a call's media, and tells of it.
func (l *leg) answer() string {
	s := l.profile.owner
	l.answered, l.answeredAt = true, s.now()
	s.log.session(l.uuid, "NOTICE", "switch_channel.c:3883", "Channel [%s] has been answered", l.channel)
	s.fire("switch_channel.c:3846 switch_channel_perform_mark_answered", "CHANNEL_ANSWER", "", l.headers("CS_EXECUTE", "", "")...)
	return l.profile.respondWith(l.invite, "200 OK", l.from, l.sdp(), l.contact(), "Content-Type: application/sdp", "Content-Disposition: session")
}

// hangUp ends a call: with an answer to its INVITE where nobody sent one yet.
// disposition is who did it: send_refuse, recv_cancel or recv_bye.
func (l *leg) hangUp(cause, disposition string) []string {
	s := l.profile.owner
	l.endedAt = s.now()
	s.log.session(l.uuid, "DEBUG", "mod_sofia.c:469", "Channel %s hanging up, cause: %s", l.channel, cause)
	var responses []string
	if !l.answered && l.letIn {
		status := statusOf(cause)
		code, _, _ := strings.Cut(status, " ")
		s.log.session(l.uuid, "DEBUG", "mod_sofia.c:614", "Responding to INVITE with: %s", code)
		responses = append(responses, l.profile.respond(l.invite, status, l.from))
	}
	s.fire("switch_core_state_machine.c:943 switch_core_session_reporting_state", "CHANNEL_HANGUP_COMPLETE", "", l.headers("CS_REPORTING", cause, disposition)...)
	return responses
}

// headers are those of an event of the call, the ones that FreeSWITCH writes
// for every call (switch_channel_event_set_basic_data, switch_channel.c:2657)
// and its variables that say who called (sofia.c:10745).
func (l *leg) headers(state, cause, disposition string) []setting {
	callState, answerState := "ACTIVE", "answered"
	var headers []setting
	if cause != "" {
		callState, answerState = "HANGUP", "hangup"
		headers = append(headers, setting{"Hangup-Cause", cause})
	}
	fromUser, fromHost := l.invite.address("from")
	toUser, toHost := l.invite.address("to")
	number, _ := l.invite.target()
	ip, port := l.from.Addr().Unmap().String(), strconv.Itoa(int(l.from.Port()))
	headers = append(headers,
		setting{"Channel-State", state},
		setting{"Channel-Call-State", callState},
		setting{"Channel-Name", l.channel},
		setting{"Unique-ID", l.uuid},
		setting{"Call-Direction", "inbound"},
		setting{"Presence-Call-Direction", "inbound"},
		setting{"Channel-HIT-Dialplan", "true"},
		setting{"Channel-Call-UUID", l.uuid},
		setting{"Answer-State", answerState})
	if cause != "" {
		headers = append(headers, setting{"Hangup-Cause", cause}) // a second time, as FreeSWITCH does
	}
	if !l.letIn { // who it is was not looked at yet
		return append(headers, setting{"variable_direction", "inbound"}, setting{"variable_uuid", l.uuid}, setting{"variable_sip_from_user", fromUser},
			setting{"variable_sip_from_host", fromHost}, setting{"variable_sip_call_id", l.invite.header("call-id")}, setting{"variable_hangup_cause", cause})
	}
	headers = append(headers,
		setting{"Caller-Direction", "inbound"},
		setting{"Caller-Username", fromUser},
		setting{"Caller-Dialplan", "XML"},
		setting{"Caller-Caller-ID-Name", fromUser},
		setting{"Caller-Caller-ID-Number", fromUser},
		setting{"Caller-Network-Addr", ip},
		setting{"Caller-Destination-Number", number},
		setting{"Caller-Unique-ID", l.uuid},
		setting{"Caller-Source", "mod_sofia"},
		setting{"Caller-Context", l.context},
		setting{"Caller-Channel-Name", l.channel},
		setting{"Caller-Channel-Created-Time", microseconds(l.created)},
		setting{"Caller-Channel-Answered-Time", microseconds(l.answeredAt)},
		setting{"Caller-Channel-Progress-Time", microseconds(l.rangAt)},
		setting{"Caller-Channel-Progress-Media-Time", "0"},
		setting{"Caller-Channel-Hangup-Time", microseconds(l.endedAt)},
		setting{"variable_direction", "inbound"},
		setting{"variable_uuid", l.uuid},
		setting{"variable_sip_network_ip", ip},
		setting{"variable_sip_network_port", port},
		setting{"variable_sip_received_ip", ip},
		setting{"variable_sip_received_port", port},
		setting{"variable_sip_via_protocol", l.from.transport})
	if l.authorized {
		headers = append(headers, setting{"variable_sip_authorized", "true"})
	}
	if l.called {
		headers = append(headers, setting{"variable_originate_disposition", "USER_NOT_REGISTERED"})
	}
	if l.confirmed {
		headers = append(headers, setting{"variable_sip_cseq", "1"})
	}
	headers = append(headers,
		setting{"variable_sofia_profile_name", l.profile.name},
		setting{"variable_sip_from_user", fromUser},
		setting{"variable_sip_from_host", fromHost},
		setting{"variable_sip_to_user", toUser},
		setting{"variable_sip_to_host", toHost},
		setting{"variable_sip_call_id", l.invite.header("call-id")})
	if agent := l.invite.header("user-agent"); agent != "" {
		headers = append(headers, setting{"variable_sip_user_agent", agent})
	}
	if cause != "" {
		headers = append(headers, setting{"variable_hangup_cause", cause}, setting{"variable_sip_hangup_disposition", disposition})
	}
	return headers
}

// microseconds is a time of a call in an event: since 1970, and 0 for one that
// did not come.
func microseconds(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

// contact is the header of a call's answers.
func (l *leg) contact() string {
	number, _ := l.invite.target()
	return "Contact: <sip:" + number + "@" + l.profile.hostPort(l.profile.port()) + ";transport=" + l.from.transport + ">"
}

// sdp offers a codec at a port where nobody listens (generate_local_sdp,
// switch_core_media.c).
func (l *leg) sdp() string {
	host, family := l.profile.host(), "IP4"
	if strings.Contains(host, ":") {
		family = "IP6"
	}
	name := l.profile.sdpUser
	id := l.created.Unix()
	return fmt.Sprintf("v=0\r\no=%s %d %d IN %s %s\r\ns=%s\r\nc=IN %s %s\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
		name, id, id+1, family, host, name, family, host)
}
