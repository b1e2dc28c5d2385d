package inspect

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"path"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// maxKey bounds a file that is read as a key, in bytes: an RSA key and a long
// chain of certificates are a hundredth of it.
const maxKey = 1 << 20

const sharedKey = "every instance would have this private key, and whoever holds one of them could pass for all"

// privateKeys looks at FreeSWITCH's keys, whatever they are called: a wss.pem.bak
// holds the same key. FreeSWITCH makes dtls-srtp.pem and wss.pem at its first
// start, and makes them again where they are missing.
func privateKeys(s *scene) {
	for _, dir := range s.keyFolders() {
		s.keys(dir, s.addOwn)
	}
	for _, dir := range s.keyFoldersElsewhere() {
		s.keys(dir, func(f *Found) {
			f.Fix = None // FreeSWITCH's user writes the configuration that names the folder
			s.add(f)
		})
	}
}

// keys looks at the files in a folder, and in those below it.
func (s *scene) keys(dir string, add func(*Found)) {
	for _, name := range s.list(dir) {
		p := path.Join(dir, name)
		if s.glance(p).Kind != host.Folder {
			s.key(p, add)
			continue
		}
		for _, name := range s.list(p) { // gentls_cert keeps its authority's key in CA/
			s.key(path.Join(p, name), add)
		}
	}
}

func (s *scene) key(p string, add func(*Found)) {
	at, g, ok := s.file(p)
	if !ok || g.Size == 0 {
		return
	}
	if g.Size > maxKey {
		s.add(advice(Image, at, fmt.Sprintf("lies where private keys do, has %d bytes and was not read", g.Size), s.rm(at)))
		return
	}
	data, err := s.Peek(at, 0, maxKey)
	if err != nil {
		add(s.gone(Image, at, "lies where private keys do and cannot be read: "+reason(err)))
		return
	}
	switch holdsKey(data) {
	case ownKey:
		add(s.gone(Image, at, sharedKey))
	case issuedKey:
		s.add(advice(Known, at, "the private key of a certificate that an authority has issued: every instance would have it",
			s.rm(at)+", and give each instance its own when it starts"))
	}
}

// keyKind is what a file holds of a private key.
type keyKind int

const (
	noKey keyKind = iota
	ownKey
	issuedKey // with a certificate that somebody else signed: an operator's
)

func holdsKey(data []byte) keyKind {
	kind := noKey
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) { // damaged ones too
		kind = ownKey
	}
	issued := false
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		issued = issued || strings.HasSuffix(block.Type, "CERTIFICATE") && issuedByAnother(block.Bytes)
	}
	if kind == ownKey && issued {
		return issuedKey
	}
	return kind
}
