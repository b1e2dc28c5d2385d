package provisioner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

const manyUsers = 10000

// manyUsersTree is a machine's file system with a vanilla FreeSWITCH and so many
// users of a site, each of which has its own number as PIN.
func manyUsersTree(t *testing.T) string {
	t.Helper()
	tree := inMemory(t)
	conf := filepath.Join(tree, "etc/freeswitch")
	if err := os.CopyFS(conf, os.DirFS("../../shared/data/vanilla-conf-1.10.12")); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(tree, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(p, 0o755)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range manyUsers {
		n := 20000 + i
		text := fmt.Sprintf("<include>\n<user id=\"%d\"><params><param name=\"password\" value=\"a-secret-of-%d\"/><param name=\"vm-password\" value=\"%d\"/></params></user>\n</include>\n", n, n*7, n)
		if err := os.WriteFile(filepath.Join(conf, "directory/default", fmt.Sprintf("%d.xml", n)), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"etc/os-release":                        "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n",
		"etc/passwd":                            fmt.Sprintf("root:x:0:0:root:/root:/bin/bash\nadmin:x:%d:%d::/home/admin:/bin/sh\n", os.Getuid(), os.Getgid()),
		"lib/systemd/system/freeswitch.service": "[Service]\nExecStart=/usr/bin/freeswitch\n",
		"root/.keep":                            "", "usr/local/sbin/.keep": "", "var/lib/.keep": "", "etc/systemd/system/.keep": "",
	} {
		p := filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// inMemory is a temporary folder on no disk, where the machine has one (tmpfs(5)).
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "fs-harden-test")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// A bake of 10,000 users is good, its report is short and has every number, and
// what the helper prints is what this side reads: the program is the real one.
func TestABakeOfManyUsers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "fs-harden")
	if out, err := exec.Command("go", "build", "-o", program, "../harden/cmd/fs-harden").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	tree := manyUsersTree(t)
	for _, command := range []string{"apply --image", "inspect"} {
		out := runHelper(t, program, append(strings.Fields(command), "--root", tree, "--json")...)
		for line := range bytes.Lines(out) {
			if len(line) > 512<<10 {
				t.Errorf("%s: a line of %d bytes", command, len(line))
			}
		}
		printed := filepath.Join(dir, "printed")
		if err := os.WriteFile(printed, out, 0o644); err != nil {
			t.Fatal(err)
		}
		kept := filepath.Join(dir, "report.json")
		p := prepared(t, map[string]any{"report": kept}, "cat "+printed)
		ui := &console{}
		if err := p.Provision(t.Context(), ui, newLocal(t), nil); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, ui)
		}
		data, err := os.ReadFile(kept)
		if err != nil {
			t.Fatal(err)
		}
		var rep report.Report
		if err := json.Unmarshal(data, &rep); err != nil {
			t.Fatal(err)
		}
		listed, all := 0, 0
		for _, st := range rep.Steps {
			listed += len(st.Findings)
			all += st.Count(report.Warning) + st.Count(report.Error)
		}
		t.Logf("%s: %d bytes printed, %d kept, %d of %d findings listed", command, len(out), len(data), listed, all)
		if all < manyUsers || listed > 1000 || len(data) > 512<<10 {
			t.Errorf("%s: %d findings, %d of them listed, in %d bytes", command, all, listed, len(data))
		}
		if !regexp.MustCompile(`warning: (directory: )?/etc/freeswitch/directory/default/[0-9]+\.xml, .* and more: .*\(the first of 1[0-9]{4} findings: the report has the first 100 of each kind, and counts the rest\)`).MatchString(ui.String()) {
			t.Errorf("%s: the screen does not say how many there are:\n%s", command, ui)
		}
	}
	// And for people the last line has every one.
	out := runHelper(t, program, "inspect", "--root", tree)
	if !regexp.MustCompile(`and 10[0-9]{3} more \(--json names the first 100\)\n`).Match(out) || !regexp.MustCompile(`, errors: 0, warnings: 2[0-9]{4}\n$`).Match(out) {
		t.Errorf("inspect says\n%s", out)
	}
}

func runHelper(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	c := exec.Command(program, args...)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v %s", args, err, said.String())
	}
	return out
}
