package provisioner

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// local is a guest that is this machine: commands run by "sh -c", with folder
// bin in front of PATH, so that a test decides what uname, id and sudo say.
type local struct {
	bin, home string

	// before each command or upload; an error is the transport's.
	onStart  func(command string) error
	onUpload func(path string) error
	// exit may replace a command's exit status.
	exit func(command string, status int) int

	mu       sync.Mutex
	commands []string
	uploads  []string
	modes    map[string]fs.FileMode
}

// newLocal is a guest whose user is root on a Linux x86_64 machine.
func newLocal(t *testing.T) *local {
	t.Helper()
	g := &local{bin: t.TempDir(), home: t.TempDir(), modes: map[string]fs.FileMode{}}
	g.program(t, "uname", `case $1 in -s) echo Linux;; -m) echo x86_64;; esac`)
	g.program(t, "id", "echo 0")
	return g
}

func (g *local) program(t *testing.T, name, body string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(g.bin, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (g *local) Start(_ context.Context, cmd *packersdk.RemoteCmd) error {
	g.mu.Lock()
	g.commands = append(g.commands, cmd.Command)
	g.mu.Unlock()
	if g.onStart != nil {
		if err := g.onStart(cmd.Command); err != nil {
			return err
		}
	}
	c := exec.Command("sh", "-c", cmd.Command)
	c.Env = []string{"PATH=" + g.bin + ":" + os.Getenv("PATH"), "HOME=" + g.home}
	c.Stdin, c.Stdout, c.Stderr = cmd.Stdin, cmd.Stdout, cmd.Stderr
	// Not the test's own process would hold the pipes for ever.
	c.WaitDelay = 10 * time.Second
	if err := c.Start(); err != nil {
		return err
	}
	go func() {
		_ = c.Wait() // the status says it
		status := c.ProcessState.ExitCode()
		if g.exit != nil {
			status = g.exit(cmd.Command, status)
		}
		cmd.SetExited(status)
	}()
	return nil
}

func (g *local) Upload(path string, r io.Reader, info *os.FileInfo) error {
	g.mu.Lock()
	g.uploads = append(g.uploads, path)
	g.mu.Unlock()
	if g.onUpload != nil {
		if err := g.onUpload(path); err != nil {
			return err
		}
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if int64(len(data)) != (*info).Size() {
		return fmt.Errorf("%d bytes came for %s, %d were announced", len(data), path, (*info).Size())
	}
	g.mu.Lock()
	g.modes[filepath.Base(path)] = (*info).Mode()
	g.mu.Unlock()
	return os.WriteFile(path, data, (*info).Mode())
}

func (g *local) UploadDir(string, string, []string) error   { return fmt.Errorf("not used") }
func (g *local) Download(string, io.Writer) error           { return fmt.Errorf("not used") }
func (g *local) DownloadDir(string, string, []string) error { return fmt.Errorf("not used") }

// ran gives the commands that hold part.
func (g *local) ran(part string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []string
	for _, c := range g.commands {
		if strings.Contains(c, part) {
			all = append(all, c)
		}
	}
	return all
}

// folder is where the run put its files, once anything was uploaded.
func (g *local) folder(t *testing.T) string {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.uploads) == 0 {
		t.Fatal("nothing was uploaded")
	}
	return filepath.Dir(g.uploads[0])
}

// console is a Ui that keeps what it was told.
type console struct {
	packersdk.Ui // panics for what a provisioner has no business with

	mu      sync.Mutex
	lines   []string
	tracked []string
}

func (c *console) add(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line)
}

func (c *console) Say(s string)                  { c.add("say    " + s) }
func (c *console) Sayf(f string, a ...any)       { c.Say(fmt.Sprintf(f, a...)) }
func (c *console) Error(s string)                { c.add("error  " + s) }
func (c *console) Errorf(f string, a ...any)     { c.Error(fmt.Sprintf(f, a...)) }
func (c *console) Machine(_ string, _ ...string) {}

func (c *console) TrackProgress(name string, _, size int64, r io.ReadCloser) io.ReadCloser {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tracked = append(c.tracked, fmt.Sprintf("%s %d", name, size))
	return r
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.lines, "\n") + "\n"
}

// helpersOf packs a shell program as the helper of both architectures. It
// answers "version" by itself.
func helpersOf(t *testing.T, body string) fs.FS {
	t.Helper()
	program := "#!/bin/sh\nif [ \"$1\" = version ]; then echo 'fs-harden 9.9.9'; exit 0; fi\n" + body + "\n"
	return fstest.MapFS{
		"helpers/fs-harden-linux-amd64.gz": {Data: pack(t, program)},
		"helpers/fs-harden-linux-arm64.gz": {Data: pack(t, "#!/bin/sh\necho 'fs-harden 9.9.9 for arm64'; exit 0\n")},
	}
}

func pack(t *testing.T, program string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, program); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// prepared is a provisioner of the given block with body as its helper. It
// works in a folder of the test's own unless the block says otherwise.
func prepared(t *testing.T, block map[string]any, body string) *Provisioner {
	t.Helper()
	all := map[string]any{"remote_folder": t.TempDir()}
	for k, v := range block {
		all[k] = v
	}
	p := &Provisioner{
		helpers: helpersOf(t, body),
		wait:    func(int) time.Duration { return time.Millisecond },
	}
	if err := p.Prepare(map[string]any{"packer_build_name": "lab", "packer_builder_type": "null"}, all); err != nil {
		t.Fatal(err)
	}
	return p
}

// closing is the helper's closing line of a run that went well.
const closing = `{"version":1,"phase":"bake","result":"ok","instance_id":"","duration_ms":1234,"steps":[]}`
