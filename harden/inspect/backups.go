package inspect

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

const hiddenKey = "holds a private key that was removed from its own place: "

// backups looks into what keeps the state before the bake. The published
// passwords in it are published; a private key is not.
func backups(s *scene) {
	for _, name := range s.list("/root") {
		if strings.HasPrefix(name, keptBackup) && strings.HasSuffix(name, ".tgz") {
			s.backup(path.Join("/root", name))
		}
	}
	if g := s.glance(originals); g.Kind == host.File && g.Size > maxRecord {
		s.add(advice(Image, originals, fmt.Sprintf("has %d bytes and was not read", g.Size), s.harden("rollback")+", then "+s.harden("apply")))
	}
	for _, o := range s.originals() {
		if holdsKey(o.Before.Data) == ownKey {
			s.add(advice(Image, originals, hiddenKey+o.Path, s.harden("rollback")+", "+s.rm(o.Path)+", then "+s.harden("apply")))
		}
	}
}

func (s *scene) backup(p string) {
	at, g, ok := s.file(p)
	if !ok || g.Size == 0 {
		return
	}
	if g.Size > maxRecord {
		s.add(advice(Image, at, fmt.Sprintf("has %d bytes and was not read: a private key may be in it", g.Size), s.rm(at)))
		return
	}
	b, err := s.Peek(at, 0, maxRecord)
	if err != nil {
		s.unreadable(at, err)
		return
	}
	key, err := keyInTarball(b)
	switch {
	case err != nil:
		s.add(advice(Image, at, "does not unpack, so nobody looked for private keys in it: "+err.Error(), s.rm(at)))
	case key != "":
		s.add(advice(Image, at, hiddenKey+key, s.rm(at)))
	}
}

// keyInTarball names the first member that holds a private key of FreeSWITCH's.
func keyInTarball(packed []byte) (string, error) {
	var key string
	err := members(packed, func(name string, data []byte) bool {
		if holdsKey(data) == ownKey {
			key = name
		}
		return key == ""
	})
	return key, err
}

// members hands every member of a tarball to look, with its content where it is a
// file of no more than maxMember bytes, until look has seen enough.
func members(packed []byte, look func(name string, data []byte) bool) error {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	for header := make([]byte, tarBlock); ; {
		if _, err := io.ReadFull(zip, header); err != nil {
			return err
		}
		name, kind, size, err := member(header)
		if err != nil || name == "" {
			return err
		}
		var data []byte
		if kind == tarFile && size <= maxMember {
			data = make([]byte, size)
			_, err = io.ReadFull(zip, data)
		} else {
			_, err = io.CopyN(io.Discard, zip, size)
		}
		if err == nil {
			_, err = io.CopyN(io.Discard, zip, -size&(tarBlock-1))
		}
		if err != nil {
			return err
		}
		if !look(name, data) {
			return nil
		}
	}
}

// What a tarball that fs-harden packed is made of (pax(1), ustar): archive/tar
// would also read a dozen forms that it never writes.
const (
	tarBlock = 512
	tarFile  = '0'
	// maxMember bounds a member that is read, in bytes: as a file of the configuration
	// is, and larger ones FreeSWITCH's passwords are not read of either.
	maxMember = 16 << 20
	// maxSize bounds what one member says of its size, in bytes.
	maxSize = 1 << 40
)

// member reads the header of one member; no name is the end.
func member(header []byte) (name string, kind byte, size int64, err error) {
	name, _, _ = strings.Cut(string(header[:100]), "\x00")
	octal := strings.Trim(string(header[124:136]), " \x00")
	if name == "" && octal == "" {
		return "", 0, 0, nil
	}
	size, err = strconv.ParseInt(octal, 8, 64)
	if err != nil || size < 0 || size > maxSize || name == "" {
		return "", 0, 0, fmt.Errorf("the header of %q is damaged", name)
	}
	return name, header[156], size, nil
}
