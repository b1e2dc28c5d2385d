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

// assetTag is the instance id on Nitro machines, known without the network.
func assetTag(h *host.Host) string {
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

// productUUID is the machine's SMBIOS identity. What it is in the other byte order is
// compared as well: firmware that nobody filled in is read in both.
func productUUID(h *host.Host) string {
	s := strings.ToLower(line(h, "/sys/class/dmi/id/product_uuid"))
	if !isUUID(s) || sharedUUIDs[s] || sharedUUIDs[swapped(s)] {
		return ""
	}
	return s
}

// sameUUID compares UUIDs without regard to case, which kernels have changed
// (Launchpad 1835584), and to the byte order of the first three groups, which SMBIOS
// 2.6 turned round and firmware and hypervisors follow or do not (DSP0134, 7.2.1).
func sameUUID(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return isUUID(a) && isUUID(b) && (a == b || swapped(a) == b)
}

// swapped is a UUID in the other byte order. s has the form of one.
func swapped(s string) string {
	turned := func(from, to int) string {
		var b strings.Builder
		for i := to - 2; i >= from; i -= 2 {
			b.WriteString(s[i : i+2])
		}
		return b.String()
	}
	return turned(0, 8) + "-" + turned(9, 13) + "-" + turned(14, 18) + s[18:]
}

const machineIDPath = "/etc/machine-id"

// machineID is systemd's, and whether it was made in this boot.
func machineID(h *host.Host) MachineID {
	id := asMachineID(line(h, machineIDPath))
	if id == "" {
		return MachineID{}
	}
	return MachineID{ID: id, New: madeInThisBoot(h, machineIDPath) && id != dbusID(h)}
}

func asMachineID(s string) string {
	s = strings.ToLower(s)
	if len(s) != 32 || !isHex(s) || strings.Trim(s, "0") == "" { // machine-id(5): all zeros is none
		return ""
	}
	return s
}

// dbusID is D-Bus's machine-id where it is a file of its own that was there before
// this boot. systemd takes it where /etc/machine-id is empty
// (systemd-machine-id-setup(1)): then the id is as old as the image.
func dbusID(h *host.Host) string {
	const path = "/var/lib/dbus/machine-id"
	if n, err := h.Outline(path); err != nil || n.Kind != host.File || madeInThisBoot(h, path) {
		return ""
	}
	return asMachineID(line(h, path))
}

// madeInThisBoot tells whether a file was. An image that was snapshotted with a
// machine-id gives every clone the same. The inode's change time is what tells: a
// copy cannot bring along one later than its own boot, unless the clock is behind the
// day of the image; a time to come is nobody's.
func madeInThisBoot(h *host.Host, path string) bool {
	boot := h.BootTime()
	changed, err := h.Inode(path)
	return err == nil && !boot.IsZero() && !changed.Before(boot) && !changed.After(time.Now())
}
