package fakeswitch_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/acctest/standin/fakeswitch"
)

// Reloading what a rotation reloads ends no call; an outbound socket holds the
// module, and only for as long as it is connected.
func TestCallsOutlastReloads(t *testing.T) {
	in := install(t)
	in.start(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ask := func(command string) string {
		t.Helper()
		answer, err := connect(t, in.eventSocket, "ClueCon").API(bounded(t), command)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	ask("originate null/x &park")
	before := ask("show calls")
	if !strings.Contains(before, ",null/x,") || !strings.HasSuffix(before, "\n1 total.\n") {
		t.Fatalf("show calls: %q", before)
	}
	ask("reloadxml")
	ask("sofia profile internal rescan")
	ask("reload mod_event_socket")
	eventually(t, "the module loaded again", func() bool { return strings.Count(in.log(t), "Socket up listening") == 2 })
	if after := ask("show calls"); after != before {
		t.Errorf("the calls were %q and are %q", before, after)
	}

	ask("originate null/y &socket(" + listener.Addr().String() + " async full)")
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ask("reload mod_event_socket")
	eventually(t, "Module in use", func() bool { return strings.Contains(in.log(t), "is in use, cannot unload") })
	conn.Close()
	eventually(t, "the call's end", func() bool { return strings.HasSuffix(ask("show calls"), "\n1 total.\n") })
}

func TestDie(t *testing.T) {
	in := install(t)
	s := in.start(t)
	in.misbehave(t, fakeswitch.Die)
	conn := connect(t, in.eventSocket, "ClueCon")
	if _, err := conn.API(bounded(t), "reload mod_event_socket"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Stopped():
	case <-bounded(t).Done():
		t.Fatal("it lives")
	}
	if left, _ := filepath.Glob(filepath.Join(in.DBDir, "standin-*")); len(left) > 0 {
		t.Errorf("the next start dies too: %s", left)
	}
}
