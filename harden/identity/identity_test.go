package identity_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
)

// Where the sources are on a machine.
const (
	runID     = "/run/cloud-init/.instance-id"
	status    = "/run/cloud-init/status.json"
	dataID    = "/var/lib/cloud/data/instance-id"
	assetTag  = "/sys/class/dmi/id/board_asset_tag"
	dmiUUID   = "/sys/class/dmi/id/product_uuid"
	machineID = "/etc/machine-id"
	container = "/run/systemd/container"
	procStat  = "/proc/stat"
	procInit  = "/proc/1/stat"
)

// What the sources hold, in the tests.
const (
	iid  = "i-0123456789abcdef0"
	guid = "4c4c4544-0042-4d10-8053-c3c04f4a4e32"
	hex  = "b08dfa6083e7567a1921a715000001fb"

	// The form of cloud-init 22.4's status.json, of Debian 12.
	localDone    = `{"v1":{"datasource":"DataSourceNoCloud [seed=/dev/sr0][dsmode=net]","init":{"errors":[],"finished":null,"start":null},"init-local":{"errors":[],"finished":1763856000.5,"start":1763855999.9},"stage":null}}`
	localRunning = `{"v1":{"datasource":null,"init-local":{"errors":[],"finished":null,"start":1763855999.9},"stage":"init-local"}}`
	localInVain  = `{"v1":{"datasource":null,"init-local":{"errors":[],"finished":1763856000.5,"start":1763855999.9},"stage":null}}`
)

// machine is a tree of files, made in the boot under way; with the key
// bootedSince, its /proc tells of a boot after they were made.
type machine map[string]string

const bootedSince = "booted since"

func (m machine) open(t *testing.T) *host.Host {
	t.Helper()
	root := t.TempDir()
	for name, content := range m {
		if name == bootedSince {
			continue
		}
		write(t, root, name, content)
	}
	at := time.Now().Add(-time.Hour)
	if _, ahead := m[bootedSince]; ahead {
		at = time.Now().Add(time.Hour)
	}
	write(t, root, procStat, "cpu 1 2 3\nbtime "+itoa(at.Unix())+"\nprocesses 9\n")
	write(t, root, procInit, "1 (systemd) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 50 1 2\n")
	h, err := host.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func write(t *testing.T, root, name, content string) {
	t.Helper()
	p := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestResolve(t *testing.T) {
	unbound := identity.ID{Source: identity.Unbound}
	cloud := identity.ID{Source: identity.CloudInit, Value: iid}
	data := identity.ID{Source: identity.CloudInitData, Value: iid}
	ec2 := identity.ID{Source: identity.EC2, Value: iid}
	dmi := identity.ID{Source: identity.ProductUUID, Value: guid}
	mid := identity.ID{Source: identity.MachineID, Value: hex}

	tests := map[string]struct {
		machine machine
		want    identity.ID
	}{
		"nothing":      {machine{}, unbound},
		"cloud-init":   {machine{runID: iid + "\n"}, cloud},
		"its data":     {machine{status: localDone, dataID: iid + "\n"}, data},
		"ec2 nitro":    {machine{assetTag: iid + "\n"}, ec2},
		"ec2, old id":  {machine{assetTag: "i-1a2b3c4d\n"}, identity.ID{Source: identity.EC2, Value: "i-1a2b3c4d"}},
		"product uuid": {machine{dmiUUID: guid + "\n"}, dmi},
		"machine-id":   {machine{machineID: hex + "\n"}, mid},

		// The order of the sources.
		"all of them":          {machine{runID: iid, status: localDone, dataID: "other", assetTag: "i-00000000", dmiUUID: guid, machineID: hex}, cloud},
		"all but the run file": {machine{status: localDone, dataID: iid, assetTag: "i-00000000", dmiUUID: guid, machineID: hex}, data},
		"dmi and machine-id":   {machine{assetTag: iid, dmiUUID: guid, machineID: hex}, ec2},
		"uuid and machine-id":  {machine{dmiUUID: guid, machineID: hex}, dmi},

		// A clone's disk holds the id of its origin.
		"clone, before cloud-init":     {machine{dataID: "i-origin", dmiUUID: guid}, dmi},
		"clone, while it runs":         {machine{dataID: "i-origin", status: localRunning, dmiUUID: guid}, dmi},
		"clone, datasource on the net": {machine{dataID: "i-origin", status: localInVain, dmiUUID: guid}, dmi},
		"clone, status cut":            {machine{dataID: "i-origin", status: localDone[:40], dmiUUID: guid}, dmi},
		"clone, status empty":          {machine{dataID: "i-origin", status: "", dmiUUID: guid}, dmi},
		"older status":                 {machine{dataID: iid, status: `{"v1":{"init-local":{"finished":1.5}}}`}, data},

		// What cloud-init writes for want of an id is every machine's.
		"no datasource":         {machine{runID: "iid-datasource-none\n", dmiUUID: guid}, dmi},
		"no datasource on disk": {machine{status: localDone, dataID: "iid-datasource-none\n", dmiUUID: guid}, dmi},
		"seed without an id":    {machine{runID: "nocloud", dmiUUID: guid}, dmi},
		"ovf without an id":     {machine{runID: "iid-dsovf", dmiUUID: guid}, dmi},
		"drive without an id":   {machine{runID: "iid-dsconfigdrive", dmiUUID: guid}, dmi},
		"nothing at all known":  {machine{runID: "iid-datasource"}, unbound},
		"never ran":             {machine{status: localDone, dataID: "NO_PREVIOUS_INSTANCE_ID"}, unbound},

		// DMI.
		"uuid in upper case":      {machine{dmiUUID: "4C4C4544-0042-4D10-8053-C3C04F4A4E32"}, dmi},
		"asset tag of others":     {machine{assetTag: "Default string\n", dmiUUID: guid}, dmi},
		"asset tag in capitals":   {machine{assetTag: "I-0123456789ABCDEF0"}, unbound},
		"asset tag too long":      {machine{assetTag: iid + "0"}, unbound},
		"uuid of zeros":           {machine{dmiUUID: "00000000-0000-0000-0000-000000000000"}, unbound},
		"uuid of ones":            {machine{dmiUUID: "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"}, unbound},
		"uuid of the firmware":    {machine{dmiUUID: "03000200-0400-0500-0006-000700080009"}, unbound},
		"uuid, not a uuid":        {machine{dmiUUID: "Not Settable"}, unbound},
		"uuid without dashes":     {machine{dmiUUID: "4c4c454400424d108053c3c04f4a4e32"}, unbound},
		"shared uuid, machine-id": {machine{dmiUUID: "00000000-0000-0000-0000-000000000000", machineID: hex}, mid},

		// A container shows its host's DMI.
		"container":             {machine{container: "lxc", assetTag: iid, dmiUUID: guid, machineID: hex}, mid},
		"docker":                {machine{"/.dockerenv": "", assetTag: iid, dmiUUID: guid}, unbound},
		"podman":                {machine{"/run/.containerenv": "", dmiUUID: guid}, unbound},
		"container, cloud-init": {machine{container: "lxc", runID: iid, dmiUUID: guid}, cloud},

		// A machine-id that the image brought along is every clone's.
		"machine-id of the image":  {machine{machineID: hex, bootedSince: ""}, unbound},
		"machine-id in capitals":   {machine{machineID: "B08DFA6083E7567A1921A715000001FB"}, mid},
		"machine-id uninitialized": {machine{machineID: "uninitialized\n"}, unbound},
		"machine-id empty":         {machine{machineID: ""}, unbound},
		"machine-id of zeros":      {machine{machineID: "00000000000000000000000000000000"}, unbound},
		"machine-id cut":           {machine{machineID: hex[:31]}, unbound},

		// Garbage never names a machine, and does not hide the next source.
		"empty file":       {machine{runID: "\n", dmiUUID: guid}, dmi},
		"two lines":        {machine{runID: "a\nb", dmiUUID: guid}, dmi},
		"NULs":             {machine{runID: "\x00\x00\x00\x00", dmiUUID: guid}, dmi},
		"an escape":        {machine{runID: "\x1b[2J", dmiUUID: guid}, dmi},
		"no text":          {machine{runID: "\xff\xfe", dmiUUID: guid}, dmi},
		"oversized":        {machine{runID: longer(257), dmiUUID: guid}, dmi},
		"as big as can be": {machine{runID: longer(256)}, identity.ID{Source: identity.CloudInit, Value: longer(256)}},
		"white space":      {machine{runID: " \t" + iid + " \r\n"}, cloud},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := identity.Resolve(tt.machine.open(t)); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestAFolderInPlaceOfAFile(t *testing.T) {
	h := machine{runID + "/x": "", machineID + "/x": "", dmiUUID: guid}.open(t)
	if got := identity.Resolve(h); got.Source != identity.ProductUUID {
		t.Errorf("got %+v", got)
	}
}
