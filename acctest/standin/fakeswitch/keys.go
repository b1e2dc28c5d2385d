package fakeswitch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// makeKeys writes the private keys with certificate that FreeSWITCH makes when
// they are missing: for DTLS (switch_core_media.c:14194) and for secure
// WebSockets (sofia.c:6246).
func makeKeys(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of the keys: %w", err)
	}
	for _, name := range []string{"dtls-srtp.pem", "wss.pem"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look for the key: %w", err)
		}
		content, err := newKey()
		if err != nil {
			return fmt.Errorf("make the key %s: %w", path, err)
		}
		if err := os.WriteFile(path, content, 0o660); err != nil {
			return fmt.Errorf("write the key: %w", err)
		}
	}
	return nil
}

func newKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0),
		Subject:      pkix.Name{CommonName: "FreeSWITCH", Country: []string{"US"}},
		NotBefore:    time.Now(),
		NotAfter:     time.Now().AddDate(100, 0, 0),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return append(
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})...,
	), nil
}
