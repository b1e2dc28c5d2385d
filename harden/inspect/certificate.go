package inspect

import "bytes"

// ASN.1 tags of a certificate's parts (RFC 5280, section 4.1).
const (
	tagInteger  = 0x02
	tagSequence = 0x30
	tagVersion  = 0xa0
)

// issuedByAnother tells whether a certificate's issuer is not its subject. It
// walks to these two names and no further: crypto/x509, for this alone, would
// add half a megabyte to the helper.
func issuedByAnother(der []byte) bool {
	certificate, _, ok := element(der, tagSequence)
	if !ok {
		return false
	}
	rest, _, ok := element(certificate, tagSequence) // what is signed
	if !ok {
		return false
	}
	if _, after, ok := element(rest, tagVersion); ok { // version 1 leaves it out
		rest = after
	}
	var issuer, subject []byte
	for _, part := range []struct {
		tag  byte
		keep *[]byte
	}{
		{tagInteger, nil},  // serial number
		{tagSequence, nil}, // how it is signed
		{tagSequence, &issuer},
		{tagSequence, nil}, // from when until when
		{tagSequence, &subject},
	} {
		content, after, ok := element(rest, part.tag)
		if !ok {
			return false
		}
		if part.keep != nil {
			*part.keep = content
		}
		rest = after
	}
	return !bytes.Equal(issuer, subject)
}

// element takes the first element off DER, if it has that tag.
func element(der []byte, tag byte) (content, rest []byte, ok bool) {
	if len(der) < 2 || der[0] != tag {
		return nil, nil, false
	}
	n, at := int(der[1]), 2
	if n >= 0x80 { // the long form: so many bytes of length follow
		size := n & 0x7f
		if size == 0 || size > 3 || len(der) < at+size {
			return nil, nil, false
		}
		n = 0
		for _, b := range der[at : at+size] {
			n = n<<8 | int(b)
		}
		at += size
	}
	if len(der)-at < n {
		return nil, nil, false
	}
	return der[at : at+n], der[at+n:], true
}
