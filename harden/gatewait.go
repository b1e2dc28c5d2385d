package harden

import (
	"context"
	"errors"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// gateWait bounds how long the gate waits for a run that is under way. The
// start of FreeSWITCH's package gives up after 45 s (TimeoutSec=).
const gateWait = 40 * time.Second

// settledBehindOthers is settled, after a run that is under way: a FreeSWITCH
// that dies in a rotation is started again by systemd at once, which gives up
// after a few refusals, while the rotation ends within a second or goes back.
// A run that was killed holds no lock, and is not waited for.
func (s *session) settledBehindOthers(ctx context.Context) error {
	err := s.settled()
	var unsettled *unsettledError
	if !errors.As(err, &unsettled) || !s.Host.Exists(journal.Dir) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, gateWait)
	defer cancel()
	unlock, lockErr := s.Host.Lock(ctx, state.Dir)
	if lockErr != nil {
		return errors.Join(err, lockErr)
	}
	unlock()
	// What was read of the configuration may be of the middle of that run.
	again := s.start(s.m.Phase, s.m.Plan)
	return again.settled()
}
