package harden

import (
	"context"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/plan"
)

// A package brings a file that a later step changes: the step sees it, keeps its
// mode, and an undo leaves it to the package.
func TestLaterStepsSeeWhatAPackageBrought(t *testing.T) {
	t.Parallel()
	tr := newTree(t)
	const conf = "/etc/tool/tool.conf"
	install := func(context.Context, *Machine) (Proposal, error) {
		return Proposal{Actions: []Action{{Name: "install", Do: func(context.Context) error {
			tr.write(conf, "the package's\n")
			return nil
		}}}}, nil
	}
	configure := func(_ context.Context, m *Machine) (Proposal, error) {
		m.Warn("configured")
		n, err := m.Lookup(conf)
		if err != nil {
			return Proposal{}, err
		}
		if n.Kind == host.Absent {
			n = host.NewFile(nil, 0o600)
		}
		return Proposal{Changes: []Change{{Path: conf, Node: n.WithData(append(n.Data, "ours\n"...))}}}, nil
	}
	r := tr.runner()
	r.Steps = []Step{
		{Name: "packages", In: bake, Replan: true, Propose: install},
		{Name: "configure", In: bake, Propose: configure},
	}
	rep, err := r.Apply(context.Background(), plan.Default(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := tr.read(conf); got != "the package's\nours\n" {
		t.Errorf("%s holds %q", conf, got)
	}
	if len(rep.Warnings) != 1 {
		t.Errorf("warnings %q", rep.Warnings)
	}
	if _, err := r.Rollback(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := tr.read(conf); !strings.HasPrefix(got, "the package's") || strings.Contains(got, "ours") {
		t.Errorf("after the rollback %s holds %q", conf, got)
	}
}
