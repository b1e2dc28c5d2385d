package fsxml

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The edits every image gets, as lines that go and lines that come.
func TestVanillaGolden(t *testing.T) {
	src := vanilla(t)
	e := load(t, src).Edit()
	for _, name := range e.c.Profiles() {
		ok(t, e.SetParam(Profile(name), "log-auth-failures", "true"))
	}
	ok(t, e.SetParam(EventSocket(), "password", "Q7fK"))
	ok(t, e.SetParam(EventSocket(), "listen-ip", "127.0.0.1"))
	ok(t, e.SetParam(EventSocket(), "apply-inbound-acl", "loopback.auto"))
	ok(t, e.SetVar("default_password", "x9Zt"))
	ok(t, e.InsertVar(conf+"/vars.xml", "image", "hardened"))
	changes, err := e.Changes()
	ok(t, err)

	var b strings.Builder
	for _, ch := range changes {
		b.WriteString("=== " + ch.Path + " replaced: " + strings.Join(ch.Old, " ") + "\n")
		b.WriteString(diff(string(ch.Before), string(ch.After)))
		src[ch.Path] = string(ch.After)
	}
	golden := filepath.Join("testdata", "vanilla.diff")
	if *update {
		ok(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	ok(t, err)
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}

	// Once more, on what came out: nothing is left to do.
	again := load(t, src).Edit()
	ok(t, again.SetVar("default_password", "x9Zt"))
	ok(t, again.SetParam(EventSocket(), "apply-inbound-acl", "loopback.auto"))
	if changes, err := again.Changes(); changes != nil || err != nil {
		t.Errorf("the second time: %v, %v", changes, err)
	}
	const bong = `  <X-PRE-PROCESS cmd="set" data="bong-ring=v=-7;%(100,0,941.0,1477.0);v=-7;>=2;+=.1;%(1400,0,350,440)"/>` + "\n"
	if !strings.Contains(src[conf+"/vars.xml"], bong) {
		t.Error("the bong-ring line of vars.xml is not what it was")
	}
}

// diff lists the lines that differ, for edits that replace and insert lines.
func diff(before, after string) string {
	var b strings.Builder
	old, now := strings.SplitAfter(before, "\n"), strings.SplitAfter(after, "\n")
	for len(now) > 0 {
		switch {
		case len(old) > 0 && old[0] == now[0]:
			old, now = old[1:], now[1:]
		case len(old) > 0 && len(now) > 1 && old[0] == now[1]:
			b.WriteString("+" + now[0])
			now = now[1:]
		case len(old) > 0:
			b.WriteString("-" + old[0] + "+" + now[0])
			old, now = old[1:], now[1:]
		default:
			b.WriteString("+" + now[0])
			now = now[1:]
		}
	}
	return b.String()
}
