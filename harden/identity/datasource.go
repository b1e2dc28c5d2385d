package identity

import "strings"

// clouds are cloud-init's datasources whose instance id the cloud gives to one
// machine (cloud-init, cloudinit/sources/DataSource*.py, get_instance_id and what it
// reads, versions 22.4 to 26.2), in lower case. Not among them, because a person, a
// template or a program on the way writes the id: AltCloud, ConfigDrive, NoCloud,
// None, OpenNebula, OVF, VMware, WSL. Nor LXD, whose id changes with the instance's
// name and configuration.
var clouds = map[string]bool{
	"akamai": true, "aliyun": true, "azure": true, "bigstep": true, "cloudcix": true,
	"cloudsigma": true, "cloudstack": true, "digitalocean": true, "ec2": true,
	"exoscale": true, "gce": true, "hetzner": true, "ibmcloud": true, "maas": true,
	"nwcs": true, "openstack": true, "oracle": true, "rbxcloud": true, "scaleway": true,
	"smartos": true, "joyent": true, // its class, and its dsname
	"upcloud": true, "vultr": true,
}

// templates are ids that many machines have, in lower case: what cloud-init takes
// where the metadata names no instance (cloudinit/sources/*.py, stages.py), what its
// documentation has readers type (doc/rtd), and what becomes of an empty value in YAML.
var templates = map[string]bool{
	"iid-datasource":          true, // __init__.py
	"iid-datasource-none":     true, // DataSourceNone.py: no datasource answered
	"iid-datasource-wsl":      true, // DataSourceWSL.py
	"iid-azure-node":          true, // DataSourceAzure.py
	"iid-dsconfigdrive":       true, // DataSourceConfigDrive.py
	"iid-dsopennebula":        true, // DataSourceOpenNebula.py
	"iid-dsopenstack":         true, // DataSourceOpenStack.py
	"iid-dsovf":               true, // DataSourceOVF.py
	"455":                     true, // DataSourceAltCloud.py
	"nocloud":                 true, // DataSourceNoCloud.py
	"no_previous_instance_id": true, // stages.py
	"iid-local01":             true, // the documentation, for NoCloud
	"iid-abcdefg":             true,
	"someid/somehostname":     true,
	"cloud-vm":                true,
	"none":                    true, "null": true, "0": true, "false": true, "true": true, "~": true,
}

// names tells whether the id is this machine's alone as far as it shows.
func (c Cloud) names() bool {
	return c.ID != "" && !c.Shared && !templates[strings.ToLower(c.ID)]
}

// names is Cloud.names of a record. An earlier fs-harden bound machines to ids of
// templates as well; those that it bound stay so.
func (i Instance) names() bool {
	return i.Cloud.names() || i.Cloud.ID != "" && i.legacy.value == i.Cloud.ID
}

func (c Cloud) isCloud() bool { return clouds[strings.ToLower(c.Datasource)] }

// assigned tells whether a cloud gave both ids. One whose datasource is not known is
// taken for what the other is.
func assigned(a, b Cloud) bool {
	return a.names() && b.names() &&
		(a.isCloud() || a.Datasource == "") && (b.isCloud() || b.Datasource == "") &&
		(a.isCloud() || b.isCloud())
}

// interchangeable tells whether one machine may have had both ids: where they were
// made from its configuration, or by datasources that do not speak of the same thing.
func interchangeable(a, b Cloud) bool {
	if a.Datasource != "" && b.Datasource != "" && !strings.EqualFold(a.Datasource, b.Datasource) {
		return true
	}
	return a.made() || b.made()
}

// made tells of an id that changes with the machine's configuration: Proxmox's, the
// SHA-1 of user-data and network in a NoCloud seed or a config drive, and LXD's.
func (c Cloud) made() bool {
	return !c.isCloud() && (len(c.ID) == 40 && isHex(c.ID) || strings.EqualFold(c.Datasource, "LXD"))
}

// sameID compares two ids, by case but where both are UUIDs: Azure's id is the
// SMBIOS UUID, and kernels have changed its case and its byte order.
func sameID(a, b string) bool { return a == b || sameUUID(a, b) }
