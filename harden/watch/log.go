package watch

import (
	"fmt"
	"io"
	"time"
)

// LogFile is what the jails read. It lies in a directory that nobody but root
// writes to.
const LogFile = "/var/log/fs-harden/watch.log"

// lineFormat begins as a line of FreeSWITCH's log does (switch_log.c), in the
// machine's own time, so that one filter reads both.
const lineFormat = "2006-01-02 15:04:05.000000 [WARNING] fs-harden "

// words are those of the filter's modes (harden/fail2ban/templates/filter.conf).
var words = map[Verdict]string{Challenged: "challenged", Refused: "refused", Scanner: "scanner"}

// writeLine tells the jails of a finding that they count. No word of the line is
// one that an attacker has chosen.
func writeLine(w io.Writer, at time.Time, f Finding) error {
	word := words[f.Verdict]
	if word == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s%s %s from %s\n", at.Format(lineFormat), word, f.Why, f.Source)
	return err
}
