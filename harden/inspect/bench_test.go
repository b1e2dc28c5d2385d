package inspect_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/inspect"
)

// large is a machine with 50,000 files and, as sizes go, 5 GB. A half of the files
// lie where looks go: voicemail, call records, homes, logs, a configuration of 5,000
// users with 2,000 files beside it that FreeSWITCH does not read.
func large(tb testing.TB) tree {
	tb.Helper()
	tr := newTree(tb)
	script := strings.Repeat("-- a line of a script\nsession:execute('playback', file)\n", 40)
	for _, part := range []struct {
		dir   string
		files int
		text  func(n int) string
	}{
		{"/usr/share/doc", 25000, nil},
		{"/var/lib/freeswitch/storage/voicemail/default/example.net/1000", 4000, nil},
		{"/var/log/freeswitch/xml_cdr", 4000, nil},
		{"/home/admin", 2000, nil},
		{"/home/admin/.ssh/keys", 500, func(int) string { return "ssh-ed25519 AAAA\n" }},
		{"/var/log/app", 5000, nil},
		{"/var/lib/freeswitch/db/more", 1000, func(int) string { return "x" }},
		{"/etc/letsencrypt/archive", 500, func(int) string { return "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n" }},
		{"/etc/freeswitch/directory", 5000, func(n int) string {
			return fmt.Sprintf("<include>\n<domain name=\"d%d\"><users><user id=\"%[1]d\"><params><param name=\"password\" value=\"Pw%[1]d\"/></params></user></users></domain>\n</include>\n", n)
		}},
		{"/etc/freeswitch/scripts", 2000, func(int) string { return script }},
	} {
		for n := range part.files {
			dir := tr.at(part.dir)
			if !strings.HasSuffix(part.dir, "/directory") {
				dir = filepath.Join(dir, fmt.Sprint(n/500))
			}
			if n%500 == 0 {
				tr.must(os.MkdirAll(dir, 0o755))
			}
			text := ""
			if part.text != nil {
				text = part.text(n)
			}
			tr.must(os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.xml", n)), []byte(text), 0o644))
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
	defer processorTime(b)()
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
	defer processorTime(b)()
	for b.Loop() {
		if found, err := inspect.Look(context.Background(), h, inspect.Options{ConfDir: confDir}); err != nil || len(found) < 60 {
			b.Fatal(err, len(found))
		}
	}
}

// processorTime reports how long the processor was busy with it, which other
// programs do not change much.
func processorTime(b *testing.B) (end func()) {
	busy := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := busy()
	return func() { b.ReportMetric(float64(busy()-before)/float64(b.N)/1e6, "cpu-ms/op") }
}
