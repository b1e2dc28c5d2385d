package harden

import (
	"bytes"
	"context"
	"fmt"
	"path"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

const credentialsPath = "/root/freeswitch-credentials.txt"

// credentials leaves the secrets where root, and nobody else, can read them.
func credentials(_ context.Context, m *Machine) (Proposal, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Secrets of this FreeSWITCH, made on it at %s.\n", m.Started.UTC().Format("2006-01-02 15:04:05 UTC"))
	fmt.Fprintf(&b, "# Instance: %s. New ones: fs-harden rotate.\n\n", m.Instance)
	fmt.Fprintf(&b, "sip_default_password = %s\n", m.Secrets.SIP.Reveal())
	fmt.Fprintf(&b, "event_socket_password = %s\n", m.Secrets.ESL.Reveal())
	return Proposal{Changes: []Change{{
		Path: credentialsPath, Node: host.NewFile(b.Bytes(), 0o600), Summary: "the secrets, for root alone",
	}}}, nil
}

func checkCredentials(_ context.Context, m *Machine) []report.Check {
	return []report.Check{secretFile(m, credentialsPath, 0, 0)}
}

// secretFile checks that a file with a secret is its owner's alone. Owners are
// not looked at in a tree that an ordinary user unpacked.
func secretFile(m *Machine, p string, uid, gid int) report.Check {
	c := report.Check{Name: "secret-file " + p, Status: report.Pass, Detail: "readable by its owner alone"}
	want := host.Node{Kind: host.File, Mode: 0o600, UID: uid, GID: gid}
	switch n, err := m.Outline(p); {
	case err != nil:
		c.Status, c.Detail = report.Fail, err.Error()
	case n.Kind == host.Absent:
		c.Status, c.Detail = report.CheckSkipped, "moved away"
	case !host.Same(n, want):
		c.Status, c.Detail = report.Fail, fmt.Sprintf("others can reach it: chown %d:%d, chmod 0600 %s", uid, gid, p)
	}
	return c
}

// commit writes the record that lets FreeSWITCH start.
func commit(_ context.Context, m *Machine) (Proposal, error) {
	rec := state.Committed{
		At: m.Started.UTC(), First: m.Started.UTC(), Instance: m.Instance, Warning: m.Doubt, Digests: state.NewDigests(m.Secrets),
	}
	if m.Phase == report.Rotate {
		before, err := state.ReadCommitted(m.Host)
		if err != nil {
			return Proposal{}, err
		}
		if before != nil {
			if rec.First = before.First; rec.First.IsZero() {
				rec.First = before.At
			}
		}
	}
	changes := []Change{{Path: state.CommittedPath, Node: rec.Node(), Summary: "these secrets count from now on"}}
	changes = append(changes, noBuilder(m)...)
	if m.here { // who calls firstboot by hand on the machine that was baked makes it an instance
		changes = append(changes, noBakingMark())
	}
	return Proposal{Changes: changes}, nil
}

// recordBake remembers what a bake did, for the next one.
func recordBake(_ context.Context, m *Machine) (Proposal, error) {
	c, err := m.Config()
	if err != nil {
		return Proposal{}, err
	}
	rec := state.Baked{At: m.Started.UTC(), ConfDir: path.Clean(m.ConfDir), Backup: m.backup}
	earlier, err := state.ReadBaked(m.Host)
	if err != nil {
		return Proposal{}, err
	}
	if earlier == nil {
		earlier = &state.Baked{Backup: rec.Backup}
	}
	serves, err := m.inService()
	switch {
	case err != nil:
		return Proposal{}, err
	case serves:
		// What stands in the configuration is the instance's, and so it is in the
		// backup of this run: the record stays the image's.
		rec.Digests, rec.Backup, rec.Builder = earlier.Digests, earlier.Backup, earlier.Builder
	default:
		rec.Digests = state.Digests{SIP: digestOf(currentSIP(c)), ESL: digestOf(currentESL(c))}
		if rec.Backup == "" {
			rec.Backup = earlier.Backup // this run made none
		}
		rec.Builder = builder(m)
	}
	return Proposal{Changes: []Change{{Path: state.BakedPath, Node: rec.Node(), Summary: "what this bake did"}}}, nil
}
