package inspect

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// Whether a text holds a password, a token or a key is asked of many kinds of
// files. One reader answers for all: it takes a text apart into names and values,
// and looks at the values of those names that secrets have. It never tells a value.

// mention is a secret that a text holds.
type mention struct {
	name string // of what it is the value of, as the text writes it
	at   int    // where it stands, in bytes
	// within is the element of FreeSWITCH's configuration that it belongs to: user
	// or gateway, or empty.
	within string
	value  string
}

// secretNames are how the names of secrets end, without their hyphens and the like.
var secretNames = []string{
	"password", "passwd", "passphrase", "pass", "pwd", "secret", "token", "credentials", "credential", "cookie", "psk", "a1hash",
	"apikey", "secretkey", "accesskey", "authkey", "privatekey", "presharedkey", "sharedkey", "encryptionkey", "masterkey", "signingkey",
}

// placeholders are the values that FreeSWITCH's examples have (conf/vanilla of
// 1.10.12, in comments too). Other looks tell of those that open something.
var placeholders = []string{
	"1234", "2007", "9999", "ClueCon", "works", "password", "freeswitch", "guest", "redis", "phone", "test", "pass", "mypass", "mypassword", "secret",
	"Fr33Sw1tch", "MYAPIKEY", "SECRET-KEY", "ACCESS-KEY", "MyPrivateKeyPassword", "c6440e5de50b403206989679159de89a",
	"true", "false", "yes", "no", "on", "off", "none", "null", "nil", "enabled", "disabled",
}

func isSecretName(name string) bool {
	if len(name) < len("psk") || len(name) > 80 {
		return false
	}
	plain := make([]byte, 0, 80)
	for _, c := range []byte(name) {
		switch {
		case c >= 'A' && c <= 'Z':
			plain = append(plain, c+'a'-'A')
		case c != '-' && c != '_' && c != '.':
			plain = append(plain, c)
		}
	}
	n := string(plain)
	switch {
	case n == "vmpassword": // a PIN, of which the look at the directory tells
		return false
	case strings.HasSuffix(n, "bypass"), n == "gpass", n == "nopasswd": // passes over a film, of libvpx; sudo
		return false
	}
	return slices.ContainsFunc(secretNames, func(end string) bool { return strings.HasSuffix(n, end) })
}

// isSecretValue tells a secret from nothing, a placeholder, and the name of a
// variable that has it.
func isSecretValue(name, value string) bool {
	value = strings.TrimSpace(value)
	lower := strings.ToLower(name)
	if strings.HasSuffix(lower, "credentials") || strings.HasSuffix(lower, "credential") {
		if strings.HasPrefix(value, "/") {
			return false // names a file
		}
		if _, password, ok := strings.Cut(value, ":"); ok {
			value = password
		}
	}
	if strings.HasSuffix(lower, "hash") && (len(value) != 32 || strings.Trim(value, "0123456789abcdefABCDEF") != "") { // MD5 (RFC 2617)
		return false
	}
	placeholder := slices.ContainsFunc(placeholders, func(p string) bool { return strings.EqualFold(p, value) })
	return len(value) > 1 && !placeholder && strings.Trim(value, "Xx*.-_ ") != "" && !strings.Contains(value, "${") &&
		!(strings.HasPrefix(value, "$") && strings.Trim(value[1:], nameBytes) == "")
}

const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

func isNameByte(c byte) bool { return strings.IndexByte(nameBytes, c) >= 0 }

// secretReader goes through a text, and calls found for every secret.
type secretReader struct {
	found  func(mention)
	user   string // the id of the last user: its own number is told as a fault by the look at the directory
	within string
}

// secretsIn gives the secrets of a file, whatever it is: FreeSWITCH's XML, lines of
// names and values, JSON, or what an editor wrote of one of them.
func secretsIn(name string, data []byte) []mention {
	var all []mention
	r := secretReader{found: func(m mention) { all = append(all, m) }}
	r.xml(data)
	if text := bytes.TrimSpace(data); len(text) > 0 && text[0] != '<' && bytes.IndexByte(text, 0) < 0 {
		r.lines(string(data), isProgram(name))
	}
	return all
}

// isProgram tells a program: there, what stands behind a name without quotes is no
// value.
func isProgram(name string) bool {
	return slices.Contains([]string{".lua", ".js", ".py", ".pl", ".php"}, path.Ext(name))
}

// hold takes down a secret.
func (r *secretReader) hold(name, value string, at int) {
	if isSecretName(name) && isSecretValue(name, value) && value != r.user {
		r.found(mention{name, at, r.within, value})
	}
}

// maxValue bounds how much behind a name or an address is looked at, in bytes: a text of
// nothing but signs would else be gone through once for each of them.
const maxValue = 1 << 10

// maxTag bounds a tag, in bytes: FreeSWITCH's longest have some hundred.
const maxTag = 64 << 10

// xml reads tags: <param name="" value=""/>, <X-PRE-PROCESS cmd="set" data="name=value"/>,
// <remote password=""/>. Those in comments count.
func (r *secretReader) xml(text []byte) {
	for at := 0; ; {
		i := bytes.IndexByte(text[at:], '<')
		if i < 0 {
			return
		}
		at += i + 1
		at += r.tag(text[at:min(at+maxTag, len(text))], at)
	}
}

// tag reads one tag, from behind its "<", and gives its length.
func (r *secretReader) tag(text []byte, from int) int {
	n := 0
	for n < len(text) && text[n] != '>' && text[n] != '<' && text[n] > ' ' {
		n++
	}
	element := string(text[:n])
	switch element {
	case "user", "gateway":
		r.within = element
	case "/gateway": // a user may have gateways
		if r.within = ""; r.user != "" {
			r.within = "user"
		}
	case "/user":
		r.within, r.user = "", ""
	}
	var name, value string
	for n < len(text) && text[n] != '>' && text[n] != '<' {
		begin := n
		for n < len(text) && isNameByte(text[n]) {
			n++
		}
		key := text[begin:n]
		if len(key) == 0 || n+1 >= len(text) || text[n] != '=' || text[n+1] != '"' && text[n+1] != '\'' {
			n = max(n, begin+1)
			continue
		}
		end := bytes.IndexByte(text[n+2:], text[n+1])
		if end < 0 {
			break
		}
		v := unescaped(string(text[n+2 : n+2+end]))
		n += end + 3
		switch string(key) {
		case "name":
			name = v
		case "value":
			value = v
		case "id":
			if element == "user" {
				r.user = v
			}
		default:
			r.hold(string(key), v, from)
		}
		r.inside(v, from)
	}
	if name != "" && value != "" {
		r.hold(name, value, from)
		if strings.HasSuffix(name, "dsn") {
			r.dsn(name, value, from)
		}
	}
	return n
}

var entities = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'")

func unescaped(v string) string {
	if strings.IndexByte(v, '&') < 0 {
		return v
	}
	return entities.Replace(v)
}

// inside looks into a value: a URL with a password, or names and values in it.
func (r *secretReader) inside(value string, at int) {
	r.address(value, at)
	for i := 0; i < len(value); i++ {
		if value[i] == '=' {
			r.pair(value, i, at, false)
		}
	}
}

// address finds the password of a URL: scheme://user:password@host.
func (r *secretReader) address(value string, at int) {
	for rest := value; ; {
		_, after, ok := strings.Cut(rest, "://")
		if !ok {
			return
		}
		rest = after
		authority := after[:min(len(after), maxValue)]
		if end := strings.IndexAny(authority, " \t\r\n/?#\"'<>"); end >= 0 {
			authority = authority[:end]
		}
		user, _, ok := cutLast(authority, '@')
		if _, password, both := strings.Cut(user, ":"); ok && both && isSecretValue("", password) {
			r.found(mention{"a URL", at, r.within, password})
		}
	}
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// dsn reads what unixODBC is given: name:user:password.
func (r *secretReader) dsn(name, value string, at int) {
	if parts := strings.SplitN(value, ":", 3); len(parts) == 3 && !strings.Contains(value, "/") && isSecretValue(name, parts[2]) {
		r.found(mention{name, at, r.within, parts[2]})
	}
}

// lines reads a file of names and values, with "=" or ":" between them. What is
// behind a comment's mark does not count.
func (r *secretReader) lines(text string, program bool) {
	at := 0
	for l := range strings.Lines(text) {
		from := at
		at += len(l)
		if l = strings.TrimSpace(l); l == "" || strings.HasPrefix(l, "//") || strings.HasPrefix(l, "--") || strings.IndexByte("#;<", l[0]) >= 0 {
			continue
		}
		r.address(l, from)
		for i := 0; i < len(l); i++ {
			if l[i] == '=' || l[i] == ':' {
				r.pair(l, i, from, program)
			}
		}
	}
}

// pair reads the name before and the value behind the sign at i. quoted asks for
// quotes around the value.
func (r *secretReader) pair(s string, i, at int, quoted bool) {
	before := strings.TrimRight(s[:i], " \t\"'")
	begin := len(before)
	for begin > 0 && isNameByte(before[begin-1]) {
		begin--
	}
	name := before[begin:]
	if !isSecretName(name) {
		return
	}
	value := strings.TrimLeft(s[i+1:min(i+1+maxValue, len(s))], " \t>") // fs_cli writes =>
	switch {
	case value == "":
		return
	case value[0] == '"' || value[0] == '\'':
		value, _, _ = strings.Cut(value[1:], value[:1])
	case quoted || value[0] == '=':
		return
	case s[i] == ':': // YAML and JSON have nothing behind a value; a sentence has
		if value = strings.TrimRight(value, " \t,}]"); strings.ContainsAny(value, " \t(") {
			return
		}
	default:
		if end := strings.IndexAny(value, " \t;,&?{}'\"()[]<>|"); end >= 0 {
			if value[end] == '(' {
				return // calls something
			}
			value = value[:end]
		}
	}
	if value != "" {
		r.hold(name, value, at)
	}
}
