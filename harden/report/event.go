package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Event is one line of `fs-harden --json`: a step that begins, a step that
// ended, or, as the last line of a run that reached its end, the report.
// Exactly one field is set. The report stands bare on its line, so that the
// last line of the output is the report itself.
type Event struct {
	Begin string  // name of the step that begins
	Step  *Step   // the step that ended
	Final *Report // the closing line
}

type line struct {
	Event string `json:"event"`
	Name  string `json:"name,omitempty"`
	Step  *Step  `json:"step,omitempty"`
}

// MarshalJSON gives the line's form without the newline.
func (e Event) MarshalJSON() ([]byte, error) {
	switch {
	case e.Final != nil:
		return json.Marshal(e.Final)
	case e.Step != nil:
		return json.Marshal(line{Event: "step", Step: e.Step})
	default:
		return json.Marshal(line{Event: "begin", Name: e.Begin})
	}
}

// UnmarshalJSON reads a line back. A line that is none of the three forms is
// an error, so that chatter of a login shell is never taken for a report.
func (e *Event) UnmarshalJSON(data []byte) error {
	var l struct {
		line
		Version int    `json:"version"`
		Phase   Phase  `json:"phase"`
		Result  Result `json:"result"`
	}
	if err := json.Unmarshal(data, &l); err != nil {
		return err
	}
	switch {
	case l.Event == "begin" && l.Name != "":
		*e = Event{Begin: l.Name}
	case l.Event == "step" && l.Step != nil:
		*e = Event{Step: l.Step}
	case l.Event == "" && l.Version == Version && l.Phase != "" && (l.Result == OK || l.Result == Failed):
		var r Report
		if err := json.Unmarshal(data, &r); err != nil {
			return err
		}
		*e = Event{Final: &r}
	default:
		return errors.New("not a line of fs-harden's JSON output")
	}
	return nil
}

const (
	// maxLine bounds one line of JSON output, in bytes. What fs-harden writes has
	// some 100 KB; the bound keeps a guest from filling the memory of who reads.
	maxLine = 64 << 20
	// maxNoise is how much is told of a line that is not fs-harden's, in bytes.
	maxNoise = 64 << 10
)

// Scan reads the lines of a run and calls each for every one as it arrives:
// with the event, or, for a line that is not fs-harden's, with the text, the
// beginning of it where it is long. It returns the report if the closing line
// came, else an error.
func Scan(r io.Reader, each func(Event, string)) (*Report, error) {
	var final *Report
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, whole, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading fs-harden's output: %w", err)
		}
		if len(line) == 0 && err != nil {
			break
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		var e Event
		if !whole || json.Unmarshal(line, &e) != nil {
			each(Event{}, noise(line))
			continue
		}
		final = e.Final // nothing of fs-harden's follows its closing line
		each(e, "")
	}
	if final == nil {
		return nil, errors.New("fs-harden's closing line never came: it was killed, or the connection broke; what it had changed is undone by the next run")
	}
	return final, nil
}

// readLine reads one with its newline. One that is longer than maxLine is read to
// its end and not kept: its beginning is returned, and whole is false.
func readLine(in *bufio.Reader) (line []byte, whole bool, err error) {
	whole = true
	for {
		part, err := in.ReadSlice('\n')
		if whole = whole && len(line)+len(part) <= maxLine; whole {
			line = append(line, part...)
		} else {
			line = line[:min(len(line), maxNoise+1)] // one more, which tells that it is cut
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, whole, err
		}
	}
}

func noise(line []byte) string {
	if len(line) <= maxNoise {
		return string(line)
	}
	return string(line[:maxNoise]) + "..."
}
