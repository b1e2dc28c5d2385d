package provisioner

import (
	"bytes"
	"debug/elf"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// What "make helpers" has built, if it has: programs of the right processor
// that need nothing of the guest.
func TestBuiltHelpers(t *testing.T) {
	packed, err := fs.Glob(built, "helpers/*.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(packed) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no helpers: run \"make helpers\" first")
		}
		t.Skip("no helpers: run \"make helpers\" first")
	}
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		program, err := helper(built, arch)
		if err != nil {
			t.Error(err)
			continue
		}
		f, err := elf.NewFile(bytes.NewReader(program))
		if err != nil {
			t.Errorf("%s: %v", arch, err)
			continue
		}
		if f.Machine != machine {
			t.Errorf("%s: the helper is for %s", arch, f.Machine)
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_INTERP {
				t.Errorf("%s: the helper is not static", arch)
			}
		}
	}
}

func TestBrokenHelperIsNotUploaded(t *testing.T) {
	whole := pack(t, "#!/bin/sh\n")
	for name, data := range map[string][]byte{"no gzip": []byte("#!/bin/sh\n"), "cut": whole[:len(whole)-4]} {
		files := fstest.MapFS{"helpers/fs-harden-linux-amd64.gz": {Data: data}}
		if _, err := helper(files, "amd64"); err == nil || !strings.Contains(err.Error(), "helpers/fs-harden-linux-amd64.gz") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
