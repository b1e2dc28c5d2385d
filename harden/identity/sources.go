package identity

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// maxID bounds what is taken for an identity, in bytes.
const maxID = 256

func line(h *host.Host, path string) string {
	b, err := h.ReadFile(path)
	if err != nil {
		return ""
	}
	s := strings.TrimSpace(string(b))
	// What JSON could not give back unchanged would look like another instance.
	if len(s) > maxID || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return s
}

// cloudInit is written by cloud-init in this boot: /run is empty before it.
func cloudInit(h *host.Host) string {
	return named(line(h, "/run/cloud-init/.instance-id"))
}

// cloudInitData lives on the disk, and a clone holds its origin's until
// cloud-init's local stage has run: status.json in /run is the proof of that.
func cloudInitData(h *host.Host) string {
	b, err := h.ReadFile("/run/cloud-init/status.json")
	if err != nil || !localStageDone(b) {
		return ""
	}
	return named(line(h, "/var/lib/cloud/data/instance-id"))
}

// sharedInstanceIDs are what cloud-init takes where the metadata names no
// instance, the same on every machine (cloud-init, sources/*.py).
var sharedInstanceIDs = map[string]bool{
	"iid-datasource":          true, // __init__.py
	"iid-datasource-none":     true, // DataSourceNone.py: no datasource answered
	"nocloud":                 true, // DataSourceNoCloud.py
	"iid-dsconfigdrive":       true, // DataSourceConfigDrive.py
	"iid-dsopennebula":        true, // DataSourceOpenNebula.py
	"iid-dsopenstack":         true, // DataSourceOpenStack.py
	"iid-dsovf":               true, // DataSourceOVF.py
	"NO_PREVIOUS_INSTANCE_ID": true, // stages.py
}

func named(s string) string {
	if sharedInstanceIDs[s] {
		return ""
	}
	return s
}

// ec2 is the instance id on Nitro machines, known without the network.
func ec2(h *host.Host) string {
	if h.Container() {
		return ""
	}
	s := line(h, "/sys/class/dmi/id/board_asset_tag")
	if id, ok := strings.CutPrefix(s, "i-"); ok && (len(id) == 8 || len(id) == 17) && isHex(id) {
		return s
	}
	return ""
}

// isUUID tells the form of RFC 9562, section 4, in lower case.
func isUUID(s string) bool {
	for i, part := range strings.Split(s, "-") {
		if i > 4 || len(part) != [...]int{8, 4, 4, 4, 12}[i] || !isHex(part) {
			return false
		}
	}
	return len(s) == 36
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// sharedUUIDs come from firmware that nobody filled in: many machines have them.
var sharedUUIDs = map[string]bool{
	"00000000-0000-0000-0000-000000000000": true,
	"ffffffff-ffff-ffff-ffff-ffffffffffff": true,
	"03000200-0400-0500-0006-000700080009": true, // AMI's reference firmware
	"00020003-0004-0005-0006-000700080009": true, // the same in the other byte order
	"12345678-1234-5678-90ab-cddeefaabbcc": true,
	"12345678-1234-5678-1234-567812345678": true,
	"fefefefe-fefe-fefe-fefe-fefefefefefe": true,
	"01010101-0101-0101-0101-010101010101": true,
	"10000000-0000-8000-0040-000000000000": true,
}

// productUUID is the machine's SMBIOS identity; in a container it is the host's.
func productUUID(h *host.Host) string {
	s := strings.ToLower(line(h, "/sys/class/dmi/id/product_uuid"))
	if h.Container() || !isUUID(s) || sharedUUIDs[s] {
		return ""
	}
	return s
}

func machineID(h *host.Host) string {
	s := strings.ToLower(line(h, "/etc/machine-id"))
	if len(s) != 32 || !isHex(s) || strings.Trim(s, "0") == "" { // machine-id(5): all zeros is none
		return ""
	}
	return s
}

// machineIDIsNew tells whether systemd made the id in this boot. An image that
// was snapshotted with one gives every clone the same. The inode's change time
// is what tells: a copy cannot bring along one later than its own boot, unless
// the clock is behind the day of the image; a time to come is nobody's.
func machineIDIsNew(h *host.Host) bool {
	boot := h.BootTime()
	changed, err := h.Inode("/etc/machine-id")
	return err == nil && !boot.IsZero() && !changed.Before(boot) && !changed.After(time.Now())
}
