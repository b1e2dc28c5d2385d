package identity_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/identity"
)

// Where the sources are on a machine.
const (
	runID        = "/run/cloud-init/.instance-id"
	status       = "/run/cloud-init/status.json"
	result       = "/run/cloud-init/result.json"
	instanceData = "/run/cloud-init/instance-data.json"
	dataID       = "/var/lib/cloud/data/instance-id"
	manualClean  = "/var/lib/cloud/instance/manual-clean"
	assetTag     = "/sys/class/dmi/id/board_asset_tag"
	dmiUUID      = "/sys/class/dmi/id/product_uuid"
	machineID    = "/etc/machine-id"
	dbusID       = "/var/lib/dbus/machine-id"
	container    = "/run/systemd/container"
	pidSpace     = "/proc/self/ns/pid"
	procStat     = "/proc/stat"
	procInit     = "/proc/1/stat"
)

// What the sources hold, in the tests.
const (
	iid   = "i-0123456789abcdef0"
	iid2  = "i-0fedcba9876543210"
	guid  = "4c4c4544-0042-4d10-8053-c3c04f4a4e32"
	guid2 = "ec2f1234-5678-9abc-def0-c3c04f4a4e32"
	hex   = "b08dfa6083e7567a1921a715000001fb"
	hex2  = "b08dfa6083e7567a1921a715000001fc"
	// Proxmox's ids: SHA-1 of user-data and network.
	digest  = "356a192b7913b04c54574d18c28d46e6395428ab"
	digest2 = "da4b9237bacccdf19c0760cab7aec4a8359010b0"

	localDone    = `{"v1":{"datasource":"DataSourceNoCloud [seed=/dev/sr0][dsmode=net]","init":{"errors":[],"finished":null,"start":null},"init-local":{"errors":[],"finished":1763856000.5,"start":1763855999.9},"stage":null}}`
	localRunning = `{"v1":{"datasource":null,"init-local":{"errors":[],"finished":null,"start":1763855999.9},"stage":"init-local"}}`
	localInVain  = `{"v1":{"datasource":null,"init-local":{"errors":[],"finished":1763856000.5,"start":1763855999.9},"stage":null}}`
)

// machine is a tree of files, made in the boot under way; with the key bootedSince,
// its /proc tells of a boot after they were made. What begins with "->" is a link.
type machine map[string]string

const bootedSince = "booted since"

func (m machine) open(t testing.TB) *host.Host {
	t.Helper()
	root := memory(t)
	for name, content := range m {
		if name != bootedSince {
			write(t, root, name, content)
		}
	}
	at := time.Now().Add(-time.Hour)
	if _, ahead := m[bootedSince]; ahead {
		at = time.Now().Add(time.Hour)
	}
	write(t, root, procStat, "cpu 1 2 3\nbtime "+strconv.FormatInt(at.Unix(), 10)+"\nprocesses 9\n")
	write(t, root, procInit, "1 (systemd) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 50 1 2\n")
	h, err := host.Open(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// seen remembers what was read of a machine: the table has few of them, many times.
var seen sync.Map

func read(t testing.TB, m machine) identity.Instance {
	t.Helper()
	key := fmt.Sprint(map[string]string(m))
	if i, ok := seen.Load(key); ok {
		return i.(identity.Instance)
	}
	i := identity.Read(m.open(t))
	seen.Store(key, i)
	return i
}

// memory is a temporary folder on no disk, where the machine has one (tmpfs(5)).
func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "fs-harden-test")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func write(t testing.TB, root, name, content string) {
	t.Helper()
	p := filepath.Join(root, name)
	err := os.MkdirAll(filepath.Dir(p), 0o755)
	if target, link := strings.CutPrefix(content, "->"); err == nil && link {
		err = os.Symlink(target, p)
	} else if err == nil {
		err = os.WriteFile(p, []byte(content), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestRead(t *testing.T) {
	cloud := identity.Instance{Cloud: identity.Cloud{ID: iid}}
	onDisk := identity.Instance{Cloud: identity.Cloud{ID: iid, Datasource: "NoCloud"}}
	tag := identity.Instance{AssetTag: iid}
	dmi := identity.Instance{UUID: guid}
	mid := identity.Instance{Machine: identity.MachineID{ID: hex, New: true}}
	old := identity.Instance{Machine: identity.MachineID{ID: hex}}
	nothing := identity.Instance{}

	tests := map[string]struct {
		machine machine
		want    identity.Instance
	}{
		"nothing":      {machine{}, nothing},
		"cloud-init":   {machine{runID: iid + "\n"}, cloud},
		"its data":     {machine{status: localDone, dataID: iid + "\n"}, onDisk},
		"ec2 nitro":    {machine{assetTag: iid + "\n"}, tag},
		"ec2, old id":  {machine{assetTag: "i-1a2b3c4d\n"}, identity.Instance{AssetTag: "i-1a2b3c4d"}},
		"product uuid": {machine{dmiUUID: guid + "\n"}, dmi},
		"machine-id":   {machine{machineID: hex + "\n"}, mid},
		"all of them": {
			machine{runID: iid, status: localDone, dataID: "other", assetTag: iid2, dmiUUID: guid, machineID: hex},
			identity.Instance{Cloud: onDisk.Cloud, AssetTag: iid2, UUID: guid, Machine: mid.Machine},
		},

		// A clone's disk holds the id of its origin.
		"clone, before cloud-init":     {machine{dataID: iid2, dmiUUID: guid}, dmi},
		"clone, while it runs":         {machine{dataID: iid2, status: localRunning, dmiUUID: guid}, dmi},
		"clone, datasource on the net": {machine{dataID: iid2, status: localInVain, dmiUUID: guid}, dmi},
		"clone, stage not ended":       {machine{dataID: iid2, status: strings.Replace(localDone, `"finished":1763856000.5`, `"finished":null`, 1), dmiUUID: guid}, dmi},
		"clone, status cut":            {machine{dataID: iid2, status: localDone[:40], dmiUUID: guid}, dmi},
		"clone, status empty":          {machine{dataID: iid2, status: "", dmiUUID: guid}, dmi},
		"cloud-init believes its cache": {
			machine{runID: iid, manualClean: ""},
			identity.Instance{Cloud: identity.Cloud{ID: iid, Shared: true}},
		},

		// DMI.
		"uuid in upper case":      {machine{dmiUUID: strings.ToUpper(guid)}, dmi},
		"asset tag of others":     {machine{assetTag: "Default string\n", dmiUUID: guid}, dmi},
		"asset tag in capitals":   {machine{assetTag: "I-0123456789ABCDEF0"}, nothing},
		"asset tag too long":      {machine{assetTag: iid + "0"}, nothing},
		"uuid of zeros":           {machine{dmiUUID: "00000000-0000-0000-0000-000000000000"}, nothing},
		"uuid of ones":            {machine{dmiUUID: "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"}, nothing},
		"uuid of the firmware":    {machine{dmiUUID: "03000200-0400-0500-0006-000700080009"}, nothing},
		"the same, swapped":       {machine{dmiUUID: "00020003-0004-0005-0006-000700080009"}, nothing},
		"12345678":                {machine{dmiUUID: "12345678-1234-5678-90AB-CDDEEFAABBCC"}, nothing},
		"12345678, swapped":       {machine{dmiUUID: "78563412-3412-7856-1234-567812345678"}, nothing},
		"uuid, not a uuid":        {machine{dmiUUID: "Not Settable"}, nothing},
		"uuid without dashes":     {machine{dmiUUID: strings.ReplaceAll(guid, "-", "")}, nothing},
		"uuid with a dash moved":  {machine{dmiUUID: "4c4c45440-042-4d10-8053-c3c04f4a4e32"}, nothing},
		"shared uuid, machine-id": {machine{dmiUUID: "00000000-0000-0000-0000-000000000000", machineID: hex}, mid},

		// A container shows its host's DMI, whether somebody says that it is one or not.
		"container":             {machine{container: "lxc", assetTag: iid, dmiUUID: guid, machineID: hex}, mid},
		"docker":                {machine{"/.dockerenv": "", assetTag: iid, dmiUUID: guid}, nothing},
		"podman":                {machine{"/run/.containerenv": "", dmiUUID: guid}, nothing},
		"container, cloud-init": {machine{container: "lxc", runID: iid, dmiUUID: guid}, cloud},
		"containerd":            {machine{pidSpace: "->pid:[4026532241]", assetTag: iid, dmiUUID: guid, machineID: hex}, mid},
		"a machine":             {machine{pidSpace: "->pid:[4026531836]", dmiUUID: guid}, dmi},

		// A machine-id that the image brought along is every clone's.
		"machine-id of the image":  {machine{machineID: hex, bootedSince: ""}, old},
		"machine-id in capitals":   {machine{machineID: strings.ToUpper(hex)}, mid},
		"machine-id uninitialized": {machine{machineID: "uninitialized\n"}, nothing},
		"machine-id empty":         {machine{machineID: ""}, nothing},
		"machine-id of zeros":      {machine{machineID: strings.Repeat("0", 32)}, nothing},
		"machine-id cut":           {machine{machineID: hex[:31]}, nothing},
		"D-Bus's is a link to it":  {machine{machineID: hex, dbusID: "->/etc/machine-id"}, mid},
		"D-Bus's of this boot":     {machine{machineID: hex, dbusID: hex}, mid},

		// Garbage never names a machine, and does not hide the next source.
		"empty file":       {machine{runID: "\n", dmiUUID: guid}, dmi},
		"two lines":        {machine{runID: "a\nb", dmiUUID: guid}, dmi},
		"NULs":             {machine{runID: "\x00\x00\x00\x00", dmiUUID: guid}, dmi},
		"an escape":        {machine{runID: "\x1b[2J", dmiUUID: guid}, dmi},
		"no text":          {machine{runID: "\xff\xfe", dmiUUID: guid}, dmi},
		"oversized":        {machine{runID: strings.Repeat("x", 257), dmiUUID: guid}, dmi},
		"as big as can be": {machine{runID: strings.Repeat("x", 256)}, identity.Instance{Cloud: identity.Cloud{ID: strings.Repeat("x", 256)}}},
		"white space":      {machine{runID: " \t" + iid + " \r\n"}, cloud},
		"a folder":         {machine{runID + "/x": "", machineID + "/x": "", dmiUUID: guid}, dmi},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := read(t, tt.machine); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// systemd takes D-Bus's machine-id where it finds none: then it is written in this
// boot and as old as the image all the same.
func TestMachineIDThatCameByDBus(t *testing.T) {
	t.Parallel()
	h := machine{dbusID: hex}.open(t)
	changed, err := h.Inode(dbusID)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(changed.Add(1100 * time.Millisecond))) // /proc tells of boots by the second
	write(t, h.Root(), procStat, "btime "+strconv.FormatInt(time.Now().Unix(), 10)+"\n")
	write(t, h.Root(), procInit, "1 (systemd) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 0 1 2\n")
	write(t, h.Root(), machineID, hex)
	if got := identity.Read(h).Machine; got.ID != hex || got.New {
		t.Errorf("got %+v", got)
	}
	write(t, h.Root(), machineID, hex2)
	if got := identity.Read(h).Machine; got.ID != hex2 || !got.New {
		t.Errorf("one of its own: got %+v", got)
	}
}

func TestTelling(t *testing.T) {
	for name, tt := range map[string]struct {
		m      machine
		source identity.Source
		value  string
	}{
		"cloud-init":  {ec2(iid).files("25.1.4").with(machine{assetTag: iid2, dmiUUID: guid, machineID: hex}), identity.CloudInit, iid},
		"a template":  {noCloud("iid-local01").files("25.1.4").with(machine{dmiUUID: guid}), identity.ProductUUID, guid},
		"a cache":     {machine{runID: iid, manualClean: "", assetTag: iid2, dmiUUID: guid}, identity.EC2, iid2},
		"uuid":        {machine{dmiUUID: guid, machineID: hex}, identity.ProductUUID, guid},
		"machine-id":  {machine{machineID: hex}, identity.FromMachine, hex},
		"the image's": {machine{machineID: hex, bootedSince: ""}, identity.Unbound, "unbound"},
		"nothing":     {machine{}, identity.Unbound, "unbound"},
	} {
		i := read(t, tt.m)
		if i.Source() != tt.source || i.String() != tt.value || i.Known() != (tt.source != identity.Unbound) {
			t.Errorf("%s: %s %s, known %v", name, i.Source(), i, i.Known())
		}
	}
}
