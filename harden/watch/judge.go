package watch

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
)

// Events are those that Judge understands (mod_sofia.h, switch_types.h).
func Events() []string {
	return []string{
		"CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE",
		"sofia::register", "sofia::register_attempt", "sofia::pre_register", "sofia::register_failure",
	}
}

// Verdict is what an event says of a source.
type Verdict int

// From the best to the worst.
const (
	None       Verdict = iota
	Accepted           // it has registered, or FreeSWITCH has let it call
	Challenged         // it was asked for a password; of a stranger that is a try
	Refused            // its call was turned away, and nobody was called for it
	Scanner            // it calls itself by the name of a tool for attacks
)

// Why a source is accepted.
const (
	registeredNow = "registered"
	authorized    = "authorized"
	conversed     = "answered"
)

// Finding is a verdict and what it is of. Why is a word for the log that no
// attacker has chosen: FreeSWITCH's name of a cause, or a signature's.
type Finding struct {
	Source  netip.Addr
	Verdict Verdict
	Why     string
}

// Judge tells what an event says of the source that caused it.
func Judge(e esl.Event, known Signatures) Finding {
	switch e.Name() {
	case "sofia::register":
		return found(e["network-ip"], Accepted, registeredNow)
	case "sofia::register_attempt", "sofia::pre_register", "sofia::register_failure":
		if name := known.Match(e["user-agent"], e["from-user"], e["contact"]); name != "" {
			return found(e["network-ip"], Scanner, name)
		}
		if e.Name() == "sofia::pre_register" {
			return found(e["network-ip"], Challenged, "stranger")
		}
	case "CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE":
		return judgeCall(e, known)
	}
	return Finding{}
}

// conversation is from how long on a call that a stranger made, and FreeSWITCH
// answered, speaks for him: voicemail answers a scanner as well.
const conversation = 10 * time.Second

// judgeCall is for a call that somebody made to FreeSWITCH. Its variables are
// set in sofia_handle_sip_i_invite (sofia.c).
func judgeCall(e esl.Event, known Signatures) Finding {
	source := e["variable_sip_network_ip"]
	name := known.Match(e["variable_sip_user_agent"], e["variable_sip_from_display"], e["variable_sip_contact_uri"])
	switch {
	case e["Call-Direction"] != "inbound":
		return Finding{}
	case name != "":
		return found(source, Scanner, name)
	case e["variable_sip_authorized"] == "true":
		return found(source, Accepted, authorized)
	case spoke(e):
		return found(source, Accepted, conversed)
	case refused(e):
		return found(source, Refused, e["Hangup-Cause"])
	}
	return Finding{}
}

// spoke reports whether a call was answered, lasted, and the answer reached the
// caller: sip_cseq is set by his ACK (nua_i_ack, sofia.c).
func spoke(e esl.Event) bool {
	answered, ended := stamp(e["Caller-Channel-Answered-Time"]), stamp(e["Caller-Channel-Hangup-Time"])
	return answered > 0 && e["variable_sip_cseq"] != "" && ended-answered >= conversation.Microseconds()
}

// refused reports whether FreeSWITCH itself turned a call away that a stranger
// made. A call from an address that an access list lets in is no stranger's. One
// for which FreeSWITCH called somebody, rang, or played something was let in,
// whatever came of it: so a telephone that is switched off is told from a number
// that does not exist, although both are answered with 480.
func refused(e esl.Event) bool {
	ended := stamp(e["Caller-Channel-Hangup-Time"])
	began := func(name string) bool { t := stamp(e[name]); return t > 0 && t < ended }
	switch {
	case e["variable_sip_hangup_disposition"] != "send_refuse", e["variable_sip_acl_authed_by"] != "":
		return false
	case e["variable_originate_disposition"] != "":
		return false
	// A refusal itself sets both to the time of the hangup.
	case began("Caller-Channel-Progress-Time"), began("Caller-Channel-Progress-Media-Time"):
		return false
	}
	return e["Hangup-Cause"] != "" && !innocent[e["Hangup-Cause"]]
}

// stamp reads a time of FreeSWITCH's, in microseconds; 0 means never.
func stamp(value string) int64 {
	t, _ := strconv.ParseInt(value, 10, 64)
	return t
}

// innocent are the causes for which a call of a good caller is refused: nobody
// there or busy, the caller hung up, FreeSWITCH or what is behind it is
// overloaded or out of order (hangup_cause_to_sip, mod_sofia.c, gives 408, 480,
// 486, 487, 502, 503, 504 for them). NORMAL_CLEARING is none of them: it is what
// a dialplan gives in which nothing fits (seen on 1.10.12, answered with 480).
var innocent = map[string]bool{
	"NONE": true, "ORIGINATOR_CANCEL": true, "LOSE_RACE": true, "PICKED_OFF": true,
	"USER_BUSY": true, "BUSY_EVERYWHERE": true,
	"NO_ANSWER": true, "ALLOTTED_TIMEOUT": true, "PROGRESS_TIMEOUT": true, "MEDIA_TIMEOUT": true,
	"NO_USER_RESPONSE": true, "SUBSCRIBER_ABSENT": true, "USER_NOT_REGISTERED": true,
	"RECOVERY_ON_TIMER_EXPIRE": true, "DESTINATION_OUT_OF_ORDER": true, "INVALID_PROFILE": true,
	"REQUESTED_CHAN_UNAVAIL": true, "NORMAL_CIRCUIT_CONGESTION": true, "SWITCH_CONGESTION": true,
	"NETWORK_OUT_OF_ORDER": true, "NORMAL_TEMPORARY_FAILURE": true, "GATEWAY_DOWN": true,
	"BEARERCAPABILITY_NOTAVAIL": true, "SYSTEM_SHUTDOWN": true, "MANAGER_REQUEST": true, "CRASH": true,
}

// found is a finding where the source is an address and the word is one that may
// stand in a log.
func found(source string, v Verdict, why string) Finding {
	a, err := netip.ParseAddr(source)
	if err != nil || !plain(why) {
		return Finding{}
	}
	return Finding{a.Unmap().WithZone(""), v, why}
}

func plain(word string) bool {
	return word != "" && len(word) <= 64 && !strings.ContainsFunc(word, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-' || r == '.')
	})
}
