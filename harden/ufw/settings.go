package ufw

import (
	"slices"
	"strings"
)

// Settings is a file of KEY=VALUE lines that a shell reads, such as
// /etc/default/ufw: the last one counts.
type Settings string

const quotes = `"'`

// Get is the value of a key, empty where no line sets it.
func (s Settings) Get(key string) string {
	value := ""
	for line := range strings.Lines(string(s)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			value = strings.Trim(v, quotes)
		}
	}
	return value
}

// Set changes every line that sets the key, its quotes kept, or adds one.
func (s Settings) Set(key, value string) Settings {
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
		return Settings(b.String())
	}
	if s != "" && !strings.HasSuffix(string(s), "\n") {
		s += "\n"
	}
	return s + Settings(key+"="+value+"\n")
}

// Want is a value that a setting is to have, or one that is as good.
type Want struct {
	Key, Value string
	AsGood     []string
}

// With changes what is not as it is wanted, and tells what that was.
func (s Settings) With(wants ...Want) (after Settings, told []string) {
	for _, w := range wants {
		now := s.Get(w.Key)
		if strings.EqualFold(now, w.Value) || slices.Contains(w.AsGood, now) {
			continue
		}
		s = s.Set(w.Key, w.Value)
		told = append(told, w.Key+"="+w.Value)
	}
	return s, told
}

// NewConf is Conf where ufw itself is not there yet.
func NewConf() ([]byte, error) { return templates.ReadFile("templates/ufw.conf") }
