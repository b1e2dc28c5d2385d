package fakeswitch_test

import (
	"regexp"
	"strings"
	"testing"
)

const anSDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

// What vanilla's context "public" does with a stranger's call.
func TestStrangersCalls(t *testing.T) {
	tests := []struct {
		name, number, body, status string
		cause                      string // in the log, or ""
		edit                       [2]string
	}{
		{"nowhere", "9011442071838", anSDP, "480 Temporarily Unavailable", "NORMAL_CLEARING", [2]string{}}, // seen of FreeSWITCH 1.10.12
		{"nowhere, and nothing is done with all calls", "9011442071838", anSDP, "404 Not Found", "NO_ROUTE_DESTINATION", [2]string{`<extension name="outside_call" continue="true">
      <condition>`, `<extension name="outside_call" continue="true">
      <condition field="destination_number" expression="^x$">`}},
		{"without SDP", "1001", "", "480 Temporarily Unavailable", "MANDATORY_IE_MISSING", [2]string{}},
		{"a phone that is not there", "1001", anSDP, "480 Temporarily Unavailable", "USER_NOT_REGISTERED", [2]string{}},
		{"a number of its own", "5551212", anSDP, "480 Temporarily Unavailable", "USER_NOT_REGISTERED", [2]string{}},
		{"a conference", "3500", anSDP, "200 OK", "", [2]string{}},
		{"a conference for phones", "3001", anSDP, "480 Temporarily Unavailable", "NORMAL_CLEARING", [2]string{}},
		{"what the tree no longer has", "3500", anSDP, "480 Temporarily Unavailable", "NORMAL_CLEARING", [2]string{`^(3[5-8][01][0-9])$`, `^x$`}},
		{"a hangup", "666", anSDP, "486 Busy Here", "USER_BUSY", [2]string{`<extension name="unloop">`,
			`<extension name="busy"><condition field="destination_number" expression="^666$"><action application="hangup" data="USER_BUSY"/></condition></extension><extension name="unloop">`}},
		{"round in a circle", "667", anSDP, "483 Too Many Hops", "EXCHANGE_ROUTING_ERROR", [2]string{`<extension name="unloop">`,
			`<extension name="circle"><condition field="destination_number" expression="^(667)$"><action application="transfer" data="$1 XML public"/></condition></extension><extension name="unloop">`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := install(t)
			if tt.edit[0] != "" {
				in.edit(t, "dialplan/public.xml", tt.edit[0], tt.edit[1])
			}
			in.start(t)
			p := call(t, in, "external")
			p.body = tt.body
			if got := statusOf(p.send("INVITE", tt.number)); got != tt.status {
				t.Errorf("got %s, want %s", got, tt.status)
			}
			code, _, _ := strings.Cut(tt.status, " ")
			channel := `sofia/external/` + tt.number + `@127\.0\.0\.1`
			for _, line := range []string{
				`(?m)^\S{36} \S+ \S+ \S+ \[DEBUG\] mod_sofia\.c:469 Channel ` + channel + ` hanging up, cause: ` + tt.cause + `$`,
				`(?m)^\S{36} \S+ \S+ \S+ \[DEBUG\] mod_sofia\.c:614 Responding to INVITE with: ` + code + `$`,
			} {
				if found := regexp.MustCompile(line).MatchString(in.log(t)); found != (tt.cause != "") {
					t.Errorf("%s in the log: %t\n%s", line, found, in.log(t))
				}
			}
		})
	}
}
