package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// Entry is one path, before and after.
type Entry struct {
	Path   string    `json:"path"`
	Before host.Node `json:"before"`
	// Sum is the SHA-256 of the content written, so that rollback notices what
	// a person has changed since.
	Sum string `json:"sum"`
	// Discard marks what must not come back once the run is final, Aside is the
	// name under which it waits for that.
	Discard bool      `json:"discard,omitempty"`
	Aside   string    `json:"aside,omitempty"`
	After   host.Node `json:"-"`
	// As is the user in whose home the path lies: it is written and put back with
	// his rights. He can make that fail, and so it is nobody else's failure.
	As *host.User `json:"as,omitempty"`
}

func readEntries(h *host.Host, path string) ([]Entry, error) {
	b, err := h.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	var entries []Entry
	if err := json.Unmarshal(b, &entries); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w; put the configuration back from the backup in /root and remove %s", path, err, state.Dir)
	}
	return entries, nil
}

func encoded(entries []Entry) host.Node {
	b, err := json.Marshal(entries)
	if err != nil {
		panic(err) // nodes hold bytes, strings, numbers and times
	}
	return host.NewFile(b, 0o600)
}

// Sum is the SHA-256 of a file's content, empty for what is no file.
func Sum(n host.Node) string {
	if n.Kind != host.File {
		return ""
	}
	s := sha256.Sum256(n.Data)
	return hex.EncodeToString(s[:])
}
