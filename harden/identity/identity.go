// Package identity tells one instance of an image from another.
package identity

import "github.com/goldenswitch/packer-plugin-freeswitch/harden/host"

// Source says where an identity was read.
type Source string

// The sources, the most telling first.
const (
	CloudInit   Source = "cloud-init"    // its instance id
	EC2         Source = "ec2-asset-tag" // /sys/class/dmi/id/board_asset_tag
	ProductUUID Source = "product-uuid"  // /sys/class/dmi/id/product_uuid
	FromMachine Source = "machine-id"    // /etc/machine-id
	Unbound     Source = "unbound"       // none names this machine
)

// Instance is every identity that answered on a machine. What is silent is empty.
// Instances are not compared with ==, see Decide.
type Instance struct {
	Cloud    Cloud
	AssetTag string // EC2's instance id, from the hardware
	UUID     string // of the SMBIOS, in lower case
	Machine  MachineID

	// legacy is the one answer of a record that an fs-harden wrote which knew no
	// more than one; see UnmarshalJSON.
	legacy answer
}

// Cloud is cloud-init's instance id.
type Cloud struct {
	ID string `json:"id"`
	// Datasource is what gave it, as cloud-init names it, without "DataSource":
	// Ec2, NoCloud. Empty where cloud-init did not say.
	Datasource string `json:"datasource,omitempty"`
	// Shared tells that the id came with the image or out of cloud-init's cache, so
	// that other machines may have it.
	Shared bool `json:"shared,omitempty"`
}

// MachineID is systemd's machine-id(5).
type MachineID struct {
	ID string `json:"id"`
	// New tells that it was made in the boot in which it was recorded. If not, it may
	// have come with the image, and then every instance has it.
	New bool `json:"new,omitempty"`
}

// Read asks every source. It changes nothing.
func Read(h *host.Host) Instance {
	i := Instance{Cloud: cloudInit(h), Machine: machineID(h)}
	if !h.Container() { // it shows its host's SMBIOS
		i.AssetTag, i.UUID = assetTag(h), productUUID(h)
	}
	return i
}

// Without is the instance without what an image brought along: an id that stood in
// it when it was made names every machine that is started from it. On the machine
// that made the image nothing is taken away.
func (i Instance) Without(image Instance) Instance {
	if Proven(i, image) {
		return i
	}
	if image.Cloud.ID != "" && sameID(i.Cloud.ID, image.Cloud.ID) {
		i.Cloud.Shared = true
	}
	if i.Machine.ID == image.Machine.ID {
		i.Machine.New = false
	}
	return i
}

// Known tells whether anything names this machine and no other.
func (i Instance) Known() bool { return i.telling().value != "" }

// Source is where the identity was read that String gives.
func (i Instance) Source() Source { return i.telling().source }

// String is the most telling identity, as shown to people.
func (i Instance) String() string {
	if t := i.telling(); t.value != "" {
		return t.value
	}
	return string(Unbound)
}

// answer is one identity.
type answer struct {
	source Source
	value  string
}

func (i Instance) telling() answer {
	switch {
	case i.Cloud.names():
		return answer{CloudInit, i.Cloud.ID}
	case i.AssetTag != "":
		return answer{EC2, i.AssetTag}
	case i.UUID != "":
		return answer{ProductUUID, i.UUID}
	case i.Machine.New:
		return answer{FromMachine, i.Machine.ID}
	case i.legacy.value != "":
		return i.legacy
	default:
		return answer{source: Unbound}
	}
}
