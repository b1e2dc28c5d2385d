package harden

import "strings"

// shellSettings is a file of KEY=VALUE lines that a shell reads, such as
// /etc/default/ufw: the last one counts.
type shellSettings string

const quotes = `"'`

func (s shellSettings) get(key string) string {
	value := ""
	for line := range strings.Lines(string(s)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			value = strings.Trim(v, quotes)
		}
	}
	return value
}

// set changes every line that sets the key, its quotes kept, or adds one.
func (s shellSettings) set(key, value string) shellSettings {
	var b strings.Builder
	found := false
	for line := range strings.Lines(string(s)) {
		before, rest, ok := strings.Cut(line, key+"=")
		if !ok || strings.Trim(before, " \t") != "" {
			b.WriteString(line)
			continue
		}
		found = true
		quote := ""
		if rest != "" && strings.Contains(quotes, rest[:1]) {
			quote, rest = rest[:1], rest[1:]
		}
		end := strings.IndexAny(rest, quotes+"\n")
		if end < 0 {
			end = len(rest)
		}
		b.WriteString(before + key + "=" + quote + value + rest[end:])
	}
	if found {
		return shellSettings(b.String())
	}
	if s != "" && !strings.HasSuffix(string(s), "\n") {
		s += "\n"
	}
	return s + shellSettings(key+"="+value+"\n")
}
