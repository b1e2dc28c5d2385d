package harden

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/report"
	"github.com/goldenswitch/packer-plugin-freeswitch/harden/state"
)

const backupPrefix = "/root/freeswitch-config-backup-"

// backupPath is the name of this run's backup, for the second in which it began:
// where another run of that second has left one, for the next.
func backupPath(m *Machine) string {
	for at := m.Started.UTC(); ; at = at.Add(time.Second) {
		p := backupPrefix + at.Format("20060102-150405") + ".tgz"
		if !m.Host.Exists(p) {
			return p
		}
	}
}

// backup packs the configuration folder as it is on the disk, before anything
// of this run is written. Files with a private key are left out: no run changes
// one, and what goes from an image must not stay in its backup.
func backup(_ context.Context, m *Machine) (Proposal, error) {
	if m.Image {
		switch rec, err := state.ReadCommitted(m.Host); {
		case err != nil:
			return Proposal{}, err
		case rec != nil:
			return Proposal{Status: report.Skipped, Reason: "it would hold this instance's secrets; the backup of the first bake stays"}, nil
		}
	}
	m.backup = backupPath(m)
	b := &packer{m: m.asItIs()}
	data, err := b.pack(m.ConfDir)
	if err != nil {
		return Proposal{}, fmt.Errorf("packing %s: %w", m.ConfDir, err)
	}
	summary := fmt.Sprintf("%d files of %s as they were", b.files, m.ConfDir)
	if b.left > 0 {
		summary += fmt.Sprintf("; %d with private keys left out", b.left)
	}
	return Proposal{Changes: []Change{{Path: m.backup, Node: host.NewFile(data, 0o600), Summary: summary}}}, nil
}

// packer packs a folder as it is on the disk.
type packer struct {
	m     *Machine
	tar   *tar.Writer
	files int // in the tarball
	left  int // left out
}

// pack makes a gzipped tarball of a folder, its last element at the top as
// `tar -C PARENT` would have it.
func (b *packer) pack(dir string) ([]byte, error) {
	var buf bytes.Buffer
	zip, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	b.tar = tar.NewWriter(zip)
	if err := b.folder(dir, path.Base(dir)); err != nil {
		return nil, err
	}
	if err := errors.Join(b.tar.Close(), zip.Close()); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil // complete only now
}

func (b *packer) folder(dir, as string) error {
	names, err := b.m.ReadDir(dir)
	if err != nil {
		return err
	}
	if err := b.node(dir, as); err != nil {
		return err
	}
	for _, name := range names {
		p, q := path.Join(dir, name), path.Join(as, name)
		g, err := b.m.Glance(p)
		switch {
		case err != nil:
			return err
		case g.Kind == host.Folder:
			err = b.folder(p, q)
		default:
			err = b.node(p, q)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keyEnd ends the first line of every private key in PEM (RFC 7468).
var keyEnd = []byte("PRIVATE KEY-----")

func (b *packer) node(p, as string) error {
	n, err := b.m.Lookup(p)
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
		if bytes.Contains(n.Data, keyEnd) {
			b.left++
			return nil
		}
	}
	if h.Typeflag != tar.TypeDir {
		b.files++
	}
	if err := b.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err = b.tar.Write(n.Data)
	return err
}

// checkBackup proves that the backup that the record names is there and is whole.
func checkBackup(_ context.Context, m *Machine) []report.Check {
	where := m.backup
	if m.Phase != report.Bake {
		rec, err := state.ReadBaked(m)
		if err != nil {
			return []report.Check{{Name: "backup", Status: report.Fail, Detail: "where it is nobody knows: " + err.Error()}}
		}
		if rec == nil {
			return nil
		}
		where = rec.Backup
	}
	if where == "" {
		return nil // nothing changed, so there was nothing to back up
	}
	c := report.Check{Name: "backup", Status: report.Pass, Detail: where}
	switch n, err := m.Lookup(where); {
	case err != nil:
		c.Status, c.Detail = report.Fail, err.Error()
	case n.Kind == host.Absent && m.Phase != report.Bake:
		c.Status, c.Detail = report.CheckSkipped, where+" was moved away"
	case n.Kind == host.Absent:
		c.Status, c.Detail = report.Fail, where+" is gone already"
	case n.Kind != host.File:
		c.Status, c.Detail = report.Fail, fmt.Sprintf("%s is a %s and no backup: move it out of the way, and put the backup back if you have it", where, n.Kind)
	case n.Mode != 0o600:
		c.Status, c.Detail = report.Fail, fmt.Sprintf("%s has mode %04o: chmod 0600 it", where, n.Mode)
	default:
		if err := unpacks(n.Data); err != nil {
			c.Status, c.Detail = report.Fail, where+" does not unpack: "+err.Error()
		}
	}
	return []report.Check{c}
}

// unpacks reads a tarball to its end.
func unpacks(data []byte) error {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	for t := tar.NewReader(zip); ; {
		switch _, err := t.Next(); {
		case errors.Is(err, io.EOF):
			_, err := io.Copy(io.Discard, zip) //nolint:gosec // of our own making; its checksum stands at the end
			return err
		case err != nil:
			return err
		}
	}
}
