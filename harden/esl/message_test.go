package esl

import (
	"bufio"
	"slices"
	"strings"
	"testing"
)

// FuzzReadMessage: whatever comes, reading ends, holds no more than the limits
// allow, and takes no byte that is not the message's own.
func FuzzReadMessage(f *testing.F) {
	for _, seed := range []string{
		"Content-Type: auth/request\n\n",
		"Content-Type: command/reply\r\nReply-Text: +OK accepted\r\n\r\n",
		"Content-Type: api/response\nContent-Length: 3\n\n+OKContent-Type: x\n\n",
		"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n",
		"Content-Length: -1\n\n",
		"Content-Length: 9223372036854775808\n\n",
		"\n\n",
		"a\n\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		reader := bufio.NewReaderSize(strings.NewReader(input), maxLine)
		m, err := readMessage(reader)
		if err != nil {
			if m != (message{}) {
				t.Errorf("%q gives %+v and error %v", input, m, err)
			}
			return
		}
		if len(m.kind) > maxLine || len(m.replyText) > maxLine || len(m.body) > maxBody {
			t.Errorf("%q gives more than the limits allow", input)
		}
		rest := new(strings.Builder)
		if _, err := reader.WriteTo(rest); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(input, m.body+rest.String()) {
			t.Errorf("%q: the body %q and the rest %q are not its end", input, m.body, rest)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add(vanillaStatus)
	f.Add("-ERR x\r\n+OK [Success]\nReload XML [\n")
	f.Fuzz(func(t *testing.T, answer string) {
		for i, name := range Profiles(answer) {
			if name == "" || strings.ContainsAny(name, "\t\n") || slices.Contains(Profiles(answer)[:i], name) {
				t.Errorf("%q gives the profile %q", answer, name)
			}
		}
		if line := failure(answer); !strings.Contains(answer, line) {
			t.Errorf("%q gives the line %q", answer, line)
		}
	})
}

// vanillaStatus is `sofia status` as cmd_status formats it for a vanilla
// machine with an IPv6 address, TLS on one profile, a gateway and an alias;
// the site's own profile is named like a type.
const vanillaStatus = `                     Name	   Type	                                      Data	State
=================================================================================================
            external-ipv6	profile	                  sip:mod_sofia@[::1]:5080	RUNNING (0)
               10.77.0.2	  alias	                                  internal	ALIASED
                 external	profile	            sip:mod_sofia@10.77.0.2:5080	RUNNING (0)
    external::example.com	gateway	                   sip:joeuser@example.com	NOREG
                  gateway	profile	            sip:mod_sofia@10.77.0.2:5090	RUNNING (0)
            internal-ipv6	profile	                  sip:mod_sofia@[::1]:5060	RUNNING (0)
                 internal	profile	            sip:mod_sofia@10.77.0.2:5060	RUNNING (2)
                 internal	profile	            sip:mod_sofia@10.77.0.2:5061	RUNNING (2) (TLS)
=================================================================================================
5 profiles 1 alias
`

func TestProfiles(t *testing.T) {
	tests := []struct {
		name   string
		status string
		want   []string
	}{
		{"vanilla and more", vanillaStatus, []string{"external-ipv6", "external", "gateway", "internal-ipv6", "internal"}},
		{"none", "                     Name\t   Type\t  Data\tState\n====\n====\n0 profiles 0 aliases\n", nil},
		{"no sofia", "-ERR sofia Command not found!\n", nil},
		{"empty", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Profiles(tt.status); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
