package report_test

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

const (
	begin   = `{"event":"begin","name":"gate"}`
	step    = `{"event":"step","step":{"name":"gate","status":"changed"}}`
	closing = `{"version":1,"phase":"bake","result":"ok","instance_id":"","duration_ms":7,"steps":[{"name":"gate","status":"changed"}]}`
)

// heard is what Scan told of one line, in a word and a text.
type heard struct{ kind, text string }

func scan(r io.Reader) (*report.Report, []heard, error) {
	var all []heard
	final, err := report.Scan(r, func(e report.Event, text string) {
		switch {
		case e.Begin != "":
			all = append(all, heard{"begin", e.Begin})
		case e.Step != nil:
			all = append(all, heard{"step", e.Step.Name})
		case e.Final != nil:
			all = append(all, heard{"final", string(e.Final.Result)})
		default:
			all = append(all, heard{"noise", text})
		}
	})
	return final, all, err
}

func TestScan(t *testing.T) {
	run := []heard{{"begin", "gate"}, {"step", "gate"}, {"final", "ok"}}
	tests := map[string]struct {
		in     string
		want   []heard
		closed bool
	}{
		"plain":              {begin + "\n" + step + "\n" + closing + "\n", run, true},
		"through a pty":      {begin + "\r\n" + step + "\r\n" + closing + "\r\n", run, true},
		"no newline at last": {begin + "\n" + step + "\n" + closing, run, true},
		"login shell": {
			"Welcome to Debian\r\n" + begin + "\nstty: 'standard input': Inappropriate ioctl for device\n" + step + "\n" + closing + "\nlogout\n",
			[]heard{
				{"noise", "Welcome to Debian"}, {"begin", "gate"},
				{"noise", "stty: 'standard input': Inappropriate ioctl for device"},
				{"step", "gate"}, {"final", "ok"}, {"noise", "logout"},
			}, true,
		},
		"nothing":      {"", nil, false},
		"only noise":   {"bash: fs-harden: cannot execute\n", []heard{{"noise", "bash: fs-harden: cannot execute"}}, false},
		"killed":       {begin + "\n" + step + "\n", run[:2], false},
		"half a line":  {begin + "\n" + closing[:len(closing)-3], []heard{{"begin", "gate"}, {"noise", closing[:len(closing)-3]}}, false},
		"lines joined": {begin + step + "\n", []heard{{"noise", begin + step}}, false},
		"a look-alike, then killed": {
			`{"version":1,"result":"ok"}` + "\n" + begin + "\n",
			[]heard{{"noise", `{"version":1,"result":"ok"}`}, {"begin", "gate"}}, false,
		},
		"a report, but of an earlier run": { // left in a profile script, say
			closing + "\n" + begin + "\n" + step + "\n",
			[]heard{{"final", "ok"}, {"begin", "gate"}, {"step", "gate"}}, false,
		},
		"bytes that are no text": {"\xff\xfe\x00\n" + closing + "\n", []heard{{"noise", "\xff\xfe\x00"}, {"final", "ok"}}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// One byte at a time: a line that arrives in pieces is one line.
			final, got, err := scan(iotest.OneByteReader(strings.NewReader(tt.in)))
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			switch {
			case tt.closed && (err != nil || final == nil || final.DurationMS != 7):
				t.Errorf("the closing line came, but: %+v, %v", final, err)
			case !tt.closed && (err == nil || final != nil || !strings.Contains(err.Error(), "closing line never came")):
				t.Errorf("no closing line came, but: %+v, %v", final, err)
			}
		})
	}
}

func TestScanTakesALongReportAndRefusesAnEndlessLine(t *testing.T) {
	warning := strings.Repeat("w", 3<<20)
	long := strings.TrimSuffix(closing, "}") + `,"warnings":["` + warning + `"]}`
	final, _, err := scan(strings.NewReader(long + "\n"))
	if err != nil || len(final.Warnings) != 1 || final.Warnings[0] != warning {
		t.Errorf("a report of %d bytes was not read: %v", len(long), err)
	}
	// A closing line behind an endless one is never reached: no success.
	final, got, err := scan(strings.NewReader(strings.Repeat("x", 5<<20) + "\n" + closing + "\n"))
	if err == nil || final != nil || !strings.Contains(err.Error(), "reading fs-harden's output") {
		t.Errorf("got %v, %v after %d lines, want an error", final, err, len(got))
	}
}

func TestScanTellsABrokenConnection(t *testing.T) {
	broken := errors.New("connection reset")
	final, _, err := scan(io.MultiReader(strings.NewReader(closing+"\n"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || final != nil {
		t.Errorf("got %v, %v, want the reader's error", final, err)
	}
}

// Lines are told as they come, not at the end: Packer's screen lives on it.
func TestScanTellsEachLineAtOnce(t *testing.T) {
	r, w := io.Pipe()
	told := make(chan string)
	done := make(chan error)
	go func() {
		_, err := report.Scan(r, func(_ report.Event, text string) { told <- text })
		done <- err
	}()
	for _, line := range []string{"one", "two"} {
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			t.Fatal(err)
		}
		if got := <-told; got != line {
			t.Fatalf("told %q, want %q", got, line)
		}
	}
	_ = w.Close()
	if err := <-done; err == nil {
		t.Error("no closing line came, and no error")
	}
}
