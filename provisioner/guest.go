package provisioner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// guest is the machine being baked, as seen through Packer's communicator.
// Its methods return soon after ctx ends, whatever the communicator does.
type guest struct {
	comm packersdk.Communicator
	ui   packersdk.Ui
	wait func(try int) time.Duration
}

// lostConnection are the statuses that mean "no status": the SDK's own for a
// connection that broke, and the one of its RPC layer (rpc/communicator.go).
func lostConnection(status int) bool {
	return status == packersdk.CmdDisconnect || status == 123
}

// start runs command with its output going to the writers, and returns its
// exit status. A transportError means that it did not start.
func (g *guest) start(ctx context.Context, command string, stdout, stderr io.Writer) (int, error) {
	cmd := &packersdk.RemoteCmd{Command: command, Stdout: stdout, Stderr: stderr}
	status, started := make(chan int, 1), make(chan error, 1)
	go func() {
		if err := g.comm.Start(ctx, cmd); err != nil {
			started <- err
			return
		}
		status <- cmd.Wait()
	}()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case err := <-started:
		return 0, transportError{err}
	case s := <-status:
		return s, nil
	}
}

// ask runs a short command that may safely run twice, and returns what it
// prints and its exit status.
func (g *guest) ask(ctx context.Context, command string) (stdout, stderr string, status int, err error) {
	err = persist(ctx, g.wait, func() error {
		var out, bad buffer
		s, err := g.start(ctx, command, &out, &bad)
		if err != nil {
			return err
		}
		if lostConnection(s) {
			return transportError{errors.New("the connection broke while the command ran")}
		}
		stdout, stderr, status = out.String(), bad.String(), s
		return nil
	})
	return stdout, stderr, status, err
}

// put uploads data to a path on the guest. With show the progress is seen.
func (g *guest) put(ctx context.Context, to string, data []byte, mode fs.FileMode, show bool) error {
	err := persist(ctx, g.wait, func() error {
		done := make(chan error, 1)
		go func() { done <- g.upload(to, data, mode, show) }()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-done:
			return err
		}
	})
	if err != nil {
		return fmt.Errorf("uploading %s: %w", to, err)
	}
	return nil
}

func (g *guest) upload(to string, data []byte, mode fs.FileMode, show bool) error {
	body := io.NopCloser(bytes.NewReader(data))
	if show {
		body = g.ui.TrackProgress(path.Base(to), 0, int64(len(data)), body)
		defer func() { _ = body.Close() }() // it ends the progress bar
	}
	var info os.FileInfo = fileInfo{path.Base(to), int64(len(data)), mode}
	if err := g.comm.Upload(to, body, &info); err != nil {
		return transportError{err}
	}
	return nil
}

// fileInfo spares the SSH communicator a temporary file for finding out the
// size, and gives the file its mode.
type fileInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (f fileInfo) Name() string       { return f.name }
func (f fileInfo) Size() int64        { return f.size }
func (f fileInfo) Mode() fs.FileMode  { return f.mode }
func (f fileInfo) ModTime() time.Time { return time.Time{} }
func (f fileInfo) IsDir() bool        { return false }
func (f fileInfo) Sys() any           { return nil }

// buffer may be written to by a command that outlived its context.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
