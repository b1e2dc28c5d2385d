package harden

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

// backupPath is named for the run that makes it.
func backupPath(m *Machine) string {
	return "/root/freeswitch-config-backup-" + m.Started.UTC().Format("20060102-150405") + ".tgz"
}

// backup packs the configuration folder as it is on the disk, before anything
// of this run is written.
func backup(_ context.Context, m *Machine) (Proposal, error) {
	data, files, err := pack(m.asItIs(), m.ConfDir)
	if err != nil {
		return Proposal{}, fmt.Errorf("packing %s: %w", m.ConfDir, err)
	}
	return Proposal{Changes: []Change{{
		Path: backupPath(m), Node: host.NewFile(data, 0o600),
		Summary: fmt.Sprintf("%d files of %s as they were", files, m.ConfDir),
	}}}, nil
}

// pack makes a gzipped tarball of a folder, its last element at the top as
// `tar -C PARENT` would have it.
func pack(m *Machine, dir string) (data []byte, files int, err error) {
	var buf bytes.Buffer
	zip, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if err != nil {
		return nil, 0, err
	}
	tw := tar.NewWriter(zip)
	if files, err = packFolder(m, tw, dir, path.Base(dir)); err != nil {
		return nil, 0, err
	}
	if err := tw.Close(); err != nil {
		return nil, 0, err
	}
	return buf.Bytes(), files, zip.Close()
}

func packFolder(m *Machine, tw *tar.Writer, dir, as string) (files int, err error) {
	names, err := m.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	if err := packNode(m, tw, dir, as); err != nil {
		return 0, err
	}
	for _, name := range names {
		p, q := path.Join(dir, name), path.Join(as, name)
		n, err := m.Lookup(p)
		if err != nil {
			return files, err
		}
		if n.Kind == host.Folder {
			sub, err := packFolder(m, tw, p, q)
			if err != nil {
				return files, err
			}
			files += sub
			continue
		}
		if err := packNode(m, tw, p, q); err != nil {
			return files, err
		}
		files++
	}
	return files, nil
}

func packNode(m *Machine, tw *tar.Writer, p, as string) error {
	n, err := m.Lookup(p)
	if err != nil {
		return err
	}
	h := &tar.Header{
		Name: as, Mode: int64(n.Mode & fs.ModePerm), Uid: n.UID, Gid: n.GID,
		ModTime: n.ModTime, Format: tar.FormatPAX,
	}
	switch n.Kind {
	case host.Folder:
		h.Typeflag, h.Name = tar.TypeDir, as+"/"
	case host.Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, n.Target
		if !strings.Contains(as, "/") { // the folder itself is a link: its content is what counts
			h.Typeflag, h.Name, h.Linkname, h.Mode = tar.TypeDir, as+"/", "", 0o755
		}
	default:
		h.Typeflag, h.Size = tar.TypeReg, int64(len(n.Data))
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err = tw.Write(n.Data)
	return err
}

// checkBackup proves that the backup that the record names is there and is whole.
func checkBackup(_ context.Context, m *Machine) []report.Check {
	where := backupPath(m)
	if m.Phase != report.Bake {
		rec, err := state.ReadBaked(m)
		if err != nil || rec == nil {
			return nil
		}
		where = rec.Backup
	}
	c := report.Check{Name: "backup", Status: report.Pass, Detail: where}
	switch n, err := m.Lookup(where); {
	case err != nil:
		c.Status, c.Detail = report.Fail, err.Error()
	case n.Kind == host.Absent && m.Phase != report.Bake:
		c.Status, c.Detail = report.CheckSkipped, where+" was moved away"
	case n.Kind == host.Absent:
		return nil // nothing changed, so there was nothing to back up
	case n.Mode != 0o600:
		c.Status, c.Detail = report.Fail, fmt.Sprintf("%s has mode %04o: chmod 0600 it", where, n.Mode)
	default:
		if _, err := gzip.NewReader(bytes.NewReader(n.Data)); err != nil {
			c.Status, c.Detail = report.Fail, where+" does not unpack: "+err.Error()
		}
	}
	return []report.Check{c}
}
