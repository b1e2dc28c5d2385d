package provisioner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// The helper's exit statuses that need words of their own: a plan or command
// line that it refuses, and a check that failed.
const (
	statusUsage = 2
	statusCheck = 3
)

// apply runs command, which runs the helper, and shows its steps as they
// happen. The report is returned with the error of a failed run as well, if
// its closing line came. Success needs both that line and status 0: an SSH
// connection that breaks may leave status 0, and a wrapper around the helper
// may lose its status.
func (g *guest) apply(ctx context.Context, command string, s *screen) (*report.Report, error) {
	var rep *report.Report
	var words tail
	var status int
	err := persist(ctx, g.wait, func() error {
		var err error
		rep, status, err = g.stream(ctx, command, s, &words)
		return err
	})
	if err != nil {
		return rep, fmt.Errorf("running fs-harden on the guest: %w", err)
	}
	return rep, verdict(rep, status, words.String())
}

// stream runs command once and feeds its output to the screen line by line.
func (g *guest) stream(ctx context.Context, command string, s *screen, words *tail) (*report.Report, int, error) {
	outR, outW := io.Pipe()
	badR, badW := io.Pipe()
	var rep *report.Report
	var readers sync.WaitGroup
	readers.Go(func() {
		var err error
		rep, err = report.Scan(outR, func(e report.Event, text string) {
			if text != "" {
				words.add(text)
			}
			s.event(e, text)
		})
		// Nobody reads on: let the writer know, or the command waits forever.
		outR.CloseWithError(err)
	})
	readers.Go(func() {
		badR.CloseWithError(eachLine(badR, func(text string) {
			words.add(text)
			s.chatter(text)
		}))
	})
	status, err := g.start(ctx, command, outW, badW)
	// With the command ended this is the end of its output. With ctx ended it
	// cuts off a command that may go on for a while.
	outW.CloseWithError(err)
	badW.CloseWithError(err)
	readers.Wait()
	s.stop()
	return rep, status, err
}

// verdict is nil for a run that says of itself that it went well, and did.
func verdict(rep *report.Report, status int, words string) error {
	switch {
	case rep == nil && lostConnection(status):
		return errors.New("the connection to the guest broke before fs-harden's closing line came; what it did is unknown, so this machine must not become an image")
	case rep == nil && status == statusUsage:
		return fmt.Errorf("fs-harden refused the plan and touched nothing%s", words)
	case rep == nil:
		return fmt.Errorf("fs-harden ended with status %d and without its closing line%s%s", status, words, hint(words, status))
	case status == statusCheck:
		return errors.New("fs-harden's checks of the machine: " + failedChecks(rep))
	case rep.Result != report.OK:
		return fmt.Errorf("fs-harden failed, and undid what it had changed%s", failedSteps(rep, words))
	case lostConnection(status):
		return errors.New("the connection to the guest broke just after fs-harden's closing line: it says that all went well, but whether it ended well is unknown")
	case status != 0:
		return fmt.Errorf("fs-harden reported success but ended with status %d, which contradict each other; what runs it (execute_command) must pass its status on", status)
	}
	return nil
}

// failedSteps names what failed, for the error that Packer repeats at the end.
// A run can fail outside its steps; then fs-harden's last words say why.
func failedSteps(rep *report.Report, words string) string {
	var all []string
	for _, step := range rep.Steps {
		if step.Status == report.StepFailed {
			all = append(all, because(step.Name, step.Reason))
		}
	}
	if len(all) == 0 {
		return words
	}
	return ": " + strings.Join(all, "; ")
}

func failedChecks(rep *report.Report) string {
	var all []string
	for _, step := range rep.Steps {
		for _, c := range step.Checks {
			if c.Status == report.Fail {
				all = append(all, because(c.Name, c.Detail))
			}
		}
	}
	if len(all) == 0 {
		return "a check failed"
	}
	return fmt.Sprintf("%s failed: %s", count(len(all), "check"), strings.Join(all, "; "))
}

// because is "what: why", or what alone.
func because(what, why string) string {
	what, why = clean(what), clean(why)
	if why == "" {
		return what
	}
	return what + ": " + why
}

// hint adds what to do about the ways in which sudo and shells refuse.
func hint(words string, status int) string {
	switch {
	case strings.Contains(words, "password is required"):
		return ". sudo wants a password: allow the build's user to use sudo without one, or give it with execute_command"
	case strings.Contains(words, "must have a tty"):
		return ". sudo wants a terminal: set ssh_pty = true in the builder, or drop requiretty from sudoers"
	case strings.Contains(words, "sudo: not found"), strings.Contains(words, "sudo: command not found"):
		return ". There is no sudo on the guest: install it, connect as root, or set execute_command"
	case status == 126:
		return ". The guest refuses to run it: is the folder mounted noexec? Set remote_folder"
	}
	return ""
}
