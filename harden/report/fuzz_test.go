package report_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// Whatever a guest prints: no panic, every line told once, a report only if a
// line is one, and what is taken for an event reads back from its own encoding.
func FuzzScan(f *testing.F) {
	f.Add([]byte(begin + "\n" + step + "\n" + closing + "\n"))
	f.Add([]byte("motd\r\n" + closing + "\r\n"))
	f.Add([]byte(closing + "\n" + begin))
	for _, in := range notEvents {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		lines := 0
		var last *report.Report
		final, err := report.Scan(bytes.NewReader(out), func(e report.Event, text string) {
			lines++
			if reflect.DeepEqual(e, report.Event{}) {
				return
			}
			if text != "" {
				t.Errorf("an event with the text %q", text)
			}
			last = e.Final
			b, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var back report.Event
			if err := json.Unmarshal(b, &back); err != nil {
				t.Fatalf("%s: %v", b, err)
			}
			// Empty lists may come back absent, so encodings are compared.
			again, err := json.Marshal(back)
			if err != nil || !bytes.Equal(b, again) {
				t.Errorf("%s came back as %s, %v", b, again, err)
			}
		})
		if want := bytes.Count(out, []byte("\n")); err == nil && lines < want {
			t.Errorf("%d lines told of %d", lines, want)
		}
		if (err == nil) != (final != nil) || final != last {
			t.Errorf("the report is %v and the error %v; the last event's is %v", final, err, last)
		}
	})
}
