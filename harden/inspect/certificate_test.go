package inspect

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// The walk says what crypto/x509 says of every certificate that this reads, and
// ends on everything else.
func FuzzIssuedByAnother(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	named := func(name string) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(1 << 40), Subject: pkix.Name{CommonName: name}, NotAfter: time.Unix(1<<31, 0)}
	}
	for _, issuer := range []string{"a", "b", "a much longer name, so that lengths take more than a byte: " + string(bytes.Repeat([]byte("x"), 200))} {
		der, err := x509.CreateCertificate(rand.Reader, named("a"), named(issuer), key.Public(), key)
		if err != nil {
			f.Fatal(err)
		}
		if issuedByAnother(der) != (issuer != "a") {
			f.Errorf("issuer %q: the walk says %v", issuer, issuedByAnother(der))
		}
		f.Add(der)
		f.Add(der[:len(der)/2])
	}
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, der []byte) {
		got := issuedByAnother(der)
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return
		}
		if want := !bytes.Equal(cert.RawIssuer, cert.RawSubject); got != want {
			t.Errorf("%x: %v, want %v", der, got, want)
		}
	})
}
