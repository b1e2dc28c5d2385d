package harden

import (
	"regexp"
	"strings"
)

// shellSettings is a file of KEY=VALUE lines that a shell reads, such as
// /etc/default/ufw: the last one counts.
type shellSettings string

func (s shellSettings) get(key string) string {
	value := ""
	for line := range strings.Lines(string(s)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			value = strings.Trim(v, `"'`)
		}
	}
	return value
}

// set changes every line that sets the key, its quotes kept, or adds one.
func (s shellSettings) set(key, value string) shellSettings {
	line := regexp.MustCompile(`(?m)^([ \t]*` + regexp.QuoteMeta(key) + `=)(["']?)[^"'\n]*(["']?)`)
	if !line.MatchString(string(s)) {
		if s != "" && !strings.HasSuffix(string(s), "\n") {
			s += "\n"
		}
		return s + shellSettings(key+"="+value+"\n")
	}
	return shellSettings(line.ReplaceAllString(string(s), "${1}${2}"+value+"${3}"))
}
