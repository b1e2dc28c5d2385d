package fakeswitch

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxDepth is how deep files may include each other (switch_xml.c:1433).
const maxDepth = 100

// preprocessor writes the text that FreeSWITCH hands to its XML parser, line
// by line and by string search alone, as preprocess does (switch_xml.c:1424).
type preprocessor struct {
	variables map[string]string
	log       *logger
	out       bytes.Buffer
}

func (p *preprocessor) file(path string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s is included %d files deep", path, depth)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	inComment := false // in a <!--# that began on an earlier line
	for raw := range strings.Lines(string(content)) {
		line, searched := p.expand(raw)
		if strings.Contains(searched, "<include>") || strings.Contains(searched, "</include>") || strings.Contains(searched, "<?") {
			continue
		}
		if inComment {
			_, after, found := strings.Cut(line, "-->")
			if !found {
				continue
			}
			inComment, line = false, after
		}
		if at := indexFold(line, "X-pre-process"); at >= 0 {
			if at > 0 && line[at-1] == '<' {
				p.element(line[at:], filepath.Dir(path), depth)
			}
			continue
		}
		if before, comment, found := strings.Cut(line, "<!--#"); found {
			inside, after, closed := strings.Cut(comment, "-->")
			p.out.WriteString(before)
			p.out.WriteString(after)
			inComment = !closed
			p.comment(inside, filepath.Dir(path), depth)
			continue
		}
		p.out.WriteString(line)
	}
	return nil
}

// expand replaces every $${name}. The second result is what FreeSWITCH's own
// search for <include> sees of the line: it ends at the first variable, whose
// brace expand_vars overwrites with the end of the string (switch_xml.c:1286).
func (p *preprocessor) expand(line string) (expanded, searched string) {
	var b strings.Builder
	searched = line
	rest := line
	for {
		before, after, found := strings.Cut(rest, "$${")
		name, tail, closed := strings.Cut(after, "}")
		if !found || !closed {
			b.WriteString(rest)
			return b.String(), searched
		}
		if len(searched) == len(line) {
			searched = line[:len(before)+len("$${")+len(name)]
		}
		b.WriteString(before)
		b.WriteString(p.variables[name])
		rest = tail
	}
}

// element obeys <X-PRE-PROCESS cmd="..." data="..."/>, cmd before data, both
// in double quotes; the rest of the line is lost.
func (p *preprocessor) element(text, dir string, depth int) {
	if end := strings.Index(text, "/>"); end >= 0 {
		text = text[:end+2]
	}
	command, rest, found := quotedAfter(text, "cmd")
	if !found {
		return
	}
	if data, _, found := quotedAfter(rest, "data"); found {
		p.obey(command, data, dir, depth)
	}
}

// comment obeys <!--#command "data"-->, with or without the quotes.
func (p *preprocessor) comment(text, dir string, depth int) {
	text, _, _ = strings.Cut(strings.ReplaceAll(text, "\r", "\n"), "\n")
	command, data, found := strings.Cut(text, " ")
	if !found {
		return
	}
	if _, quoted, found := strings.Cut(data, `"`); found {
		if inside, _, closed := strings.Cut(quoted, `"`); closed {
			data = inside
		}
	}
	p.obey(command, data, dir, depth)
}

func (p *preprocessor) obey(command, data, dir string, depth int) {
	name, value, isPair := strings.Cut(data, "=")
	name, value = strings.TrimRight(name, " "), strings.TrimLeft(value, " ")
	switch strings.ToLower(command) {
	case "set":
		if isPair {
			p.variables[name] = value
		}
	case "env-set":
		if isPair {
			p.variables[name] = os.Getenv(value)
		}
	case "stun-set":
		// A STUN server would say which address the world sees.
		if isPair && strings.HasPrefix(value, "stun:") {
			p.variables[name] = p.variables["local_ip_v4"]
		} else if isPair {
			p.variables[name] = value
		}
	case "include":
		p.include(data, dir, depth)
	}
}

// include reads the files that a pattern names, in the order of their names. A
// file that cannot be read is logged and left out (switch_xml.c:1437).
func (p *preprocessor) include(pattern, dir string, depth int) {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(dir, pattern)
	}
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		p.log.line("INFO", "switch_xml.c:1398", "No files to include at %s", pattern)
		return
	}
	for _, path := range paths {
		if err := p.file(path, depth+1); err != nil {
			p.log.line("ERR", "switch_xml.c:1439", "Couldn't open %s (%v)", path, err)
		}
	}
}

// quotedAfter finds word, then an equals sign, then what stands in double
// quotes, and returns that and what follows it.
func quotedAfter(text, word string) (value, rest string, found bool) {
	at := indexFold(text, word)
	if at < 0 {
		return "", "", false
	}
	if _, text, found = strings.Cut(text[at:], "="); !found {
		return "", "", false
	}
	if _, text, found = strings.Cut(text, `"`); !found {
		return "", "", false
	}
	return strings.Cut(text, `"`)
}

// indexFold is strings.Index without regard to the case of a word of letters.
func indexFold(text, word string) int {
	for i := range len(text) - len(word) + 1 {
		if text[i]|0x20 == word[0]|0x20 && strings.EqualFold(text[i:i+len(word)], word) {
			return i
		}
	}
	return -1
}
