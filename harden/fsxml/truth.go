package fsxml

import "strings"

// True tells what FreeSWITCH takes for on (switch_true, switch_utils.h:518): one of
// these words, or a number whose whole part is not 0 (switch_is_number, atoi).
func True(value string) bool {
	switch strings.ToLower(value) {
	case "yes", "on", "true", "t", "enabled", "active", "allow":
		return true
	}
	digits := strings.TrimLeft(value, "+-")
	if len(value)-len(digits) > 1 || strings.Trim(digits, "0123456789.") != "" {
		return false
	}
	whole, _, _ := strings.Cut(digits, ".")
	return strings.Trim(whole, "0") != ""
}
