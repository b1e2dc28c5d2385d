package watch

import (
	"maps"
	"net/netip"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/esl"
)

// The headers below are what FreeSWITCH 1.10.12 sent with its vanilla
// configuration, as far as they matter here.
var (
	// An INVITE to a number that no extension of the context "public" fits.
	noSuchNumber = esl.Event{
		"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Call-Direction": "inbound", "Hangup-Cause": "NORMAL_CLEARING",
		"Caller-Channel-Created-Time": "1795798935054454", "Caller-Channel-Hangup-Time": "1795798935054454",
		"Caller-Channel-Answered-Time": "0", "Caller-Channel-Progress-Time": "0", "Caller-Channel-Progress-Media-Time": "0",
		"variable_sip_hangup_disposition": "send_refuse", "variable_sip_network_ip": "10.9.0.13",
		"variable_sip_user_agent": "phone", "variable_sip_call_id": "d9b6dcfbbb@10.9.0.13", "variable_sip_contact_uri": "1000@10.9.0.13:54310",
	}
	// One without SDP.
	noSDP = with(noSuchNumber, "Hangup-Cause", "MANDATORY_IE_MISSING")
	// A registered telephone dials a wrong number.
	wrongNumber = with(noSuchNumber, "variable_sip_authorized", "true",
		"Caller-Channel-Progress-Time", "1795798935054454", "Caller-Channel-Progress-Media-Time", "1795798935054454")
	// The same of a carrier that an access list lets in.
	wrongDID = with(noSuchNumber, "variable_sip_acl_authed_by", "domains")
	// A stranger calls 1001 by way of "public"; nobody has registered there, and
	// voicemail answers. He sends no ACK.
	voicemail = esl.Event{
		"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Call-Direction": "inbound", "Hangup-Cause": "NORMAL_CLEARING",
		"Caller-Channel-Answered-Time": "1795798863914344", "Caller-Channel-Hangup-Time": "1795798895314365",
		"Caller-Channel-Progress-Media-Time": "1795798863894437", "Caller-Channel-Progress-Time": "0",
		"variable_sip_hangup_disposition": "send_bye", "variable_originate_disposition": "SUCCESS",
		"variable_sip_network_ip": "10.9.0.13", "variable_sip_user_agent": "phone",
	}
	// The same with an ACK, and half a minute long.
	heard = with(voicemail, "variable_sip_cseq", "1", "variable_sip_hangup_disposition", "recv_bye")
	// A telephone that is switched off, called by somebody without a password.
	switchedOff = with(noSuchNumber, "Hangup-Cause", "USER_NOT_REGISTERED", "variable_originate_disposition", "USER_NOT_REGISTERED")
	// A challenged INVITE that never came back: the variables are gone by then.
	abandoned = esl.Event{"Event-Name": "CHANNEL_HANGUP_COMPLETE", "Call-Direction": "inbound", "Hangup-Cause": "WRONG_CALL_STATE"}
	// Somebody registers, is asked for his password, or gives a wrong one.
	register   = custom("sofia::register")
	challenged = custom("sofia::pre_register")
	failed     = custom("sofia::register_failure")
)

func custom(subclass string) esl.Event {
	return esl.Event{"Event-Name": "CUSTOM", "Event-Subclass": subclass, "network-ip": "10.9.0.13", "user-agent": "phone", "from-user": "1000", "call-id": "fb65138c9a@10.9.0.13"}
}

func with(e esl.Event, pairs ...string) esl.Event {
	out := maps.Clone(e)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

func TestJudge(t *testing.T) {
	known, err := ParseSignatures(Shipped())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		event esl.Event
		want  Verdict
		why   string
	}{
		"no such number":               {noSuchNumber, Refused, "NORMAL_CLEARING"},
		"no SDP":                       {noSDP, Refused, "MANDATORY_IE_MISSING"},
		"no route":                     {with(noSuchNumber, "Hangup-Cause", "NO_ROUTE_DESTINATION"), Refused, "NO_ROUTE_DESTINATION"},
		"turned away by the dialplan":  {with(noSuchNumber, "Hangup-Cause", "CALL_REJECTED"), Refused, "CALL_REJECTED"},
		"a telephone's wrong number":   {wrongNumber, Accepted, "authorized"},
		"a carrier's wrong number":     {wrongDID, None, ""},
		"switched off":                 {switchedOff, None, ""},
		"nobody behind an extension":   {with(noSuchNumber, "Hangup-Cause", "NO_ROUTE_DESTINATION", "variable_originate_disposition", "NO_ROUTE_DESTINATION"), None, ""},
		"the refusal is all it heard":  {with(noSuchNumber, "Caller-Channel-Progress-Time", "1795798935054454", "Caller-Channel-Progress-Media-Time", "1795798935054454"), Refused, "NORMAL_CLEARING"},
		"busy":                         {with(noSuchNumber, "Hangup-Cause", "USER_BUSY"), None, ""},
		"the caller hung up":           {with(noSuchNumber, "Hangup-Cause", "ORIGINATOR_CANCEL", "variable_sip_hangup_disposition", "recv_cancel"), None, ""},
		"overload":                     {with(noSuchNumber, "Hangup-Cause", "SWITCH_CONGESTION"), None, ""},
		"it rang before":               {with(noSuchNumber, "Caller-Channel-Progress-Time", "1795798930054454"), None, ""},
		"an announcement before":       {with(noSuchNumber, "Caller-Channel-Progress-Media-Time", "1795798930054454"), None, ""},
		"voicemail answers a scanner":  {voicemail, None, ""},
		"somebody speaks to voicemail": {heard, Accepted, "answered"},
		"for a moment only":            {with(heard, "Caller-Channel-Hangup-Time", "1795798868914344"), None, ""},
		"an answer to a telephone":     {esl.Event{"Event-Name": "CHANNEL_ANSWER", "Call-Direction": "inbound", "variable_sip_network_ip": "10.9.0.13", "variable_sip_authorized": "true"}, Accepted, "authorized"},
		"an answer to a stranger":      {esl.Event{"Event-Name": "CHANNEL_ANSWER", "Call-Direction": "inbound", "variable_sip_network_ip": "10.9.0.13"}, None, ""},
		"a call that FreeSWITCH made":  {with(noSuchNumber, "Call-Direction", "outbound"), None, ""},
		"challenged and gone":          {abandoned, None, ""},
		"registered":                   {register, Accepted, "registered"},
		"asked for a password":         {challenged, Challenged, "stranger"},
		"a wrong password":             {failed, None, ""}, // the other log has it
		"a scanner registers":          {with(challenged, "user-agent", "friendly-scanner"), Scanner, "friendly-scanner"},
		"a scanner calls":              {with(noSuchNumber, "variable_sip_user_agent", "SIPCLI/v1.8"), Scanner, "sipcli"},
		"a scanner's From":             {with(challenged, "from-user", "sipvicious"), Scanner, "sipvicious"},
		"another event":                {esl.Event{"Event-Name": "HEARTBEAT", "network-ip": "10.9.0.13"}, None, ""},
		"an answer to a ping":          {nil, None, ""},
		"no address":                   {with(register, "network-ip", "example.com"), None, ""},
		"a cause with blanks":          {with(noSuchNumber, "Hangup-Cause", "X from 192.0.2.1\n"), None, ""},
	} {
		f := Judge(c.event, known)
		if f.Verdict != c.want || f.Why != c.why {
			t.Errorf("%s: %+v", name, f)
		}
		if c.want != None && f.Source != netip.MustParseAddr("10.9.0.13") {
			t.Errorf("%s: of %s", name, f.Source)
		}
	}
	for address, want := range map[string]string{"::ffff:192.0.2.7": "192.0.2.7", "fe80::1%eth0": "fe80::1", "fd77::12": "fd77::12"} {
		if f := Judge(with(register, "network-ip", address), known); f.Source.String() != want {
			t.Errorf("%s is %s", address, f.Source)
		}
	}
}

func TestSignatures(t *testing.T) {
	for text, want := range map[string]string{
		"abc":                          `line 1: "abc" is too short`,
		"# a\n\nfriendly scanner":      `line 3: "friendly scanner": a signature has`,
		strings.Repeat("scan\n", 1001): "more than 1000",
	} {
		if _, err := ParseSignatures(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	// Telephones, and what monitors them.
	known, err := ParseSignatures(Shipped())
	if err != nil || len(known) < 10 {
		t.Fatal(known, err)
	}
	for _, agent := range []string{
		"Yealink SIP-T46S 66.85.0.5", "PolycomVVX-VVX_411-UA/5.9.5", "Grandstream GXP2170 1.0.11.16", "snomD785/10.1.51.12",
		"Cisco/SPA504G-7.6.2c", "Linphone/4.4.0 (belle-sip/5.0.0)", "Zoiper v2.10.19", "MicroSIP/3.21.3", "Bria 6.5.1", "Z 5.6.1 v2.10.18.6",
		"Asterisk PBX 18.10.0", "FPBX-16.0.40(18.15.0)", "FreeSWITCH-mod_sofia/1.10.12", "kamailio (5.7.4 (x86_64/linux))", "OpenSIPS (3.4.5)",
		"Twilio Gateway", "Vonage", "SIP.js/0.21.2", "JsSIP 3.10.0", "AVM FRITZ!Box 7590", "Gigaset N510 IP PRO", "Mitel-6867i", "3CXPhoneSystem",
		"Fanvil X4U 2.12", "Htek UC926", "Obihai/OBi202", "Algo-8301", "sipsak 0.9.8.1", "baresip v2.0.0", "PJSUA v2.12", "MySIPClient/2.1", "Mysipcli/2.1", "anil tiwari", "",
	} {
		if word := known.Match(agent); word != "" {
			t.Errorf("%q is taken for the scanner %s", agent, word)
		}
	}
}
