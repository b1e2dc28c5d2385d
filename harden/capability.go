package harden

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
)

// deaf says why the kernel's rules cannot be changed from here; empty if they can.
func deaf(m *Machine) string {
	if !m.Live {
		return m.WhyNot
	}
	if !hasCapability(m, capNetAdmin) {
		return "this machine may not change its network (no CAP_NET_ADMIN)"
	}
	return ""
}

// Capabilities by their numbers (include/uapi/linux/capability.h).
const (
	capNetAdmin = 12
	capSysAdmin = 21
)

// hasCapability looks at this process's own (proc(5), CapEff).
func hasCapability(m *Machine, number uint) bool {
	status, err := m.ReadFile("/proc/self/status")
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if hex, ok := strings.CutPrefix(line, "CapEff:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return err == nil && n&(1<<number) != 0
		}
	}
	return false
}
