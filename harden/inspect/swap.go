package inspect

import (
	"path"
	"slices"
	"strings"
)

// swap looks for the memory of the build, written to disk.
func swap(s *scene) {
	files := []string{"/swapfile", "/swap.img", "/swap", "/swap/swapfile", "/var/swap", "/var/swapfile"}
	for _, l := range s.lines("/etc/fstab") {
		f := strings.Fields(l)
		if len(f) < 3 || f[2] != "swap" {
			continue
		}
		s.add(advice(Known, "/etc/fstab", "swaps to "+f[0]+": what was in the build's memory may be there, keys and passwords",
			"remove the line from "+s.on("/etc/fstab")+", and let the instance make its own"))
		if path.IsAbs(f[0]) && !strings.HasPrefix(f[0], "/dev/") && !slices.Contains(files, path.Clean(f[0])) {
			files = append(files, path.Clean(f[0]))
		}
	}
	off := ""
	if s.Root() == "/" {
		off = "swapoff -a; "
	}
	for _, p := range files {
		if at, g, ok := s.file(p); ok && s.isSwap(at, g.Size) {
			s.add(advice(System, at, "a swap file: what was in the build's memory, keys and passwords", off+s.rm(at)))
		}
	}
}

// isSwap looks for the signature in the last ten bytes of the first page, which
// has 4, 16 or 64 KiB (mkswap(8), include/linux/swap.h).
func (s *scene) isSwap(p string, size int64) bool {
	for _, page := range []int64{4 << 10, 16 << 10, 64 << 10} {
		if size < page {
			return false
		}
		mark, err := s.Peek(p, page-10, 10)
		if err != nil {
			s.unreadable(p, err)
			return false
		}
		if m := string(mark); m == "SWAPSPACE2" || m == "SWAP-SPACE" {
			return true
		}
	}
	return false
}
