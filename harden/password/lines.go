package password

import (
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
)

// namesIn is what files of lines call the two: fs_cli's configuration
// (libs/esl/fs_cli.c), and the file with an instance's secrets. It is nil for others.
func namesIn(file string) map[string]Which {
	switch path.Base(file) {
	case "fs_cli.conf", ".fs_cli_conf":
		return map[string]Which{"password": ESL}
	case "freeswitch-credentials.txt":
		return map[string]Which{"sip_default_password": SIP, "event_socket_password": ESL}
	}
	return nil
}

// split takes a line apart that sets one, also as a comment: before is what stands in
// front of the value.
func split(names map[string]Which, line string) (which Which, before, value string, ok bool) {
	key, rest, _ := strings.Cut(line, "=")
	which, ok = names[strings.ToLower(strings.Trim(key, " \t#;"))]
	value = strings.Trim(rest, "> \t\r\n")
	at := len(key) + 1 + strings.Index(rest, value)
	if !ok || value == "" {
		return 0, "", "", false
	}
	return which, line[:at], value, true
}

func inLines(names map[string]Which, data []byte) (out []Found) {
	for l := range strings.Lines(string(data)) {
		if which, _, value, ok := split(names, l); ok {
			out = append(out, Found{which, secret.Of(value)})
		}
	}
	return out
}

func replaceLines(names map[string]Which, data []byte, with secret.Pair) []byte {
	var out strings.Builder
	for l := range strings.Lines(string(data)) {
		if which, before, value, ok := split(names, l); ok {
			own := with.ESL
			if which == SIP {
				own = with.SIP
			}
			l = before + own.Reveal() + l[len(before)+len(value):]
		}
		out.WriteString(l)
	}
	return []byte(out.String())
}
