// Package identity tells one instance of an image from another.
package identity

import (
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// Source says where an identity was read. A record is only ever compared with
// what the same source says now: two sources name one machine differently.
type Source string

// The sources, the most telling first.
const (
	CloudInit     Source = "cloud-init"      // /run/cloud-init/.instance-id
	CloudInitData Source = "cloud-init-data" // /var/lib/cloud/data/instance-id
	EC2           Source = "ec2-asset-tag"   // /sys/class/dmi/id/board_asset_tag
	ProductUUID   Source = "product-uuid"    // /sys/class/dmi/id/product_uuid
	MachineID     Source = "machine-id"      // /etc/machine-id
	Unbound       Source = "unbound"         // none answered
)

// ID is an instance's identity. The zero value is unknown.
type ID struct {
	Source Source `json:"source"`
	Value  string `json:"value"`
}

// Known tells whether any source answered.
func (id ID) Known() bool { return id.Value != "" }

// String is the identity as shown to people.
func (id ID) String() string {
	if !id.Known() {
		return string(Unbound)
	}
	return id.Value
}

type reader struct {
	source Source
	read   func(*host.Host) string
	// trusted tells whether the value may name a machine that has no record yet.
	trusted func(*host.Host) bool
}

func always(*host.Host) bool { return true }

var readers = []reader{
	{CloudInit, cloudInit, always},
	{CloudInitData, cloudInitData, always},
	{EC2, ec2, always},
	{ProductUUID, productUUID, always},
	{MachineID, machineID, machineIDIsNew},
}

// Resolve asks each source in turn and gives the first answer; an ID with
// Source Unbound and no value if there is none.
func Resolve(h *host.Host) ID {
	for _, r := range readers {
		if v := r.read(h); v != "" && r.trusted(h) {
			return ID{r.source, v}
		}
	}
	return ID{Source: Unbound}
}

// Again asks the one source that gave id what it says now. Unknown when it
// does not answer, which never means another instance: metadata services fail.
func Again(h *host.Host, id ID) ID {
	for _, r := range readers {
		if r.source == id.Source {
			return ID{r.source, r.read(h)}
		}
	}
	return ID{Source: Unbound}
}

// Same tells whether two readings of one source name one instance. Kernels have
// changed the case of product_uuid between versions (Launchpad 1835584).
func Same(a, b ID) bool {
	return a.Source == b.Source && strings.EqualFold(a.Value, b.Value)
}
