package provisioner

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
)

// save writes the report to path on the build host, whole or not at all, and
// makes the folders that lack.
func save(path string, rep *report.Report) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing the report to %s: %w", path, err)
		}
	}()
	data, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".fs-harden-report-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // what counts is why it was not written
		}
	}()
	_, werr := f.Write(append(data, '\n'))
	// 0644: a report is made to be read by others, and holds no secret.
	if err := errors.Join(werr, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
