package identity

import "strings"

// clouds are cloud-init's datasources whose instance id the cloud gives to one
// machine (cloud-init, cloudinit/sources/DataSource*.py, get_instance_id and what it
// reads, versions 22.4 to 26.2), in lower case, between spaces. Not among them,
// because a person, a template or a program on the way writes the id: AltCloud,
// ConfigDrive, NoCloud, None, OpenNebula, OVF, VMware, WSL. Nor LXD, whose id changes
// with the instance's name and configuration. SmartOS's other name is its dsname.
const clouds = " akamai aliyun azure bigstep cloudcix cloudsigma cloudstack digitalocean ec2 exoscale gce hetzner " +
	"ibmcloud joyent maas nwcs openstack oracle rbxcloud scaleway smartos upcloud vultr "

// templates are ids that many machines have, in lower case, between spaces: what
// cloud-init takes where the metadata names no instance (cloudinit/sources/*.py; 455
// is AltCloud's, iid-vmware-imc that of vSphere's customization; the last is of
// stages.py), what its documentation has readers type (doc/), and what becomes of an
// empty value in YAML.
const templates = " iid-datasource iid-datasource-none iid-datasource-wsl iid-azure-node iid-dsconfigdrive " +
	"iid-dsopennebula iid-dsopenstack iid-dsovf iid-vmware-imc 455 nocloud no_previous_instance_id " +
	"iid-local01 iid-abcdefg someid/somehostname cloud-vm l-eadfbe some-new-instance-id " +
	"none null 0 false true ~ "

// among tells whether a list between spaces has s, in whatever case.
func among(list, s string) bool {
	return s != "" && !strings.Contains(s, " ") && strings.Contains(list, " "+strings.ToLower(s)+" ")
}

// names tells whether the id is this machine's alone as far as it shows.
func (c Cloud) names() bool {
	return c.ID != "" && !c.Shared && !among(templates, c.ID)
}

// names is Cloud.names of a record. An earlier fs-harden bound machines to ids of
// templates as well; those that it bound stay so.
func (i Instance) names() bool {
	return i.Cloud.names() || i.Cloud.ID != "" && i.legacy.value == i.Cloud.ID
}

func (c Cloud) isCloud() bool { return among(clouds, c.Datasource) }

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
