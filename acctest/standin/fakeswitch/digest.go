package fakeswitch

import (
	"crypto/md5"
	"encoding/hex"
	"strconv"
	"strings"
)

// verdict is what became of a request's credentials (auth_res_t).
type verdict int

const (
	forbidden verdict = iota // wrong, or nobody by that name
	stale                    // of a nonce that is not known: ask again
	passed
)

// verify checks the credentials of an Authorization or Proxy-Authorization
// header (sofia_reg_parse_auth, sofia_reg.c:2967).
func (p *profile) verify(r *request, credentials string, from peer) verdict {
	given := digestParams(credentials)
	for _, name := range []string{"username", "realm", "nonce", "uri", "response"} {
		if _, found := given[name]; !found {
			p.owner.log.line("ERR", "sofia_reg.c:3052", "Invalid Authorization header!")
			return stale
		}
	}
	count, _ := strconv.ParseUint(given["nc"], 16, 64)
	if !p.knows(given["nonce"], count, given["nc"] != "") {
		return stale
	}
	domain := p.value("force-register-domain", given["realm"])
	user, found := p.owner.configuration().user(domain, given["username"])
	if !found {
		p.owner.log.line("WARNING", "sofia_reg.c:3210", "Can't find user [%s@%s] from %s\n"+
			"You must define a domain called '%s' in your directory and add a user with the id=\"%s\" attribute\n"+
			"and you must configure your device to use the proper domain in its authentication credentials.",
			given["username"], domain, from.Addr().Unmap(), domain, given["username"])
		return forbidden
	}
	a1 := user["a1-hash"]
	if user["password"] == "" && a1 == "" {
		if allow, set := user["allow-empty-password"]; set && !isTrue(allow) {
			p.owner.log.line("WARNING", "sofia_reg.c:3328", "Empty password denied for user %s@%s", given["username"], domain)
			return forbidden
		}
		return passed // any digest does (sofia_reg.c:3333)
	}
	if a1 == "" {
		a1 = md5Hex(given["username"] + ":" + given["realm"] + ":" + user["password"])
	}
	want := ""
	if a2 := md5Hex(r.method + ":" + given["uri"]); given["nc"] != "" && given["cnonce"] != "" && given["qop"] != "" {
		want = md5Hex(strings.Join([]string{a1, given["nonce"], given["nc"], given["cnonce"], given["qop"], a2}, ":"))
	} else {
		want = md5Hex(a1 + ":" + given["nonce"] + ":" + a2)
	}
	if !strings.EqualFold(want, given["response"]) {
		return forbidden
	}
	if count > 0 {
		p.mu.Lock()
		p.nonces[given["nonce"]] = count
		p.mu.Unlock()
	}
	return passed
}

// knows says whether the nonce is one of ours and its count a new one.
func (p *profile) knows(nonce string, count uint64, counted bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, known := p.nonces[nonce]
	return known && (!counted || last < count)
}

// newChallenge is the value of a WWW-Authenticate or Proxy-Authenticate header
// (sofia_reg.c:1167).
func (p *profile) newChallenge(realm string, isStale bool) string {
	nonce := newUUID()
	p.mu.Lock()
	p.nonces[nonce] = 0
	p.mu.Unlock()
	again := ""
	if isStale {
		again = " stale=true,"
	}
	return `Digest realm="` + realm + `", nonce="` + nonce + `",` + again + ` algorithm=MD5, qop="auth"`
}

// digestParams splits 'Digest a="b", c=d'. A value in quotes may hold commas
// and line breaks; the first of a name counts.
func digestParams(credentials string) map[string]string {
	params := map[string]string{}
	_, rest, _ := strings.Cut(credentials, " ")
	for rest != "" {
		var name, value string
		var found bool
		if name, rest, found = strings.Cut(rest, "="); !found {
			break
		}
		if quoted, isQuoted := strings.CutPrefix(rest, `"`); isQuoted {
			value, rest, _ = strings.Cut(quoted, `"`)
			_, rest, _ = strings.Cut(rest, ",")
		} else {
			value, rest, _ = strings.Cut(rest, ",")
			value = strings.TrimSpace(value)
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if _, given := params[name]; !given {
			params[name] = value
		}
	}
	return params
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
