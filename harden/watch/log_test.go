package watch

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestLines(t *testing.T) {
	var b strings.Builder
	at := time.Date(2026, 11, 27, 21, 56, 7, 211706000, time.UTC)
	for _, v := range []Verdict{None, Accepted, Challenged, Refused, Scanner} {
		if err := writeLine(&b, at, Finding{netip.MustParseAddr("2001:db8::1"), v, "WHY"}); err != nil {
			t.Fatal(err)
		}
	}
	const begin = "2026-11-27 21:56:07.211706 [WARNING] fs-harden "
	want := begin + "challenged WHY from 2001:db8::1\n" + begin + "refused WHY from 2001:db8::1\n" + begin + "scanner WHY from 2001:db8::1\n"
	if b.String() != want {
		t.Errorf("it has\n%s", b.String())
	}
}
