package identity_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
)

const (
	same    = identity.Same
	anew    = identity.SameRecordAnew
	another = identity.Another
)

func uuid(s string) machine { return machine{dmiUUID: s} }

// swappedGUID is guid in the other byte order.
const swappedGUID = "44454c4c-4200-104d-8053-c3c04f4a4e32"

var (
	mid      = machine{machineID: hex}                   // made in this boot
	midLater = machine{machineID: hex, bootedSince: ""}  // the same, in a later boot
	other    = machine{machineID: hex2}                  // another, made in this boot
	oldOther = machine{machineID: hex2, bootedSince: ""} // another that was there before
	inside   = machine{pidSpace: "->pid:[4026532241]"}   // containerd: no file says so
	marked   = machine{container: "systemd-nspawn"}
)

// row is one case of the table in docs/first-boot.md. then and now take the files of
// each version of cloud-init.
type row struct {
	then, now func(version string) machine
	want      identity.Verdict
}

// is gives a machine with cloud-init and these files, nothing without.
func is(c cloudInit, more ...machine) func(string) machine {
	return func(version string) machine { return c.files(version).with(more...) }
}

func nothing(more ...machine) func(string) machine {
	return func(string) machine { return machine{}.with(more...) }
}

// broken is a cloud-init that ended half way through its first stage.
func broken(more ...machine) func(string) machine {
	return func(string) machine {
		return machine{status: `{"v1": {"datasource": nu`, dataID: iid2, instanceData: "{"}.with(more...)
	}
}

var table = map[string]row{
	// A cloud's own id outweighs everything but EC2's asset tag, which is the same.
	"ec2, rebooted":                   {is(ec2(iid), uuid(guid), mid), is(ec2(iid), uuid(guid), midLater), same},
	"ec2, another":                    {is(ec2(iid), uuid(guid)), is(ec2(iid2), uuid(guid2)), another},
	"ec2, another with the same uuid": {is(ec2(iid), uuid(guid)), is(ec2(iid2), uuid(guid)), another},
	"gce, another":                    {is(gce("1234567890123456789"), uuid(guid)), is(gce("1234567890123456780"), uuid(guid2)), another},
	"hetzner, another":                {is(hetzner("5551234"), uuid(guid)), is(hetzner("5551235"), uuid(guid2)), another},
	"openstack, a snapshot":           {is(openStack(guid), uuid(guid)), is(openStack(guid2), uuid(guid2)), another},
	"azure, a capture":                {is(azure(guid), uuid(guid)), is(azure(guid2), uuid(guid2)), another},
	"from one cloud into another":     {is(ec2(iid), uuid(guid)), is(gce("1234567890123456789"), uuid(guid2)), another},
	"ec2, in capitals":                {is(ec2(iid), uuid(guid)), is(ec2(strings.ToUpper(iid)), uuid(guid)), another},
	"ec2, uuid in other case":         {is(ec2(iid), uuid(guid)), is(ec2(iid), uuid(strings.ToUpper(guid))), same},
	"ec2, uuid swapped":               {is(ec2(iid), uuid(guid)), is(ec2(iid), uuid(swappedGUID)), same},
	"ec2, of another generation":      {is(ec2(iid), uuid(guid)), is(ec2(iid), uuid(guid2)), anew},
	"openstack, moved":                {is(openStack(guid), uuid(guid)), is(openStack(guid), uuid(guid2)), anew},
	"azure, all in capitals":          {is(azure(guid), uuid(guid)), is(azure(strings.ToUpper(guid)), uuid(strings.ToUpper(guid))), same},
	"azure, all swapped":              {is(azure(guid), uuid(guid)), is(azure(swappedGUID), uuid(swappedGUID)), same},
	"ec2, another machine-id":         {is(ec2(iid), uuid(guid), mid), is(ec2(iid), uuid(guid), other), anew},
	"ec2, its hardware seen at last":  {is(ec2(iid)), is(ec2(iid), uuid(guid)), anew},
	"asset tag, another":              {nothing(machine{assetTag: iid}), nothing(machine{assetTag: iid2}), another},
	"asset tag, resized":              {nothing(machine{assetTag: iid}, uuid(guid)), nothing(machine{assetTag: iid}, uuid(guid2)), anew},
	"asset tag, another, id of a cache": {
		is(ec2(iid), machine{assetTag: iid}, uuid(guid)), is(ec2(iid), machine{assetTag: iid2}, uuid(guid2)), another,
	},
	"openstack read as ec2, then as itself": {is(ec2("i-000012ab"), uuid(guid)), is(openStack(guid), uuid(guid)), anew},
	"the same on another machine":           {is(ec2("i-000012ab"), uuid(guid)), is(openStack(guid2), uuid(guid2)), another},

	"ec2's id, in a seed elsewhere": {is(ec2(iid), uuid(guid)), is(noCloud(iid), uuid(guid2)), another},

	// An id out of cloud-init's cache is its origin's as well.
	"a cached id, rebooted": {is(ec2(iid), uuid(guid), machine{manualClean: ""}), is(ec2(iid), uuid(guid), machine{manualClean: ""}), same},
	"a cached id, a clone":  {is(ec2(iid), uuid(guid), machine{manualClean: ""}), is(ec2(iid), uuid(guid2), machine{manualClean: ""}), another},
	"an id, cached since":   {is(ec2(iid), uuid(guid)), is(ec2(iid), uuid(guid2), machine{manualClean: ""}), another},

	// Silence outweighs nothing.
	"silent":                         {is(ec2(iid), uuid(guid), mid), nothing(uuid(guid), midLater), same},
	"broken":                         {is(ec2(iid), uuid(guid), mid), broken(uuid(guid), midLater), same},
	"no datasource":                  {is(ec2(iid), uuid(guid), mid), is(without(), uuid(guid), midLater), same},
	"silent, uuid in other case":     {is(ec2(iid), uuid(guid)), nothing(uuid(strings.ToUpper(guid))), same},
	"silent, uuid swapped":           {is(ec2(iid), uuid(guid)), nothing(uuid(swappedGUID)), same},
	"silent, another uuid":           {is(ec2(iid), uuid(guid)), nothing(uuid(guid2)), another},
	"broken, another uuid":           {is(ec2(iid), uuid(guid)), broken(uuid(guid2)), another},
	"no datasource, another uuid":    {is(ec2(iid), uuid(guid)), is(without(), uuid(guid2)), another},
	"another uuid, same machine-id":  {is(ec2(iid), uuid(guid), mid), nothing(uuid(guid2), midLater), another},
	"all silent":                     {is(ec2(iid), uuid(guid), mid), nothing(), same},
	"silent but for the machine-id":  {is(ec2(iid), uuid(guid), mid), nothing(midLater), same},
	"silent, another machine-id":     {is(ec2(iid), uuid(guid), mid), nothing(other), another},
	"uuid of the firmware":           {nothing(uuid(guid), mid), nothing(uuid("03000200-0400-0500-0006-000700080009"), midLater), same},
	"uuid alone, rebooted":           {nothing(uuid(guid)), nothing(uuid(guid)), same},
	"uuid alone, another":            {nothing(uuid(guid)), nothing(uuid(guid2)), another},
	"cloud-init came":                {nothing(uuid(guid)), is(ec2(iid), uuid(guid)), anew},
	"cloud-init came, on another":    {nothing(uuid(guid)), is(ec2(iid), uuid(guid2)), another},
	"fell back to a seed":            {is(ec2(iid), uuid(guid)), is(noCloud("pbx"), uuid(guid)), same},
	"a seed on another":              {is(ec2(iid), uuid(guid)), is(noCloud("pbx"), uuid(guid2)), another},
	"a seed, and no uuid any more":   {is(ec2(iid), uuid(guid)), is(noCloud("pbx")), another},
	"nothing in common":              {nothing(uuid(guid)), is(noCloud("pbx")), anew},
	"the datasource is not told now": {is(ec2(iid), uuid(guid)), nothing(machine{runID: iid}, uuid(guid2)), anew},

	// An id that a person gave is another's if it is another; if it is the same, the
	// hardware tells.
	"pbx-A":                          {is(noCloud("pbx-A"), uuid(guid)), is(noCloud("pbx-A"), uuid(guid)), same},
	"pbx-A, then pbx-a":              {is(noCloud("pbx-A"), uuid(guid)), is(noCloud("pbx-a"), uuid(guid)), another},
	"pbx-A in a container, pbx-a":    {is(noCloud("pbx-A"), inside), is(noCloud("pbx-a"), inside), another},
	"pbx-A, its seed on another":     {is(noCloud("pbx-A"), uuid(guid)), is(noCloud("pbx-A"), uuid(guid2)), another},
	"config drive, another":          {is(configDrive("a"), uuid(guid)), is(configDrive("b"), uuid(guid)), another},
	"vmware, guestinfo copied":       {is(vmware("web"), uuid(guid)), is(vmware("web"), uuid(guid2)), another},
	"vmware, the uuid is the id":     {is(vmware(guid), uuid(guid)), is(vmware(guid2), uuid(guid2)), another},
	"ovf, properties copied":         {is(ovf("i-87018aed"), uuid(guid)), is(ovf("i-87018aed"), uuid(guid2)), another},
	"pbx-A, then a template's":       {is(noCloud("pbx-A"), uuid(guid)), is(noCloud("iid-local01"), uuid(guid)), same},
	"a template's, then pbx-A":       {is(noCloud("iid-local01"), uuid(guid)), is(noCloud("pbx-A"), uuid(guid)), anew},
	"lxd machine, renamed":           {is(lxd(guid), uuid(guid)), is(lxd(guid2), uuid(guid)), anew},
	"lxd machine, copied":            {is(lxd(guid), uuid(guid)), is(lxd(guid2), uuid(guid2)), another},
	"lxd container, copied":          {is(lxd(guid), marked), is(lxd(guid2), marked), another},
	"a number, of a cloud":           {is(hetzner("1"), uuid(guid)), is(hetzner("1"), uuid(guid2)), anew},
	"pbx-A, no uuid, its machine-id": {is(noCloud("pbx-A"), inside, mid), is(noCloud("pbx-A"), inside, midLater), same},
	"pbx-A, no uuid, copied":         {is(noCloud("pbx-A"), inside, mid), is(noCloud("pbx-A"), inside, other), another},

	// Proxmox's id changes with an SSH key.
	"a digest":                            {is(noCloud(digest), uuid(guid)), is(noCloud(digest), uuid(guid)), same},
	"another digest":                      {is(noCloud(digest), uuid(guid)), is(noCloud(digest2), uuid(guid)), anew},
	"another digest, uuid in other case":  {is(noCloud(digest), uuid(guid)), is(noCloud(digest2), uuid(strings.ToUpper(guid))), anew},
	"another digest, config drive":        {is(configDrive(digest), uuid(guid)), is(configDrive(digest2), uuid(guid)), anew},
	"another digest, another uuid":        {is(noCloud(digest), uuid(guid)), is(noCloud(digest2), uuid(guid2)), another},
	"the same digest, another uuid":       {is(noCloud(digest), uuid(guid)), is(noCloud(digest), uuid(guid2)), another},
	"another digest, no uuid":             {is(noCloud(digest), mid), is(noCloud(digest2), midLater), another},
	"another digest, of a cloud":          {is(ec2(digest), uuid(guid)), is(ec2(digest2), uuid(guid)), another},
	"39 digits are no digest":             {is(noCloud(digest[1:]), uuid(guid)), is(noCloud(digest2[1:]), uuid(guid)), another},
	"a digest, then an id of one's own":   {is(noCloud(digest), uuid(guid)), is(noCloud("pbx-A"), uuid(guid)), anew},
	"a digest, cloud-init says not whose": {nothing(machine{runID: digest}, uuid(guid)), nothing(machine{runID: digest2}, uuid(guid)), anew},

	// Unbound: nothing named the machine.
	"unbound":                          {nothing(), nothing(), same},
	"unbound, cloud-init answers":      {nothing(), is(ec2(iid)), another},
	"unbound, a seed answers":          {nothing(), is(noCloud("pbx-A")), another},
	"unbound, a uuid answers":          {nothing(), nothing(uuid(guid)), another},
	"unbound, an asset tag answers":    {nothing(), nothing(machine{assetTag: iid}), another},
	"unbound, made a machine-id":       {nothing(), nothing(mid), another},
	"unbound, a template's id":         {nothing(), is(noCloud("iid-local01")), same},
	"unbound, the image's machine-id":  {nothing(midLater), nothing(midLater), same},
	"the same, its file touched":       {nothing(midLater), nothing(mid), same},
	"the same, another made":           {nothing(midLater), nothing(other), another},
	"the same, another that was there": {nothing(midLater), nothing(oldOther), another},
	"a template's id alone, then uuid": {is(noCloud("iid-local01")), is(noCloud("iid-local01"), uuid(guid)), another},
	"a template's id alone":            {is(noCloud("iid-local01")), is(noCloud("iid-local01")), same},
	"no datasource, nothing else":      {is(without()), is(without()), same},
	"no datasource, then one":          {is(without()), is(ec2(iid)), another},

	// machine-id alone, as on hardware without SMBIOS and in containers.
	"machine-id, rebooted":        {nothing(mid), nothing(midLater), same},
	"machine-id, another":         {nothing(mid), nothing(other), another},
	"machine-id, another, old":    {nothing(mid), nothing(oldOther), another},
	"machine-id, gone":            {nothing(mid), nothing(), same},
	"machine-id, emptied":         {nothing(mid), nothing(machine{machineID: ""}), same},
	"machine-id, uuid seen":       {nothing(mid), nothing(midLater, uuid(guid)), anew},
	"machine-id, cloud-init came": {nothing(mid), is(ec2(iid), midLater), anew},

	// The host's SMBIOS names no container, and moving to another host changes none.
	"containerd, moved":          {nothing(inside, uuid(guid), mid), nothing(inside, uuid(guid2), midLater), same},
	"marked, moved":              {nothing(marked, uuid(guid), mid), nothing(marked, uuid(guid2), midLater), same},
	"containerd, copied":         {nothing(inside, uuid(guid), mid), nothing(inside, uuid(guid), other), another},
	"marked, copied":             {nothing(marked, uuid(guid), mid), nothing(marked, uuid(guid), other), another},
	"containerd, on one host":    {is(noCloud("a"), inside, uuid(guid)), is(noCloud("b"), inside, uuid(guid)), another},
	"containerd, host's ec2":     {is(noCloud("a"), inside, machine{assetTag: iid}), is(noCloud("a"), inside, machine{assetTag: iid2}), same},
	"containerd, unbound, moved": {nothing(inside, uuid(guid)), nothing(inside, uuid(guid2)), same},
	"a machine, then a container": {
		nothing(uuid(guid), mid), nothing(inside, uuid(guid2), midLater), same,
	},
}

func init() {
	for _, id := range []string{
		"iid-local01", "iid-abcdefg", "someid/somehostname", "iid-datasource-none", "iid-datasource-wsl", "None", "null", "0",
		"nocloud", "iid-datasource", "iid-dsovf", "iid-dsconfigdrive", "iid-dsopennebula", "iid-dsopenstack", "iid-AZURE-NODE", "iid-vmware-imc",
		"NULL", "455", "cloud-vm",
	} {
		for name, c := range map[string]cloudInit{"": noCloud(id), ", of a cloud": openStack(id)} {
			table[id+name+", rebooted"] = row{is(c, uuid(guid)), is(c, uuid(guid)), same}
			table[id+name+", another uuid"] = row{is(c, uuid(guid)), is(c, uuid(guid2)), another}
			table[id+name+", its own now"] = row{is(c, uuid(guid)), is(ec2(iid), uuid(guid)), anew}
			table[id+name+", no uuid"] = row{is(c, mid), is(c, midLater), same}
			table[id+name+", no uuid, copied"] = row{is(c, mid), is(c, other), another}
		}
	}
}

// kept is what a record gives back.
func kept(t testing.TB, i identity.Instance) identity.Instance {
	t.Helper()
	b, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var back identity.Instance
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestDecide(t *testing.T) {
	for name, r := range table {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, v := range versions {
				then, now := kept(t, read(t, r.then(v))), read(t, r.now(v))
				d := identity.Decide(then, now)
				if d.Verdict != r.want {
					t.Errorf("cloud-init %s: %q (%s), want %q\nthen %+v\nnow  %+v", v, d.Verdict, d.Why, r.want, then, now)
				}
				settles(t, d, now)
			}
			// An upgrade of cloud-init makes no other machine.
			then, now := read(t, r.then("22.4.2")), read(t, r.now("25.1.4"))
			if d := identity.Decide(then, now); d.Verdict != r.want {
				t.Errorf("upgraded: %q (%s), want %q", d.Verdict, d.Why, r.want)
			}
		})
	}
}

// settles checks that a record that was written needs no other at the next boot, and
// that the decision says why.
func settles(t *testing.T, d identity.Decision, now identity.Instance) {
	t.Helper()
	if d.Why == "" || strings.ContainsAny(d.Why, "\n") {
		t.Errorf("why: %q", d.Why)
	}
	if again := identity.Decide(kept(t, d.Record), now); again.Verdict != identity.Same {
		t.Errorf("recorded and read again it is %q (%s)\nrecord %+v\nnow    %+v", again.Verdict, again.Why, d.Record, now)
	}
	if d.FromUnbound && d.Verdict != identity.Another {
		t.Errorf("%q, and from unbound", d.Verdict)
	}
}

func TestFromUnbound(t *testing.T) {
	for name, want := range map[string]bool{
		"unbound, cloud-init answers": true, "unbound, a uuid answers": true, "the same, another that was there": true,
		"unbound": false, "ec2, another": false, "silent": false, "machine-id, another": false,
	} {
		r := table[name]
		if d := identity.Decide(read(t, r.then("22.4.2")), read(t, r.now("22.4.2"))); d.FromUnbound != want {
			t.Errorf("%s: %v", name, d.FromUnbound)
		}
	}
}

// What answers once and is silent after is remembered: a resized machine whose
// metadata service is down at a later boot is itself.
func TestWhatIsRemembered(t *testing.T) {
	for name, tt := range map[string]struct {
		boots []func(string) machine // the first one makes the secrets
		want  identity.Verdict       // of the last
	}{
		"resized, then metadata down":       {[]func(string) machine{is(ec2(iid), uuid(guid)), is(ec2(iid), uuid(guid2)), nothing(uuid(guid2))}, same},
		"metadata down, then back":          {[]func(string) machine{is(ec2(iid), uuid(guid)), nothing(uuid(guid)), is(ec2(iid), uuid(guid2))}, anew},
		"another digest, then the first":    {[]func(string) machine{is(noCloud(digest), uuid(guid)), is(noCloud(digest2), uuid(guid)), is(noCloud(digest), uuid(guid))}, anew},
		"another digest, then a clone":      {[]func(string) machine{is(noCloud(digest), uuid(guid)), is(noCloud(digest2), uuid(guid)), is(noCloud(digest2), uuid(guid2))}, another},
		"uuid late, then a clone":           {[]func(string) machine{is(noCloud("iid-local01"), mid), is(noCloud("iid-local01"), midLater, uuid(guid)), is(noCloud("iid-local01"), midLater, uuid(guid2))}, another},
		"a new machine-id, then no uuid":    {[]func(string) machine{nothing(uuid(guid), mid), nothing(uuid(guid), other), nothing(oldOther)}, same},
		"a seed for a while":                {[]func(string) machine{is(ec2(iid), uuid(guid)), is(noCloud("pbx"), uuid(guid)), is(ec2(iid), uuid(guid))}, same},
		"touched, unbound all the same":     {[]func(string) machine{nothing(midLater), nothing(mid), nothing(midLater, uuid(guid))}, another},
		"found a machine-id, then its copy": {[]func(string) machine{nothing(), nothing(midLater), nothing(oldOther)}, another},
	} {
		for _, v := range versions {
			rec := read(t, tt.boots[0](v))
			var d identity.Decision
			for _, boot := range tt.boots[1:] {
				d = identity.Decide(rec, read(t, boot(v)))
				if d.Verdict != identity.Same {
					rec = kept(t, d.Record)
				}
			}
			if d.Verdict != tt.want {
				t.Errorf("%s, cloud-init %s: %q (%s), want %q", name, v, d.Verdict, d.Why, tt.want)
			}
		}
	}
}

func TestProven(t *testing.T) {
	for name, tt := range map[string]struct {
		a, b func(string) machine
		want bool
	}{
		"a cloud's id":            {is(ec2(iid)), is(ec2(iid)), true},
		"and a moved uuid":        {is(ec2(iid), uuid(guid)), is(ec2(iid), uuid(guid2)), true},
		"azure's in capitals":     {is(azure(guid)), is(azure(strings.ToUpper(guid))), true},
		"asset tag":               {nothing(machine{assetTag: iid}), nothing(machine{assetTag: iid}), true},
		"uuid":                    {nothing(uuid(guid)), nothing(uuid(guid)), true},
		"uuid in capitals":        {nothing(uuid(guid)), nothing(uuid(strings.ToUpper(guid))), true},
		"uuid swapped":            {nothing(uuid(guid)), nothing(uuid(swappedGUID)), true},
		"uuid, cloud-init silent": {is(ec2(iid), uuid(guid)), nothing(uuid(guid)), true},
		"uuid, another digest":    {is(noCloud(digest), uuid(guid)), is(noCloud(digest2), uuid(guid)), true},
		"uuid, a template's id":   {is(noCloud("iid-local01"), uuid(guid)), is(noCloud("iid-abcdefg"), uuid(guid)), true},
		"uuid, machine-id reset":  {nothing(uuid(guid), mid), nothing(uuid(guid), other), true},

		"another id of the cloud":      {is(ec2(iid), uuid(guid)), is(ec2(iid2), uuid(guid)), false},
		"another asset tag":            {is(ec2(iid), machine{assetTag: iid}, uuid(guid)), is(ec2(iid), machine{assetTag: iid2}, uuid(guid)), false},
		"another uuid":                 {nothing(uuid(guid)), nothing(uuid(guid2)), false},
		"a template's id":              {is(noCloud("iid-local01")), is(noCloud("iid-local01")), false},
		"a template's id of a cloud":   {is(openStack("iid-dsopenstack")), is(openStack("iid-dsopenstack")), false},
		"a seed's id":                  {is(noCloud("pbx-A")), is(noCloud("pbx-A")), false},
		"a cloud's id in a seed":       {is(ec2(iid)), is(noCloud(iid)), false},
		"a digest":                     {is(noCloud(digest)), is(noCloud(digest)), false},
		"an id of nobody knows whom":   {nothing(machine{runID: iid}), nothing(machine{runID: iid}), false},
		"an id out of the cache":       {is(ec2(iid)), is(ec2(iid), machine{manualClean: ""}), false},
		"a machine-id":                 {nothing(mid), nothing(midLater), false},
		"silence":                      {nothing(), nothing(), false},
		"uuid of the host":             {nothing(inside, uuid(guid)), nothing(inside, uuid(guid)), false},
		"uuid, another id of a person": {is(noCloud("pbx-A"), uuid(guid)), is(noCloud("pbx-B"), uuid(guid)), false},
	} {
		for _, v := range versions {
			a, b := read(t, tt.a(v)), read(t, tt.b(v))
			if identity.Proven(a, b) != tt.want || identity.Proven(kept(t, b), a) != tt.want {
				t.Errorf("%s, cloud-init %s: not %v", name, v, tt.want)
			}
		}
	}
	if identity.Proven(identity.Instance{}, identity.Instance{}) {
		t.Error("two records without an instance are one machine")
	}
}

// What stood in the image names none of its instances.
func TestWithout(t *testing.T) {
	image := is(noCloud("packer"), uuid(guid), mid)
	for name, tt := range map[string]struct {
		now     func(string) machine
		known   bool
		telling string
	}{
		"the builder":           {is(noCloud("packer"), uuid(guid), midLater), true, "packer"},
		"an instance":           {is(noCloud("packer"), uuid(guid2), mid), true, guid2},
		"without uuid":          {is(noCloud("packer"), mid), false, "unbound"},
		"with an id of its own": {is(noCloud("pbx-A"), mid), true, "pbx-A"},
		"with a machine-id":     {is(noCloud("packer"), other), true, hex2},
	} {
		i := read(t, tt.now("25.1.4")).Without(read(t, image("25.1.4")))
		if i.Known() != tt.known || i.String() != tt.telling {
			t.Errorf("%s: %s, known %v", name, i, i.Known())
		}
	}
	// An instance with the image's id alone is itself at the next boot, when nobody says
	// that the image had it.
	if d := identity.Decide(read(t, is(noCloud("packer"))("25.1.4")).Without(read(t, image("25.1.4"))), read(t, is(noCloud("packer"))("25.1.4"))); d.Verdict != same {
		t.Errorf("the next boot is %q: %s", d.Verdict, d.Why)
	}
	// Two instances with the image's id, whose UUIDs do not show.
	if d := identity.Decide(read(t, is(noCloud("packer"))("25.1.4")).Without(read(t, image("25.1.4"))), read(t, is(noCloud("packer"), uuid(guid2))("25.1.4"))); d.Verdict != another {
		t.Errorf("the image's id is believed: %q", d.Verdict)
	}
}
