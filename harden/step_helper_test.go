package harden

import (
	"os"
	"strings"
	"testing"
)

// header is the beginning of a program as elf(5) has it.
func header(order byte, machine ...byte) string {
	return "\x7fELF\x02" + string(order) + strings.Repeat("\x00", 12) + string(machine) + strings.Repeat("\x00", 44)
}

func TestProcessorOf(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, program, want string }{
		{"amd64", header(1, 62, 0), "amd64"},
		{"arm64", header(1, 183, 0), "arm64"},
		{"s390x, the other order", header(2, 0, 22), "processor 22 of elf(5)"},
		{"a script", "#!/bin/sh\nexit 0 # and some more\n", "processor 0 of elf(5)"},
		{"cut", "\x7fELF\x02\x01", "processor 0 of elf(5)"},
	} {
		if got := processorOf([]byte(c.program)).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if got := processorOf(self).String(); got != "amd64" && got != "arm64" {
		t.Errorf("this very test is for %s", got)
	}
}

// The helper of another processor never gets into a tree; a tree that does not
// tell is let through.
func TestHelperOfAnotherProcessorIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		sh      string
		refused bool
	}{
		"same": {header(1, 62, 0), false}, "other": {header(1, 183, 0), true}, "script": {"#!/bin/true\n", false},
	} {
		tr := newTree(t)
		tr.write("/bin/sh", c.sh)
		m := tr.runner().start("bake", nil).m
		err := sameMachine(m, []byte(header(1, 62, 0)))
		if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "this fs-harden is for amd64 and the tree for arm64") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
