package journal

import (
	"errors"
	"io/fs"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// OriginalsPath holds, of every path that was ever changed, what stood there
// before the first change: what rollback needs, and no secret made here.
const OriginalsPath = state.Dir + "/originals.json"

// Originals are those of every run so far.
func Originals(h *host.Host) ([]Entry, error) {
	entries, err := readEntries(h, OriginalsPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// merge keeps the first original of every path and the last sum. The secrets of
// an earlier boot or rotation stand in later originals only, and so are dropped.
func merge(originals, later []Entry) []Entry {
	at := map[string]int{}
	for i, en := range originals {
		at[en.Path] = i
	}
	for _, en := range later {
		if i, ok := at[en.Path]; ok {
			originals[i].Sum = en.Sum
			continue
		}
		at[en.Path] = len(originals)
		originals = append(originals, en)
	}
	return originals
}
