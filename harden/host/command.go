package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Runner starts programs of the machine. It is one method so that tests can
// stand in for a whole machine.
type Runner interface {
	// Run gives what the program printed on standard output. A program that
	// exits non-zero is an error that holds the end of its standard error.
	Run(ctx context.Context, name string, args ...string) ([]byte, error)
}

// Exec runs programs for real.
type Exec struct{}

// commandTimeout bounds any one program, in case it waits for a person.
const commandTimeout = 2 * time.Minute

// Run implements Runner. Arguments never hold a secret: they show in ps.
func (Exec) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	program, err := locate(name)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // names are literals in this project
	cmd.Env = []string{"PATH=" + childPath(), "HOME=/root", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return stdout.Bytes(), fmt.Errorf("%s: %w%s", strings.Join(append([]string{name}, args...), " "), err, lastLine(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

func lastLine(b []byte) string {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return ""
	}
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
		b = b[i+1:]
	}
	return ": " + string(b)
}

// ErrRooted is the answer to a command on a machine that does not run.
var ErrRooted = errors.New("nothing runs below --root")

// Run starts a program on the running machine.
func (h *Host) Run(ctx context.Context, name string, args ...string) ([]byte, error) {
	if h.Rooted() {
		return nil, fmt.Errorf("%s: %w", name, ErrRooted)
	}
	out, err := h.run.Run(ctx, name, args...)
	h.changed() // a program may have replaced a folder
	return out, err
}

// changed has every path walked anew.
func (h *Host) changed() {
	defer h.use()()
	h.forget()
}
