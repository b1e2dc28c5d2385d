package inspect

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goldenswitch/packer-plugin-freeswitch/harden/host"
)

// maxKey bounds a file that is read as a key, in bytes: an RSA key and a long
// chain of certificates are a hundredth of it.
const maxKey = 1 << 20

const sharedKey = "every instance would have this private key, and whoever holds one of them could pass for all"

// privateKeys looks at FreeSWITCH's keys, whatever they are called: a wss.pem.bak
// holds the same key. FreeSWITCH makes dtls-srtp.pem and wss.pem at its first
// start, and makes them again where they are missing. Anywhere else below the
// configuration a key is somebody's, and not for a program to remove.
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
	for _, f := range s.strays() {
		switch f.key {
		case noKey:
		case issuedKey:
			s.add(s.issued(f.path))
		default:
			s.add(advice(Image, f.path, sharedKey, s.rm(f.path)+", and give each instance its own when it starts"))
		}
	}
}

// keys looks at the files in a folder, and in those below it: gentls_cert keeps its
// authority's key in CA/.
func (s *scene) keys(dir string, add func(*Found)) {
	s.below(dir, func(p string, g host.Glimpse) onward {
		if g.Kind != host.Folder {
			s.key(p, add)
		}
		return into
	})
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
	kind := holdsKey(data)
	if isKeyStore(at, data) {
		kind = ownKey
	}
	switch kind {
	case ownKey:
		add(s.gone(Image, at, sharedKey))
	case issuedKey:
		s.add(s.issued(at))
	}
}

func (s *scene) issued(at string) *Found {
	return advice(Known, at, "the private key of a certificate that an authority has issued: every instance would have it",
		s.rm(at)+", and give each instance its own when it starts")
}

// isKeyStore tells a PKCS #12 file (RFC 7292): certificates with their keys.
func isKeyStore(name string, data []byte) bool {
	return begins(data, "\x30\x82") && slices.Contains([]string{".p12", ".pfx"}, strings.ToLower(path.Ext(name)))
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
