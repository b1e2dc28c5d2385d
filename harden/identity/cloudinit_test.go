package identity_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
)

// cloudInit is what cloud-init has written when the first boot looks: its local and
// network stages have ended. The files are of the form that each version gives them
// (cloudinit/cmd/main.py and cloudinit/sources/__init__.py at the tags 22.4.2, 23.4,
// 24.1 and 25.1.4, of which Debian 12 has the first and Debian 13 the last).
type cloudInit struct {
	class    string // str() of the datasource, of 22.4 where versions differ
	class25  string // where that of 24 and later differs
	platform string
	id       string
}

var versions = []string{"22.4.2", "23.4", "24.1", "25.1.4"}

const (
	status22 = `{
 "v1": {
  "datasource": %s,
  "init": {
   "errors": [],
   "finished": 1763856004.9120445,
   "start": 1763856001.2347112
  },
  "init-local": {
   "errors": [],
   "finished": 1763856000.5612211,
   "start": 1763855999.9014421
  },
  "modules-config": {
   "errors": [],
   "finished": null,
   "start": null
  },
  "modules-final": {
   "errors": [],
   "finished": null,
   "start": null
  },
  "modules-init": {
   "errors": [],
   "finished": null,
   "start": null
  },
  "stage": null
 }
}
`
	status23 = `{
 "v1": {
  "datasource": %s,
  "init": {
   "errors": [],
   "finished": 1763856004.9120445,
   "recoverable_errors": {},
   "start": 1763856001.2347112
  },
  "init-local": {
   "errors": [],
   "finished": 1763856000.5612211,
   "recoverable_errors": {
    "WARNING": [
     "cloud-init-local could not reach http://169.254.169.254"
    ]
   },
   "start": 1763855999.9014421
  },
  "modules-config": {
   "errors": [],
   "finished": null,
   "start": null
  },
  "modules-final": {
   "errors": [],
   "finished": null,
   "start": null
  },
  "stage": null
 }
}
`
	status25 = `{
 "v1": {
  "datasource": %s,
  "init": {
   "errors": [],
   "finished": 9.87,
   "recoverable_errors": {},
   "start": 7.31
  },
  "init-local": {
   "errors": [],
   "finished": 5.02,
   "recoverable_errors": {},
   "start": 4.44
  },
  "modules-config": {
   "errors": [],
   "finished": null,
   "recoverable_errors": {},
   "start": null
  },
  "modules-final": {
   "errors": [],
   "finished": null,
   "recoverable_errors": {},
   "start": null
  },
  "stage": null
 }
}
`
	instanceJSON = `{
 "base64_encoded_keys": [],
 "ds": {
  "_doc": "EXPERIMENTAL: The structure and format of content scoped under the 'ds' key may change in subsequent releases of cloud-init.",
  "meta_data": {
   "instance-id": %[1]s
  }
 },
 "merged_cfg": "redacted for non-root user",
 "sensitive_keys": [
  "merged_cfg"
 ],
 "sys_info": {
  "dist": [
   "debian",
   "12",
   "bookworm"
  ]
 },
 "userdata": "redacted for non-root user",
 "v1": {
  "_beta_keys": [
   "subplatform"
  ],
  "availability_zone": null,
  "cloud_id": %[2]s,
  "cloud_name": %[2]s,
  "distro": "debian",
  "instance-id": %[1]s,
  "instance_id": %[1]s,
  "local_hostname": "pbx",
  "platform": %[2]s,
  "region": null,
  "subplatform": "unknown"
 }
}
`
)

func (c cloudInit) files(version string) machine {
	form, class := status22, c.class
	switch version {
	case "23.4", "24.1":
		form = status23
	case "25.1.4":
		form = status25
		if c.class25 != "" {
			class = c.class25
		}
	}
	return machine{
		runID: c.id + "\n", dataID: c.id + "\n",
		status:       fmt.Sprintf(form, quoted(class)),
		instanceData: fmt.Sprintf(instanceJSON, quoted(c.id), quoted(c.platform)),
	}
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return string(b)
}

// The datasources of cloud-init, with the id that each gives.
func ec2(id string) cloudInit     { return cloudInit{"DataSourceEc2Local", "", "ec2", id} }
func gce(id string) cloudInit     { return cloudInit{"DataSourceGCELocal", "", "gce", id} }
func azure(id string) cloudInit   { return cloudInit{"DataSourceAzure [seed=/dev/sr0]", "", "azure", id} }
func hetzner(id string) cloudInit { return cloudInit{"DataSourceHetzner", "", "hetzner", id} }
func openStack(id string) cloudInit {
	return cloudInit{"DataSourceOpenStackLocal [net,ver=2]", "", "openstack", id}
}

func noCloud(id string) cloudInit {
	return cloudInit{"DataSourceNoCloud [seed=/dev/sr0][dsmode=net]", "DataSourceNoCloud [seed=/dev/sr0]", "nocloud", id}
}

func configDrive(id string) cloudInit {
	return cloudInit{"DataSourceConfigDrive [net,ver=2][source=/dev/sr0]", "", "configdrive", id}
}

func lxd(id string) cloudInit { return cloudInit{"DataSourceLXD", "", "lxd", id} }

func vmware(id string) cloudInit {
	return cloudInit{"DataSourceVMware", "DataSourceVMware [seed=guestinfo]", "vmware", id}
}

func ovf(id string) cloudInit {
	return cloudInit{"DataSourceOVF [seed=com.vmware.guestInfo]", "", "ovf", id}
}

func without() cloudInit { return cloudInit{"DataSourceNone", "", "none", "iid-datasource-none"} }

// with is the machine with these files as well.
func (m machine) with(more ...machine) machine {
	all := maps.Clone(m)
	for _, other := range more {
		maps.Copy(all, other)
	}
	return all
}

// but is the machine without these files.
func (m machine) but(paths ...string) machine {
	less := maps.Clone(m)
	for _, p := range paths {
		delete(less, p)
	}
	return less
}

// Whichever of cloud-init's files is there, the id has the name of its datasource.
func TestDatasource(t *testing.T) {
	for _, v := range versions {
		for name, tt := range map[string]struct {
			is   cloudInit
			want string
		}{
			"ec2": {ec2(iid), "Ec2"}, "gce": {gce(iid), "GCE"}, "azure": {azure(guid), "Azure"},
			"openstack": {openStack(guid), "OpenStack"}, "nocloud": {noCloud("a"), "NoCloud"},
			"config drive": {configDrive("a"), "ConfigDrive"}, "lxd": {lxd("a"), "LXD"}, "vmware": {vmware("a"), "VMware"},
			"nocloud on the network":   {cloudInit{"DataSourceNoCloudNet [seed=http://10.0.2.2/][dsmode=net]", "", "nocloud", "a"}, "NoCloud"},
			"nocloud without seed":     {cloudInit{"DataSourceNoCloud ", "", "nocloud", "a"}, "NoCloud"},
			"of nobody that we know":   {cloudInit{"DataSourceFuture2", "", "future2", "a"}, "Future2"},
			"no class of a datasource": {cloudInit{"Ec2", "", "nocloud", "a"}, "nocloud"},
			"an escape":                {cloudInit{"DataSource\x1b[2J", "", "\x1b", "a"}, ""},
			"only local":               {cloudInit{"DataSourceLocal", "", "a", "a"}, "Local"},
		} {
			whole := tt.is.files(v)
			if got := read(t, whole).Cloud; got != (identity.Cloud{ID: tt.is.id, Datasource: tt.want}) {
				t.Errorf("%s, %s: %+v", v, name, got)
			}
			if got := read(t, whole.but(runID)).Cloud; got.ID != tt.is.id || got.Datasource != tt.want {
				t.Errorf("%s, %s, from the disk: %+v", v, name, got)
			}
		}
		files := ec2(iid).files(v)
		for name, tt := range map[string]struct {
			m    machine
			want string
		}{
			"status cut":              {files.with(machine{status: files[status][:60]}), "ec2"},
			"status gone":             {files.but(status), "ec2"},
			"status null":             {files.with(machine{status: fmt.Sprintf(status25, "null")}), "ec2"},
			"at the end of the boot":  {files.but(status).with(machine{result: `{"v1": {"datasource": "DataSourceEc2Local", "errors": []}}`}), "Ec2"},
			"data of another":         {files.but(status).with(machine{instanceData: fmt.Sprintf(instanceJSON, `"i-1"`, `"ec2"`)}), ""},
			"data cut":                {files.but(status).with(machine{instanceData: files[instanceData][:300]}), ""},
			"nothing but the id":      {machine{runID: iid}, ""},
			"a list":                  {machine{runID: iid, status: "[]", instanceData: "[]", result: "7"}, ""},
			"a datasource of numbers": {machine{runID: iid, status: `{"v1":{"datasource":7}}`}, ""},
		} {
			if got := read(t, tt.m).Cloud; got.ID != iid || got.Datasource != tt.want {
				t.Errorf("%s, %s: %+v, want %q", v, name, got, tt.want)
			}
		}
	}
}
