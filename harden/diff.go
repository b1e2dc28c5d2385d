package harden

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// writeDiff shows what the planned steps would change, as a unified diff with
// every secret masked.
func writeDiff(w io.Writer, plans []planned) error {
	for _, p := range plans {
		for _, en := range p.entries {
			if _, err := io.WriteString(w, entryDiff(en)); err != nil {
				return fmt.Errorf("writing the diff: %w", err)
			}
		}
	}
	return nil
}

func entryDiff(en plannedEntry) string {
	from, to := "a"+en.Path, "b"+en.Path
	if en.Before.Kind == host.Absent {
		from = "/dev/null"
	}
	if en.After.Kind == host.Absent {
		to = "/dev/null"
	}
	switch {
	case en.Discard && en.After.Kind == host.File:
		return fmt.Sprintf("emptied: %s, %d bytes\n", en.Path, en.size)
	case en.Discard && en.Before.Kind == host.File:
		return fmt.Sprintf("removed for good: %s, %d bytes\n", en.Path, en.size)
	case en.Discard:
		return fmt.Sprintf("removed for good: %s\n", en.Path)
	case en.After.Kind == host.Folder:
		return fmt.Sprintf("new folder %s (%04o)\n", en.Path, en.After.Mode)
	case en.After.Kind == host.Symlink:
		return fmt.Sprintf("new link %s -> %s\n", en.Path, en.After.Target)
	case !text(en.Before.Data) || !text(en.After.Data):
		return fmt.Sprintf("binary file %s (%04o), %d bytes\n", en.Path, en.After.Mode, len(en.After.Data))
	case bytes.Equal(en.Before.Data, en.After.Data):
		return fmt.Sprintf("mode of %s: %04o, owner %d:%d\n", en.Path, en.After.Mode, en.After.UID, en.After.GID)
	case strings.HasSuffix(en.Path, ".bak"):
		// A copy of the original: its text would show old secrets and teach nothing.
		return fmt.Sprintf("new copy of the original: %s\n", en.Path)
	}
	d := diff.Diff(from, masked(en.Before.Data, en.mask), to, masked(en.After.Data, en.mask))
	// The library begins with a line of its own that patch(1) would pass over.
	if _, rest, ok := strings.Cut(string(d), "\n"); ok && bytes.HasPrefix(d, []byte("diff ")) {
		return rest
	}
	return string(d)
}

// masked hides secrets. Old and new read differently, or the line that changed
// would be the same on both sides.
func masked(data []byte, mask map[string]string) []byte {
	for value, shown := range mask {
		if value != "" {
			data = bytes.ReplaceAll(data, []byte(value), []byte(shown))
		}
	}
	return data
}

func text(b []byte) bool { return utf8.Valid(b) && !bytes.ContainsRune(b, 0) }
