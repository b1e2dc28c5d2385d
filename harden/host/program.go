package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// searchPath is where programs are looked for. The caller's PATH may lack the
// sbin folders (su(1) keeps a user's), or name a folder of somebody else's first.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// ErrUntrusted marks a program that is not run, because another user than root
// can replace it.
var ErrUntrusted = errors.New("not run as root")

// thisMachine is the running one: programs run nowhere else.
var thisMachine = sync.OnceValues(func() (*Host, error) { return Open("/", nil) })

// locate gives the file of a program, the first one that only root can have put
// there.
func locate(name string) (string, error) {
	machine, err := thisMachine()
	if err != nil {
		return "", err
	}
	candidates := []string{name}
	if !filepath.IsAbs(name) {
		candidates = nil
		for _, dir := range filepath.SplitList(searchPath) {
			candidates = append(candidates, filepath.Join(dir, name))
		}
	}
	machine.changed() // a package may have come since
	var refused error
	for _, p := range candidates {
		switch err := machine.trustedProgram(p); {
		case err == nil:
			return p, nil
		case !absent(err) && refused == nil:
			refused = err
		}
	}
	if refused != nil {
		return "", refused
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// OnlyRoot is nil where nobody but root can replace a program of this machine or
// change what it does; else it says who can, and by what.
func (h *Host) OnlyRoot(path string) error { return h.trustedProgram(path) }

// trustedProgram refuses a program that another user than root can replace: it,
// and every folder that leads to it, is root's and nobody else's to write.
func (h *Host) trustedProgram(path string) error {
	defer h.use()()
	at, err := h.real(path)
	var unsafe *UnsafeError
	if errors.As(err, &unsafe) {
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	if err != nil {
		return err
	}
	st, err := at.stat()
	switch {
	case err != nil:
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	case at.dir.realm != root:
		return fmt.Errorf("%s: %w, for %s can be changed by %s", path, ErrUntrusted, at.dir.top.path, inWhose(at.dir.realm))
	case !trusted(st.Uid):
		return fmt.Errorf("%s: %w, for it belongs to %s", path, ErrUntrusted, inWhose(int(st.Uid)))
	case othersWrite(&st):
		return fmt.Errorf("%s: %w, for others may write to it (mode %04o)", path, ErrUntrusted, st.Mode&0o7777)
	case st.Mode&unix.S_IFMT != unix.S_IFREG, st.Mode&0o111 == 0:
		return &fs.PathError{Op: "exec", Path: path, Err: fs.ErrNotExist}
	}
	return nil
}

func inWhose(realm int) string {
	if realm == everybody {
		return "more than one user"
	}
	return fmt.Sprintf("user %d", realm)
}

// childPath is the PATH that programs are given: what they start themselves is no
// more to be chosen by others than they are.
var childPath = sync.OnceValue(func() string {
	machine, err := thisMachine()
	if err != nil {
		return "/usr/sbin:/usr/bin"
	}
	dirs := filepath.SplitList(searchPath)
	kept := dirs[:0]
	for _, dir := range dirs {
		if machine.rootsAlone(dir) {
			kept = append(kept, dir)
		}
	}
	return strings.Join(kept, ":")
})

// rootsAlone tells whether a folder is there and only root may change its names.
func (h *Host) rootsAlone(dir string) bool {
	defer h.use()()
	w := walk{Host: h, path: dir}
	at, err := w.from(h.top, filepath.Join(dir, "."), nil)
	if err != nil || at.dir == nil {
		return false
	}
	d, err := w.enter(at.dir, at.name, nil)
	return err == nil && d.realm == root && d.own == root
}
