package harden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/journal"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/secret"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

var forgetting = []report.Phase{report.Forget}

// forgetSteps make an image of an instance again, in order. Apply with --image
// does the same to an instance, and hardens it as well.
func forgetSteps() []Step {
	return []Step{
		{Name: "preflight", In: forgetting, Propose: preflight},
		{Name: "halt", In: forgetting, Replan: true, Propose: halt},
		// What stands in the configuration is the instance's: random again.
		{Name: "sip-password", In: forgetting, Propose: sipPassword, Check: checkSIPPassword},
		{Name: "event-socket", In: forgetting, Propose: eventSocket, Check: checkEventSocket},
		// The files with secrets, and what FreeSWITCH made as it ran. What else is
		// not fit to be an image is for fs-harden inspect to say, and no reason to
		// leave the secrets in it.
		{Name: "image", In: forgetting, Propose: image},
		{Name: "forget", In: forgetting, Propose: forgetInstance, Check: checkForgotten},
	}
}

// Forget makes an image of an instance again: its secrets leave every file, and
// the next boot makes new ones, also where the instance's identity is the same.
// A FreeSWITCH that runs is stopped. On an image there is nothing to do.
func (r *Runner) Forget(ctx context.Context) (*report.Report, error) {
	if !r.Host.Rooted() && os.Geteuid() != 0 {
		return r.start(report.Forget, nil).finish(errors.New("this needs root: run it with sudo"))
	}
	p, err := r.plan()
	s := r.start(report.Forget, p)
	if err != nil {
		return s.finish(err)
	}
	s.m.Secrets, s.m.Image, s.m.forgets = secret.NewPair(), true, true
	return s.finish(s.locked(ctx, func() error {
		// Outside the journal, which would keep what it holds. Without it a run
		// that was killed in its first boot draws other secrets.
		if err := state.DropPending(s.Host); err != nil {
			return err
		}
		if err := s.run(ctx, forgetSteps()); err != nil {
			return err
		}
		return s.dropRecords()
	}))
}

// forgetInstance holds FreeSWITCH back, on a machine that runs, until it boots
// again: as in a bake, nothing that restarts it makes secrets of the image.
func forgetInstance(_ context.Context, m *Machine) (Proposal, error) {
	changes, err := recordForgotten(m)
	if err != nil {
		return Proposal{}, err
	}
	if m.Live {
		changes = append(changes, bakingMark())
	}
	return Proposal{Changes: changes}, nil
}

// recordForgotten brings the bake's record up to the new random passwords, so
// that another apply or forget knows them for its own.
func recordForgotten(m *Machine) ([]Change, error) {
	rec, err := state.ReadBaked(m)
	if err != nil || rec == nil {
		return nil, err
	}
	c, err := m.Config()
	if err != nil {
		return nil, err
	}
	sip, esl := currentSIP(c), currentESL(c)
	if (sip.Empty() || rec.Digests.SIP.Matches(sip)) && rec.Digests.ESL.Matches(esl) {
		return nil, nil
	}
	rec.Digests = state.Digests{SIP: digestOf(sip), ESL: digestOf(esl)}
	return []Change{{Path: state.BakedPath, Node: rec.Node(), Summary: "whose passwords these are: nobody's"}}, nil
}

// imageRecords are what an image may remember of its bake.
var imageRecords = []string{path.Base(state.BakedPath), path.Base(journal.OriginalsPath), path.Base(reportPath(report.Bake))}

// dropRecords removes what is remembered of the instance: its name, and when it
// did what. A journal is not among it, for the run has ended.
func (s *session) dropRecords() error {
	names, err := s.Host.ReadDir(state.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for an instance's records in %s: %w", state.Dir, err)
	}
	var gone []host.Placed
	for _, name := range names {
		if !slices.Contains(imageRecords, name) {
			gone = append(gone, host.Placed{Path: path.Join(state.Dir, name), Node: host.Node{Kind: host.Absent}})
		}
	}
	return s.Host.PutAll(gone...)
}

// checkForgotten proves that FreeSWITCH does not start with what is here now.
func checkForgotten(_ context.Context, m *Machine) []report.Check {
	c := report.Check{Name: "forgotten", Status: report.Pass, Detail: "FreeSWITCH starts once a boot has made new secrets"}
	if m.Exists(state.CommittedPath) {
		c.Status, c.Detail = report.Fail, state.CommittedPath+" is still there: FreeSWITCH would start with an instance's secrets"
	}
	return []report.Check{c}
}
