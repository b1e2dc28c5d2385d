package esl

import "strings"

// failure returns the line of an answer that tells of a failure, or "".
//
// Not every command says -ERR first, or at all: `reload` says it on its second
// line (mod_commands.c:2828), mod_sofia says "Invalid Profile" of a profile
// that does not run (mod_sofia.c:3544), and a configuration that no longer
// parses is told between the brackets of `reloadxml` (mod_commands.c:2847) and
// of `sofia profile NAME rescan` (mod_sofia.c:3590), where only "Success" is
// one (switch_xml.c:2418).
func failure(answer string) string {
	for line := range strings.Lines(answer) {
		line = strings.TrimRight(line, "\r\n")
		for _, prefix := range []string{"-ERR", "-USAGE", "Invalid Profile"} {
			if strings.HasPrefix(line, prefix) {
				return line
			}
		}
		for _, prefix := range []string{"+OK [", "Reload XML ["} {
			if result, found := strings.CutPrefix(line, prefix); found && result != "Success]" {
				return line
			}
		}
	}
	return ""
}

// Profiles returns the names of the SIP profiles that run, in the order of the
// answer to `sofia status`, each once: a profile with TLS has two lines, and
// the lines of aliases and gateways are left out. The lines are made in
// cmd_status (mod_sofia.c:3153): name, type, address and state between tabs.
func Profiles(status string) []string {
	var names []string
	seen := map[string]bool{}
	for line := range strings.Lines(status) {
		columns := strings.Split(line, "\t")
		if len(columns) != 4 || strings.TrimSpace(columns[1]) != "profile" {
			continue
		}
		name := strings.TrimSpace(columns[0])
		if name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}
