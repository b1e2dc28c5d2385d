package report_test

import (
	"errors"
	"io"
	"reflect"
	"runtime"
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

// An older helper writes every finding into its line; and what a guest's login
// shell prints must not fill this machine's memory.
func TestScanTakesLinesOfAnyLength(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, size := range []int{64<<10 - 1, 64 << 10, 64<<10 + 1, 20 * mib} {
		long := strings.TrimSuffix(closing, "}") + `,"warnings":["` + strings.Repeat("w", size) + `"]}`
		final, _, err := scan(strings.NewReader(begin + "\n" + long + "\n"))
		if err != nil || len(final.Warnings) != 1 || len(final.Warnings[0]) != size {
			t.Errorf("a report of %d bytes was not read: %v", len(long), err)
		}
	}
	for _, size := range []int{64 << 10, 64<<10 + 1, 2 * mib, 64*mib + 1} {
		final, got, err := scan(io.MultiReader(endless(size), strings.NewReader("\n"+closing+"\n")))
		if err != nil || final == nil || len(got) != 2 {
			t.Fatalf("a line of %d bytes, then the report: %v, %v after %d lines", size, final, err, len(got))
		}
		told := got[0].text
		if whole := size <= 64<<10; len(told) > 64<<10+3 || strings.HasSuffix(told, "...") == whole || !strings.HasPrefix(told, strings.Repeat("x", 64<<10)) {
			t.Errorf("%d bytes are told of a line of %d", len(told), size)
		}
	}
	// One that is too long to be kept is no report, whatever is in it.
	huge := strings.TrimSuffix(closing, "}") + `,"warnings":["` + strings.Repeat("w", 64*mib) + `"]}`
	if final, _, err := scan(strings.NewReader(huge)); err == nil || final != nil {
		t.Errorf("a report of %d bytes was kept", len(huge))
	}
}

func TestScanKeepsNothingOfAnEndlessLine(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if _, _, err := scan(endless(600 << 20)); err == nil {
		t.Error("a report came of nothing")
	}
	runtime.ReadMemStats(&after)
	if grown := after.Sys - min(before.Sys, after.Sys); grown > 300<<20 {
		t.Errorf("it took %d MB", grown>>20)
	}
}

// endless is a line of n bytes without its end.
func endless(n int) io.Reader { return io.LimitReader(letters{}, int64(n)) }

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
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
