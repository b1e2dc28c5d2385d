package inspect_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
)

// large is a machine with 50,000 files and, as sizes go, 5 GB. A fifth of the
// files lie where looks go: voicemail, call records, a home.
func large(tb testing.TB) tree {
	tb.Helper()
	tr := newTree(tb)
	for _, part := range []struct {
		dir   string
		files int
	}{
		{"/usr/share/doc", 40000},
		{"/var/lib/freeswitch/storage/voicemail/default/example.net/1000", 4000},
		{"/var/log/freeswitch/xml_cdr", 4000},
		{"/home/admin", 2000},
	} {
		for n := range part.files {
			dir := tr.at(filepath.Join(part.dir, fmt.Sprint(n/500)))
			if n%500 == 0 {
				tr.must(os.MkdirAll(dir, 0o755))
			}
			tr.must(os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.x", n)), nil, 0o644))
		}
	}
	for p, size := range map[string]int64{
		"/swap.img": 2 << 30, "/var/log/freeswitch/freeswitch.log": 1000 << 20,
		"/var/lib/freeswitch/db/core.db": 500 << 20, wss: 1 << 30, "/usr/share/big": 1 << 30,
	} {
		tr.sparse(p, size)
	}
	other := strings.Replace(installed("other", "1.0-1"), "for calls", strings.Repeat("x", 800), 1)
	tr.put(dpkgStatus, strings.Repeat(other, 2000)+installed("freeswitch", "1.10.12-1"))
	return tr
}

// BenchmarkLook is all looks at a large machine: 50,000 files, 5 GB.
func BenchmarkLook(b *testing.B) {
	h := large(b).host()
	for b.Loop() {
		if _, err := inspect.Look(context.Background(), h, inspect.Options{ConfDir: confDir}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLookAtVanilla is all looks at a machine that has FreeSWITCH's own
// configuration and little else: most of it is reading that.
func BenchmarkLookAtVanilla(b *testing.B) {
	tr := newTree(b)
	tr.must(os.RemoveAll(tr.at(confDir)))
	tr.must(os.CopyFS(tr.at(confDir), os.DirFS("../../../shared/data/vanilla-conf-1.10.12")))
	h := tr.host()
	for b.Loop() {
		if found, err := inspect.Look(context.Background(), h, inspect.Options{ConfDir: confDir}); err != nil || len(found) < 60 {
			b.Fatal(err, len(found))
		}
	}
}
