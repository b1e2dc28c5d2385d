package fakeswitch_test

import (
	"regexp"
	"strings"
	"testing"
)

// What FreeSWITCH 1.10.12 with the vanilla configuration answered to a stranger,
// method by method.
func TestStrangersMethods(t *testing.T) {
	in := install(t)
	in.logAuthFailures(t)
	in.start(t)
	const to = "To: <sip:1001@127.0.0.1>;tag=zz"
	tests := []struct {
		method             string
		headers            []string
		internal, external string
	}{
		{"OPTIONS", nil, "200 OK", "200 OK"},
		{"SUBSCRIBE", []string{"Event: "}, "489 Bad Event", "405 Method Not Allowed"},
		{"SUBSCRIBE", []string{"Event: presence"}, "407 Proxy Authentication Required", "405 Method Not Allowed"},
		{"SUBSCRIBE", []string{"Event: message-summary"}, "407 Proxy Authentication Required", "405 Method Not Allowed"},
		{"SUBSCRIBE", []string{"Event: as-feature-event"}, "401 Unauthorized", "405 Method Not Allowed"},
		{"SUBSCRIBE", []string{"Event: nosuch"}, "489 Bad Event", "405 Method Not Allowed"},
		{"SUBSCRIBE", []string{"Event: refer"}, "403 Forbidden", "405 Method Not Allowed"},
		{"SUBSCRIBE", []string{"Event: presence", to}, "407 Proxy Authentication Required", "405 Method Not Allowed"},
		{"PUBLISH", nil, "489 Bad Event", "405 Method Not Allowed"},
		{"PUBLISH", []string{"Event: presence"}, "200 OK", "405 Method Not Allowed"},
		{"PUBLISH", []string{"Event: refer"}, "200 OK", "405 Method Not Allowed"},
		{"PUBLISH", []string{"Event: keep-alive"}, "489 Bad Event", "405 Method Not Allowed"},
		{"NOTIFY", nil, "481 Subscription Does Not Exist", "481 Subscription Does Not Exist"},
		{"NOTIFY", []string{"Event: presence"}, "481 Subscription Does Not Exist", "481 Subscription Does Not Exist"},
		{"NOTIFY", []string{"Event: refer"}, "200 OK", "200 OK"},
		{"NOTIFY", []string{"o: message-summary"}, "200 OK", "200 OK"},
		{"NOTIFY", []string{"Event: keep-alive"}, "200 OK", "200 OK"},
		{"REFER", []string{"Refer-To: <sip:1002@127.0.0.1>"}, "202 Accepted", "202 Accepted"},
		{"MESSAGE", nil, "407 Proxy Authentication Required", "407 Proxy Authentication Required"},
		{"INFO", nil, "200 OK", "200 OK"},
		{"UPDATE", nil, "481 Call Does Not Exist", "481 Call Does Not Exist"},
		{"PRACK", nil, "481 No such response", "481 No such response"},
		{"BYE", nil, "481 Call Does Not Exist", "481 Call Does Not Exist"},
		{"CANCEL", nil, "481 Call/Transaction Does Not Exist", "481 Call/Transaction Does Not Exist"},
		{"FOO", nil, "501 Not Implemented", "501 Not Implemented"},
		{"OPTIONS", []string{to}, "481 Call Does Not Exist", "481 Call Does Not Exist"},
		{"INVITE", []string{to}, "481 Call Does Not Exist", "481 Call Does Not Exist"},
		{"REGISTER", []string{to}, "481 Call Does Not Exist", "481 Call Does Not Exist"},
		{"OPTIONS", []string{"Require: foo"}, "420 Bad Extension", "420 Bad Extension"},
		{"OPTIONS", []string{"Require: timer"}, "200 OK", "200 OK"},
		{"INVITE", nil, "407 Proxy Authentication Required", "480 Temporarily Unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+strings.Join(tt.headers, " "), func(t *testing.T) {
			for profile, want := range map[string]string{"internal": tt.internal, "external": tt.external} {
				if got := statusOf(call(t, in, profile).send(tt.method, "1001", tt.headers...)); got != want {
					t.Errorf("%s: got %s, want %s", profile, got, want)
				}
			}
		})
	}
	if want := "SIP auth challenge (REGISTER) on sofia profile 'internal' for [1001@127.0.0.1] from ip 127.0.0.1\n"; strings.Count(in.log(t), want) != 1 {
		t.Errorf("the subscription to features is not logged as a registration:\n%s", in.log(t))
	}
}

// A hardened tree has no chat: a MESSAGE is accepted from anybody, and thrown away.
func TestMessageWithoutChat(t *testing.T) {
	in := install(t)
	in.edit(t, "sip_profiles/external.xml", "<settings>", `<settings><param name="enable-chat" value="false"/>`)
	in.logAuthFailures(t)
	in.start(t)
	if got := statusOf(call(t, in, "external").send("MESSAGE", "1001")); got != "202 Accepted" {
		t.Errorf("got %s", got)
	}
	if strings.Contains(in.log(t), "SIP auth") {
		t.Errorf("it was challenged:\n%s", in.log(t))
	}
}

var nameOrVersion = regexp.MustCompile(`(?i)freeswitch|mod_sofia|1\.10`)

// What a profile calls itself, in every kind of answer.
func TestIntroduction(t *testing.T) {
	const agent, username = "user-agent-string", "username"
	tests := []struct {
		name     string
		settings map[string]string
		agent    string // the header's value, "-" for no header
		sdp      string
	}{
		{"as it ships", nil, "FreeSWITCH-mod_sofia/1.10.12-release~64bit", "FreeSWITCH"},
		{"a text", map[string]string{agent: "pbx", username: "pbx", "contact-user": "pbx"}, "pbx", "pbx"},
		{"an empty text", map[string]string{agent: "", username: ""}, "", "FreeSWITCH"},
		{"none", map[string]string{agent: "_UNDEF_"}, "-", "FreeSWITCH"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := install(t)
			for name, value := range tt.settings {
				in.edit(t, "sip_profiles/external.xml", "<settings>", `<settings><param name="`+name+`" value="`+value+`"/>`)
			}
			in.start(t)
			p := call(t, in, "external")
			answers := []string{p.send("OPTIONS", "1001"), p.send("REGISTER", "1001"), p.send("FOO", "1001"), p.send("BYE", "1001"), p.send("MESSAGE", "1001"), p.send("INVITE", "1001")}
			p.body = anSDP
			p.write("INVITE", "3500")
			answers = append(answers,
				p.receive("INVITE", func(string) bool { return true }),
				p.receive("INVITE", func(status string) bool { return status == "200 OK" }))
			for _, answer := range answers {
				found := regexp.MustCompile(`(?m)^User-Agent: (.*)\r$`).FindStringSubmatch(answer)
				switch {
				case found == nil && tt.agent != "-", found != nil && found[1] != tt.agent:
					t.Errorf("User-Agent is not %q in %q", tt.agent, answer)
				case tt.name == "a text" && nameOrVersion.MatchString(answer):
					t.Errorf("it names itself in %q", answer)
				}
			}
			if last := answers[len(answers)-1]; !strings.Contains(last, "\r\no="+tt.sdp+" ") || !strings.Contains(last, "\r\ns="+tt.sdp+"\r\n") {
				t.Errorf("the SDP is not %s's: %q", tt.sdp, last)
			}
		})
	}
}
