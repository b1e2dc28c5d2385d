package harden

import (
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// builder names the machine that an image is being made on, for the record: a build
// may boot it again, after an update of the kernel for one, and secrets that were
// made then would be every instance's.
func builder(m *Machine) identity.Instance {
	if !m.here || !m.Image {
		return identity.Instance{}
	}
	id := identity.Read(m.Host)
	if !identity.Proven(id, id) {
		m.Warn("nothing tells this machine from an instance of its image: if the build boots it again, it makes secrets as an instance does, and they would be in the image; end the build with fs-harden inspect, which fails then")
	}
	return id
}

// onBuilder tells whether this is the machine that the image was made on, booted
// again before anybody has made an instance of it.
func (s *session) onBuilder() (bool, error) {
	committed, err := state.ReadCommitted(s.Host)
	if err != nil || committed != nil || s.Host.Exists(state.PendingPath) {
		return false, err
	}
	baked, err := state.ReadBaked(s.Host)
	if err != nil || baked == nil {
		return false, err
	}
	return identity.Proven(baked.Builder, identity.Read(s.Host)), nil
}

// stayBuilder holds FreeSWITCH back as in the build, until a person says that this
// machine is to be used.
func (s *session) stayBuilder() error {
	mark := bakingMark()
	parents, err := s.Host.Parents(mark.Path)
	if err != nil {
		return err
	}
	for _, dir := range parents {
		if err := s.Host.Put(dir, host.Node{Kind: host.Folder, Mode: 0o755}); err != nil {
			return err
		}
	}
	if err := s.Host.Put(mark.Path, mark.Node); err != nil {
		return err
	}
	st := report.Step{Name: "builder", Status: report.Skipped, Reason: heldBack}
	s.report.Steps = append(s.report.Steps, st)
	s.Out.End(st)
	return nil
}

// noBuilder is the record of the bake without its builder, once that has become an
// instance: an image of it that it boots itself is to have secrets again. A damaged
// record says nothing of the instance's secrets, and keeps nobody from making them.
func noBuilder(m *Machine) []Change {
	baked, err := state.ReadBaked(m.Host)
	if err != nil {
		m.Warn("%v", err)
		return nil
	}
	if baked == nil || !identity.Proven(baked.Builder, identity.Read(m.Host)) {
		return nil
	}
	baked.Builder = identity.Instance{}
	return []Change{{Path: state.BakedPath, Node: baked.Node(), Summary: "the machine that was baked is an instance"}}
}

// heldBack is why FreeSWITCH does not start in a build.
const heldBack = "this machine's image is being made: FreeSWITCH starts on an instance of it (or, to use this very machine: fs-harden firstboot)"
