package harden

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strconv"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

const (
	filterPath = "/etc/fail2ban/filter.d/fs-harden.conf"
	// filterBytes of the log's end are looked at: some 25,000 lines, which take
	// fail2ban-regex a second or two.
	filterBytes = 4 << 20
)

// aFailure is a line that blames somebody (sofia_reg.c:1787, 1842, 3210). One
// that a request forged by folding its headers does not begin with a date.
var aFailure = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d [^\n]*\[WARNING\] sofia_reg\.c:\d+ (?:SIP auth (?:failure|challenge) |Can't find user \[)`)

// regexSummary is what fail2ban-regex ends with.
var regexSummary = regexp.MustCompile(`(?m)^Lines: (\d+) lines, (\d+) ignored, (\d+) matched, (\d+) missed`)

// checkFilter runs fail2ban's own filter over the log of this machine. A filter
// that finds nothing where there is something looks like a quiet machine.
func checkFilter(ctx context.Context, m *Machine) report.Check {
	c := report.Check{Name: "filter-on-log"}
	log := authLog(m)
	switch {
	case m.Plan.SkipFail2ban:
		c.Status, c.Detail = report.CheckSkipped, "fail2ban is not wanted"
	case !m.Live:
		c.Status, c.Detail = report.CheckDeferred, m.WhyNot
	case !m.Exists(log):
		c.Status, c.Detail = report.CheckSkipped, "there is no "+log+" yet"
	default:
		var err error
		c.Status = report.Pass
		if c.Detail, err = runFilter(ctx, m, log); err != nil {
			c.Status, c.Detail = report.Fail, err.Error()
		}
	}
	return c
}

func runFilter(ctx context.Context, m *Machine, log string) (string, error) {
	text, err := m.Run(ctx, "tail", "-c", strconv.Itoa(filterBytes), log)
	if err != nil {
		return "", err
	}
	if len(text) == 0 {
		return log + " is empty", nil
	}
	unlock, err := lockProof(ctx, m)
	if err != nil {
		return "", err
	}
	defer unlock()
	sample := proofLock + "/log"
	if err := m.Put(sample, host.NewFile(text, 0o600)); err != nil {
		return "", err
	}
	defer func() { _ = m.Put(sample, host.Node{Kind: host.Absent}) }() // the next run replaces it
	out, err := m.Run(ctx, "fail2ban-regex", sample, filterPath)
	if err != nil {
		return "", fmt.Errorf("running the filter over %s: %w", log, err)
	}
	return judgeFilter(log, text, out)
}

func judgeFilter(log string, text, out []byte) (string, error) {
	s := regexSummary.FindSubmatch(out)
	if s == nil {
		return "", fmt.Errorf("fail2ban-regex does not say how many lines of %s match", log)
	}
	failures := len(aFailure.FindAll(text, -1))
	if bytes.Equal(s[3], []byte("0")) && failures > 0 {
		return "", fmt.Errorf("%s holds %d failures and the filter %s finds none of them: run fs-harden apply", log, failures, filterPath)
	}
	return fmt.Sprintf("%s of the last %s lines of %s match; %d of those tell of a refused user", s[3], s[1], log, failures), nil
}
