//go:build linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A layer is a writable overlay: what is changed below root goes to upper, and
// the lowers (topmost first) stay as they are.
type layer struct {
	root, upper, work string
	lowers            []string
}

// newLayer makes the folders of a layer in dir.
func newLayer(dir string, lowers []string) (layer, error) {
	l := layer{
		root:   filepath.Join(dir, "root"),
		upper:  filepath.Join(dir, "upper"),
		work:   filepath.Join(dir, "work"),
		lowers: lowers,
	}
	for _, d := range []string{l.root, l.upper, l.work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return layer{}, fmt.Errorf("making an overlay's folder: %w", err)
		}
	}
	return l, nil
}

// options are the overlay's mount options. redirect_dir lets a folder of a lower
// be renamed, as it can be on a disk; without index and metacopy the upper is
// complete in itself and may become a lower of another overlay.
func (l layer) options() string {
	return fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,redirect_dir=on,index=off,metacopy=off",
		strings.Join(l.lowers, ":"), l.upper, l.work)
}
