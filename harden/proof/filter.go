package proof

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/fail2ban"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

const (
	// filterBytes of the log's end are looked at: some 25,000 lines, which take
	// fail2ban-regex a second or two.
	filterBytes = 4 << 20
)

// blames tells a line that blames somebody (sofia_reg.c:1787, 1842, 3210). One
// that a request forged by folding its headers does not begin with a date.
func blames(line string) bool {
	const date = "2006-01-02"
	if len(line) < len(date) {
		return false
	}
	if _, err := time.Parse(date, line[:len(date)]); err != nil {
		return false
	}
	_, rest, ok := strings.Cut(line, " [WARNING] sofia_reg.c:")
	_, said, ok2 := strings.Cut(rest, " ")
	return ok && ok2 && (strings.HasPrefix(said, "SIP auth failure ") || strings.HasPrefix(said, "SIP auth challenge ") ||
		strings.HasPrefix(said, "Can't find user ["))
}

// regexSummary reads what fail2ban-regex ends with.
func regexSummary(out string) (lines, matched int, ok bool) {
	for line := range strings.Lines(out) {
		var ignored, missed int
		if n, _ := fmt.Sscanf(line, "Lines: %d lines, %d ignored, %d matched, %d missed", &lines, &ignored, &matched, &missed); n == 4 {
			return lines, matched, true
		}
	}
	return 0, 0, false
}

// Filter runs fail2ban's own filter over the end of a log of this machine, and
// tells what it found. A filter that finds nothing where there is something looks
// like a quiet machine, and is an error.
func Filter(ctx context.Context, h *host.Host, log string) (string, error) {
	text, err := h.Tail(log, filterBytes)
	if err != nil {
		return "", err
	}
	if len(text) == 0 {
		return log + " is empty", nil
	}
	unlock, err := lock(ctx, h)
	if err != nil {
		return "", err
	}
	defer unlock()
	sample := lockDir + "/log"
	if err := h.Put(sample, host.NewFile(text, 0o600)); err != nil {
		return "", err
	}
	defer func() { _ = h.Put(sample, host.Node{Kind: host.Absent}) }() // the next run replaces it
	out, err := h.Run(ctx, "fail2ban-regex", sample, fail2ban.FilterFile)
	if err != nil {
		return "", fmt.Errorf("running the filter over %s: %w", log, err)
	}
	return judge(log, text, out)
}

func judge(log string, text, out []byte) (string, error) {
	lines, matched, ok := regexSummary(string(out))
	if !ok {
		return "", fmt.Errorf("fail2ban-regex does not say how many lines of %s match", log)
	}
	failures := 0
	for line := range strings.Lines(string(text)) {
		if blames(line) {
			failures++
		}
	}
	if matched == 0 && failures > 0 {
		return "", fmt.Errorf("%s holds %d failures and the filter %s finds none of them: run fs-harden apply", log, failures, fail2ban.FilterFile)
	}
	return fmt.Sprintf("%d of the last %d lines of %s match; %d of those tell of a refused user", matched, lines, log, failures), nil
}
