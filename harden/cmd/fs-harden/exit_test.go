package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden"
)

func TestExitStatus(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, exitOK},
		{errors.New("disk full"), exitFailed},
		{&usageError{errors.New("no such file")}, exitUsage},
		{fmt.Errorf("verify: %w", harden.ErrCheck), exitCheck},
	} {
		if got := status(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}
