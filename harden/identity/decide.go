package identity

import "fmt"

// Verdict is what becomes of secrets.
type Verdict string

// The verdicts.
const (
	Same           Verdict = "same"              // they stay, and nothing is written
	SameRecordAnew Verdict = "same, record anew" // they stay; the record is out of date
	Another        Verdict = "another"           // they are another machine's: new ones
)

// Decision tells whether the machine that a record speaks of is this one.
type Decision struct {
	Verdict Verdict
	Why     string // half a sentence for people
	// Record is what a record is to hold from now on.
	Record Instance
	// FromUnbound tells that the secrets were made while nothing named the machine, so
	// that others may have them; only with Another.
	FromUnbound bool
}

// Decide compares what was recorded with what answers now. Two errors are possible: a
// copy that keeps the secrets of its origin, and a machine that loses its own. A
// cloud's own id outweighs the UUID, the UUID outweighs an id that people or
// templates gave, and what does not answer outweighs nothing.
func Decide(then, now Instance) Decision {
	then, now = reconciled(then, now)
	if !then.Known() {
		return unboundThen(then, now)
	}
	same, why := compare(then, now)
	if !same {
		return Decision{Verdict: Another, Why: why, Record: now}
	}
	return stays(then, now, why)
}

// Proven tells whether both are one machine beyond doubt: by an instance id that a
// cloud gave, by EC2's asset tag, or by the SMBIOS UUID. An id of a template, a
// machine-id or silence proves nothing.
func Proven(a, b Instance) bool {
	switch {
	case a.AssetTag != "" && b.AssetTag != "":
		return a.AssetTag == b.AssetTag
	case assigned(a.Cloud, b.Cloud) && sameID(a.Cloud.ID, b.Cloud.ID):
		return true
	case a.UUID == "" || !sameUUID(a.UUID, b.UUID):
		return false
	}
	same, _ := compare(a, b)
	return same
}

// compare gives the first answer that decides.
func compare(then, now Instance) (same bool, why string) {
	if then.AssetTag != "" && now.AssetTag != "" {
		return then.AssetTag == now.AssetTag, told("EC2's asset tag", then.AssetTag, now.AssetTag)
	}
	uuids := then.UUID != "" && now.UUID != ""
	sameUUIDs := uuids && sameUUID(then.UUID, now.UUID)
	if c, d := then.names(), now.Cloud.names(); c && d {
		switch same := sameID(then.Cloud.ID, now.Cloud.ID); {
		case same && assigned(then.Cloud, now.Cloud):
			return true, told("the cloud's instance id", then.Cloud.ID, now.Cloud.ID)
		case !same && sameUUIDs && interchangeable(then.Cloud, now.Cloud):
			return true, fmt.Sprintf("cloud-init's instance id was %s and is %s, on the same hardware (SMBIOS UUID %s)", then.Cloud.ID, now.Cloud.ID, now.UUID)
		case !same:
			return false, told("cloud-init's instance id", then.Cloud.ID, now.Cloud.ID)
		}
	}
	switch {
	case uuids:
		return sameUUIDs, told("the SMBIOS UUID", then.UUID, now.UUID)
	case then.Machine.ID != "" && now.Machine.ID != "":
		return then.Machine.ID == now.Machine.ID, told("the machine-id", then.Machine.ID, now.Machine.ID)
	}
	return true, "nothing of what named this instance answers now"
}

func told(what, then, now string) string {
	if sameID(then, now) {
		return what + " is " + now
	}
	return fmt.Sprintf("%s was %s and is %s", what, then, now)
}

// unboundThen decides where nothing named the machine: whatever names it now may name
// a copy.
func unboundThen(then, now Instance) Decision {
	named := now
	// An id that was there already and did not name the machine does not now, and of
	// an earlier fs-harden's record nobody knows.
	if then.legacy.source != "" || now.Machine.ID == then.Machine.ID {
		named.Machine.New = false
	}
	other := then.Machine.ID != "" && now.Machine.ID != "" && then.Machine.ID != now.Machine.ID
	switch {
	case named.Known():
		return Decision{
			Verdict: Another, Record: now, FromUnbound: true,
			Why: fmt.Sprintf("nothing named the machine when its secrets were made, and now it is %s (%s)", named, named.Source()),
		}
	case other:
		return Decision{
			Verdict: Another, Record: now, FromUnbound: true,
			Why: told("the machine-id", then.Machine.ID, now.Machine.ID),
		}
	}
	return stays(then, now, "nothing names this machine")
}

// stays keeps the secrets, and finds whether the record lacks what is known now.
func stays(then, now Instance, why string) Decision {
	d := Decision{Verdict: Same, Why: why, Record: merged(then, now)}
	if !recorded(then, d.Record) {
		d.Verdict = SameRecordAnew
	}
	return d
}

// merged is what one machine has said: what is silent now keeps what it said then.
func merged(then, now Instance) Instance {
	m := then
	m.Cloud = mergedCloud(then.Cloud, now.Cloud)
	if now.AssetTag != "" {
		m.AssetTag = now.AssetTag
	}
	if now.UUID != "" {
		m.UUID = now.UUID
	}
	if now.Machine.ID != "" {
		m.Machine = now.Machine
		// Made in a boot it stays made in that boot, and one that came with the
		// image does not become new because somebody touched its file.
		if then.Machine.ID == now.Machine.ID {
			m.Machine.New = then.Machine.New
		}
	}
	if now != (Instance{}) {
		m.legacy = answer{}
	}
	return m
}

// mergedCloud keeps the more telling of two ids, and changes nothing that does not
// tell more: what cloud-init says may alternate from boot to boot.
func mergedCloud(then, now Cloud) Cloud {
	same := sameID(then.ID, now.ID)
	switch {
	case then.ID == "":
		return now
	case !now.names():
		return then
	case then.names() && then.isCloud() && !now.isCloud():
		return then
	case same && then.Datasource != "" && then.isCloud() == now.isCloud():
		return then
	case same && now.Datasource == "":
		return then
	}
	return now
}

// recorded tells whether a record that holds then need not be written to hold m.
func recorded(then, m Instance) bool {
	return then.legacy == m.legacy && then.AssetTag == m.AssetTag && then.Machine == m.Machine &&
		(then.UUID == m.UUID || sameUUID(then.UUID, m.UUID)) &&
		(!m.Cloud.names() || then.Cloud.Datasource == m.Cloud.Datasource && sameID(then.Cloud.ID, m.Cloud.ID))
}

// reconciled makes an id shared on both sides where it is on one.
func reconciled(a, b Instance) (Instance, Instance) {
	if a.Cloud.ID != "" && sameID(a.Cloud.ID, b.Cloud.ID) {
		shared := a.Cloud.Shared || b.Cloud.Shared
		a.Cloud.Shared, b.Cloud.Shared = shared, shared
	}
	return a, b
}
